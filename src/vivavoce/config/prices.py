"""The price list: `prices.toml` of the package, and a file of the user's that adds to it or overrides it.

Prices are written in US dollars; here they are whole nano-dollars, so that costs are exact.
"""

import datetime
import difflib
import tomllib
from decimal import Decimal, InvalidOperation
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec

from vivavoce.config.load import ConfigurationError

TABLE: Final = "prices.toml"
VERSION: Final = 1
MAX_USD: Final = 1_000_000  # of one price: more is a mistake
_NANO: Final = 1_000_000_000


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Prices in nano-dollars; None: there is none. Tokens and characters go by the million."""

    text_input: int | None = None
    text_cached: int | None = None
    text_output: int | None = None
    audio_input: int | None = None
    audio_cached: int | None = None
    audio_output: int | None = None
    image_input: int | None = None
    image_cached: int | None = None
    per_minute: int | None = None  # of audio
    per_million_characters: int | None = None  # of text that is spoken


class ModelPrices(msgspec.Struct, frozen=True, kw_only=True):
    """What one model costs, and what a response of it may hold."""

    as_of: str  # ISO date on which the source said so
    source: str  # the kind of document
    rates: Rates
    context_tokens: int | None = None  # input of a response at most
    max_output_tokens: int | None = None  # output of a response at most
    aliases: tuple[str, ...] = ()  # other names of the model, such as those of its snapshots


_KEYS: Final = (*(name for name in ModelPrices.__struct_fields__ if name != "rates"), *Rates.__struct_fields__)


class PriceList(msgspec.Struct, frozen=True):
    """Prices by model name, aliases included; `as_of` is the ISO date of the list."""

    as_of: str
    models: dict[str, ModelPrices] = {}

    def find(self, model: str) -> ModelPrices | None:
        """Return the prices of a model; of a name that the list does not have nothing is guessed."""
        return self.models.get(model)


def load_prices(path: Path | None = None) -> PriceList:
    """Return the package's prices, with those of a user's file in place of them or beside them.

    Raises:
        ConfigurationError: the file cannot be read or is no price list; the message names the model and the key.
    """
    own = parse_prices(resources.files(__package__).joinpath(TABLE).read_text("utf-8"), TABLE)
    if path is None:
        return own
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"budgets.prices_file: {path} cannot be read: {error}.") from error
    given = parse_prices(text, f"budgets.prices_file {path}")
    return PriceList(given.as_of, {**own.models, **given.models})


def parse_prices(text: str, place: str) -> PriceList:
    """Return the price list of a TOML text; `place` is what messages call it.

    Raises:
        ConfigurationError: as `load_prices`.
    """
    try:
        table = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, InvalidOperation) as error:
        raise ConfigurationError(f"{place}: not valid TOML: {error}.") from error
    _refuse_unknown(table, ("version", "as_of", "models"), place)
    if table.get("version") != VERSION:
        raise ConfigurationError(f"{place}: version: expected {VERSION}, got {table.get('version')!r}.")
    as_of = _date(table.get("as_of"), f"{place}: as_of")
    models: dict[str, ModelPrices] = {}
    given = table.get("models", {})
    if not isinstance(given, dict):
        raise ConfigurationError(f"{place}: models: expected a table for each model, got {given!r}.")
    for name, fields in given.items():
        prices = _model(fields, as_of, f"{place}: models.{name}")
        for known in (name, *prices.aliases):
            if known in models:
                raise ConfigurationError(f"{place}: models.{name}: the name {known!r} is listed twice.")
            models[known] = prices
    return PriceList(as_of, models)


def _model(fields: object, as_of: str, place: str) -> ModelPrices:
    if not isinstance(fields, dict):
        raise ConfigurationError(f"{place}: expected a table of prices, got {fields!r}.")
    _refuse_unknown(fields, _KEYS, place)
    rates = {name: _nano(fields[name], f"{place}.{name}") for name in Rates.__struct_fields__ if name in fields}
    if not rates:
        raise ConfigurationError(f"{place}: expected at least one price, got none.")
    others = {name: value for name, value in fields.items() if name not in rates}
    values = {"source": "", **others, "as_of": _date(fields.get("as_of", as_of), f"{place}.as_of"), "rates": rates}
    try:
        prices = msgspec.convert(values, ModelPrices)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{place}: {error}.") from error
    for name in ("context_tokens", "max_output_tokens"):
        if (count := getattr(prices, name)) is not None and count < 1:
            raise ConfigurationError(f"{place}.{name}: expected at least 1, got {count}.")
    return prices


def _nano(value: object, place: str) -> int:
    """Return US dollars in nano-dollars."""
    expected = f"expected US dollars from 0 to {MAX_USD} with at most nine decimals"
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ConfigurationError(f"{place}: {expected}, got {value!r}.")
    if not Decimal(value).is_finite() or not 0 <= value <= MAX_USD:
        raise ConfigurationError(f"{place}: {expected}, got {value}.")
    nano = Decimal(value) * _NANO
    if nano != int(nano):
        raise ConfigurationError(f"{place}: {expected}, got {value}.")
    return int(nano)


def _date(value: object, place: str) -> str:
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value.isoformat()
    try:
        return datetime.date.fromisoformat(value if isinstance(value, str) else "").isoformat()
    except ValueError:
        raise ConfigurationError(f"{place}: expected a date such as 2026-11-30, got {value!r}.") from None


def _refuse_unknown(fields: dict[str, Any], known: tuple[str, ...], place: str) -> None:
    for key in fields:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ConfigurationError(f"{place}: unknown key {key!r}.{hint}")
