"""The voices users choose from, as data: which of Flite's speakers stands behind a name and how it is changed.

The table is `voices.toml` beside this module; another file of the same form can be parsed in its place.
"""

import difflib
import tomllib
from importlib import resources
from typing import Annotated, Literal

import msgspec

TABLE = "voices.toml"


class Voice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A voice: a speaker of Flite and what is done to it. `voices.toml` explains the fields."""

    description: str
    speaker: Literal["slt", "rms", "awb", "kal16"]
    formant_ratio: Annotated[float, msgspec.Meta(ge=0.7, le=1.4)] = 1.0
    pitch_hz: Annotated[float, msgspec.Meta(ge=60.0, le=400.0)] | None = None
    pitch_range_hz: Annotated[float, msgspec.Meta(ge=0.0, le=100.0)] | None = None
    pace: Annotated[float, msgspec.Meta(ge=0.5, le=2.0)] = 1.0
    gain_db: Annotated[float, msgspec.Meta(ge=-30.0, le=30.0)] = 0.0


class VoicesError(ValueError):
    """A table of voices cannot be used; the message names the voice and the key."""


def parse_voices(text: str) -> dict[str, Voice]:
    """Return the voices of a TOML table by name, in the order written.

    Raises:
        VoicesError: not TOML, no voice, an unknown key, or a value outside its range.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise VoicesError(f"the voices are not valid TOML: {error}") from error
    if not table:
        raise VoicesError("the table of voices is empty, expected at least one voice")
    return {name: _voice(name, fields) for name, fields in table.items()}


def load_voices() -> dict[str, Voice]:
    """Return the voices of the package's own table, read from it at each call."""
    return parse_voices(resources.files(__package__).joinpath(TABLE).read_text("utf-8"))


def _voice(name: str, fields: object) -> Voice:
    if not isinstance(fields, dict):
        raise VoicesError(f"voices: {name!r} must be a table such as [{name}], got {fields!r}")
    for key in fields:
        if key not in Voice.__struct_fields__:
            raise VoicesError(f"voices.{name}: unknown key {key!r}{_nearest(key)}")
    try:
        voice = msgspec.convert(fields, Voice)
    except msgspec.ValidationError as error:
        raise VoicesError(f"voices.{name}: {error}") from error
    if voice.speaker == "rms" and (voice.pitch_hz is not None or voice.pitch_range_hz is not None):
        raise VoicesError(f"voices.{name}: the speaker 'rms' has a fixed pitch; leave out pitch_hz and pitch_range_hz")
    return voice


def _nearest(key: str) -> str:
    near = difflib.get_close_matches(key, Voice.__struct_fields__, n=1)
    return f"; the nearest known key is {near[0]!r}" if near else ""
