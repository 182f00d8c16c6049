"""What the sections of the configuration are made of: their base, and the kinds of values that several of them hold."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, SecretStr
from pydantic_settings import NoDecode, SettingsConfigDict


def split_list(value: object) -> object:
    """A list in an environment variable is written with commas: `a, b`."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _expand_home(path: Path | None) -> Path | None:
    return path.expanduser() if path is not None else None


def _absent_if_empty(value: object) -> object:
    return None if value == "" else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(split_list)]
OptionalPath = Annotated[Path | None, BeforeValidator(_absent_if_empty), AfterValidator(_expand_home)]


class Section(BaseModel):
    """What all sections share: they are frozen and know no other keys."""

    # Settings' own kind of configuration, so that `load.py` can read the environment through the same fields.
    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True
    )
