"""Reads the configuration: flags > environment > `.env` > TOML file > defaults.

Each layer is read by itself, so that an unknown key can be named with its place and every effective value with its
source. `wiring` and `cli` call this; nothing here is read at import.
"""

import difflib
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec
from dotenv import dotenv_values
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsError

from vivavoce.config.hybrid import STAGES
from vivavoce.config.model import Configuration

PREFIX: Final = "VIVAVOCE_"
DELIMITER: Final = "__"
CONFIG_VARIABLE: Final = "VIVAVOCE_CONFIG"  # the path of the file
# Not settings: the file, the key that a client of ours presents, and what the tests may skip.
# Variables of ours that are no settings: of this module, of the command line, and of the tests.
OTHER_VARIABLES: Final = frozenset(
    {
        CONFIG_VARIABLE,
        "VIVAVOCE_API_KEY",
        "VIVAVOCE_TEST_REQUIRE",
        "VIVAVOCE_FUZZ_SECONDS",
        "VIVAVOCE_EVENT_MATRIX",
    }
)
OPENAI_VARIABLES: Final = {
    "OPENAI_API_KEY": ("hosted", "api_key"),
    "OPENAI_REALTIME_MODEL": ("hosted", "realtime_model"),
    "OPENAI_TRANSCRIPTION_MODEL": ("hosted", "transcription_model"),
}
# Their keys are the user's own.
FREE_TABLES: Final = frozenset({"models.table", "upstream.headers", "upstream.query"}) | {
    f"hybrid.{table}"
    for table in (
        *(f"{stage}.{name}" for stage in STAGES for name in ("headers", "query", "extra")),
        "transcriber.models",
        "synthesizer.voices",
        "models",
    )
}
MASK: Final = "**********"
HOSTED_ENGINE: Final = "openai"  # short for the upstream that follows
HOSTED_URL: Final = "https://api.openai.com/v1"

Steps = tuple[str, ...]  # the way to a value: names of sections, then its own
Tree = dict[str, Any]  # JSON boundary: values as a file or the environment wrote them


class ConfigurationError(ValueError):
    """The configuration cannot be used; the message names each key, what was expected and where it stands."""


class Layer(msgspec.Struct, frozen=True):
    """Values of one source, nested as in the file."""

    source: str
    values: Tree


class Setting(msgspec.Struct, frozen=True):
    """One effective value for people to read: secrets are masked."""

    key: str
    value: Any  # JSON boundary: as JSON would write it
    source: str


class Loaded(msgspec.Struct, frozen=True):
    """The configuration with the source of each value, and what the log should tell about it."""

    configuration: Configuration
    sources: dict[str, str]
    notes: tuple[str, ...] = ()

    def settings(self) -> list[Setting]:
        """Return every effective value with its source, in the order of the reference."""
        return [
            Setting(".".join(path), value, self._source(path)) for path, value in _leaves(_shown(self.configuration))
        ]

    def _source(self, path: Steps) -> str:
        """Return where a value comes from; a model of the hybrid pipeline has most from the pipeline itself."""
        places = [path, ("hybrid", *path[3:])] if path[:2] == ("hybrid", "models") else [path]
        return next((self.sources[key] for key in map(".".join, places) if key in self.sources), "defaults")


def load(
    flags: Mapping[str, Any] | None = None,  # values as the command line gave them
    environment: Mapping[str, str] | None = None,
    config_path: Path | None = None,
    env_path: Path = Path(".env"),
) -> Loaded:
    """Read all sources and return the effective configuration.

    Args:
        flags: dotted keys and values, None for a flag that was not given.
        environment: the process's own if None.
        config_path: the TOML file; without it `VIVAVOCE_CONFIG`, without that none.

    Raises:
        ConfigurationError: an unknown key, a value that does not fit, or a file that cannot be read.
    """
    variables = dict(os.environ if environment is None else environment)
    written = {name: value for name, value in dotenv_values(env_path).items() if value is not None}
    named = variables.get(CONFIG_VARIABLE) or written.get(CONFIG_VARIABLE)
    path = config_path or (Path(named) if named else None)
    layers = [_defaults()]
    if path is not None:
        layers.append(Layer(str(path), _read_toml(path)))
    layers += [_environment(written, str(env_path)), _environment(variables, "environment")]
    layers.append(Layer("flag", _nest({key: value for key, value in (flags or {}).items() if value is not None})))
    return _resolve(layers, {**written, **variables})


def _resolve(layers: list[Layer], variables: Mapping[str, str]) -> Loaded:
    values: Tree = {}
    sources: dict[str, str] = {}
    for layer in layers:
        _refuse_unknown(layer)
        for path, value in _leaves(layer.values):
            _put(values, path, value)
            sources[".".join(path)] = layer.source
    _expand_hosted(values, sources)
    try:
        configuration = Configuration.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError("\n".join(_sentences(error, sources))) from error
    return Loaded(configuration, sources, tuple(_notes(variables, configuration)))


def _expand_hosted(values: Tree, sources: dict[str, str]) -> None:
    """Turn the engine `openai` into the upstream that it stands for: the hosted service, unless another is named."""
    if values["engines"].get("default") != HOSTED_ENGINE:
        return
    values["engines"]["default"] = "upstream"
    if not values["upstream"].get("url"):
        values["upstream"]["url"] = HOSTED_URL
        sources["upstream.url"] = sources["engines.default"]


def _defaults() -> Layer:
    text = resources.files("vivavoce.config").joinpath("defaults.toml").read_text("utf-8")
    return Layer("defaults", tomllib.loads(text))


def _read_toml(path: Path) -> Tree:
    try:
        return tomllib.loads(path.expanduser().read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"The configuration file {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The configuration file {path} is not valid TOML: {error}.") from error


# Environment ----------------------------------------------------------------------------------------------------


class _FromEnvironment(BaseSettings, Configuration):
    """The configuration as pydantic-settings sees it: tells its source which variables are nested."""


class _VariablesSource(EnvSettingsSource):
    """Reads the given variables instead of the process's."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._given = {name.lower(): value for name, value in variables.items()}
        super().__init__(_FromEnvironment, env_prefix=PREFIX, env_nested_delimiter=DELIMITER)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._given


def _environment(variables: Mapping[str, str], source: str) -> Layer:
    own = {name: value for name, value in variables.items() if name.upper().startswith(PREFIX)}
    settings = {name: value for name, value in own.items() if name.upper() not in OTHER_VARIABLES}
    _refuse_unknown_variables(settings, source)
    try:
        values = _VariablesSource(settings)()
    except SettingsError as error:
        raise ConfigurationError(_unreadable(settings, source)) from error
    for name, path in OPENAI_VARIABLES.items():
        if name in variables and path not in dict(_leaves(values)):
            _put(values, path, variables[name])
    return Layer(source, values)


def _unreadable(settings: Mapping[str, str], source: str) -> str:
    """Name the variables that should hold JSON and do not; their values may be secrets."""
    names = []
    for name, value in settings.items():
        try:
            msgspec.json.decode(value)
        except msgspec.DecodeError:
            if value.lstrip().startswith(("{", "[")):
                names.append(name)
    return f"{', '.join(names) or 'A variable'} ({source}): expected valid JSON."


def _refuse_unknown_variables(names: Iterable[str], source: str) -> None:
    known = {key: f"{PREFIX}{key.upper().replace('.', DELIMITER)}" for key in known_keys()}
    free = tuple(f"{known[key]}{DELIMITER}" for key in FREE_TABLES)
    for name in names:
        if name.upper() not in known.values() and not name.upper().startswith(free):
            hint = nearest(name.upper(), known.values())
            raise ConfigurationError(f"Unknown setting {name} ({source}).{hint}")


def _notes(variables: Mapping[str, str], configuration: Configuration) -> Iterator[str]:
    if "OPENAI_BASE_URL" in variables:
        yield "OPENAI_BASE_URL is ignored: it tells clients where a server is, and this is the server."
    if variables.get("OPENAI_API_KEY") and not configuration.names_other_servers:
        yield "OPENAI_API_KEY is known and not used: no hosted engine is configured."


# Keys -----------------------------------------------------------------------------------------------------------


def known_keys(model: type[BaseModel] = Configuration, prefix: str = "") -> list[str]:
    """Return the dotted names of all settings, in the order of the model."""
    keys: list[str] = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            keys += known_keys(inner, f"{prefix}{name}.")
        else:
            keys.append(prefix + name)
    return keys


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a sentence that names the most similar known name, empty if none is similar."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean {close[0]}?" if close else ""


def _refuse_unknown(layer: Layer) -> None:
    known = known_keys()
    sections = {key.rpartition(".")[0] for key in known} - {""}
    for path, value in _leaves(layer.values):
        key = ".".join(path)
        if key in sections:
            raise ConfigurationError(f"The setting {key} ({layer.source}) is a section, but a value came: {value!r}.")
        if key not in known and not _is_free(key):
            raise ConfigurationError(f"Unknown setting {key} ({layer.source}).{nearest(key, known)}")


def _leaves(tree: Mapping[str, Any], above: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and (value or not _is_free(".".join((*above, name)))):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _is_free(key: str) -> bool:
    """Tell whether a key is one of the user's own, or the table of such keys."""
    return key in FREE_TABLES or any(key.startswith(f"{table}.") for table in FREE_TABLES)


def _put(tree: Tree, path: Steps, value: object) -> None:
    *sections, name = path
    for section in sections:
        tree = tree.setdefault(section, {})
    tree[name] = value


def _nest(flat: Mapping[str, object]) -> Tree:
    tree: Tree = {}
    for key, value in flat.items():
        _put(tree, tuple(key.split(".")), value)
    return tree


# For people -----------------------------------------------------------------------------------------------------


def _sentences(error: ValidationError, sources: Mapping[str, str]) -> Iterator[str]:
    for fault in error.errors(include_url=False, include_input=False):
        key = ".".join(str(step) for step in fault["loc"])
        setting = next((known for known in sources if key == known or key.startswith(f"{known}.")), key)
        place = f"{key} ({sources.get(setting, 'defaults')})" if key else "The configuration"
        yield f"{place}: {fault['msg'][0].lower()}{fault['msg'][1:]}."


def _shown(section: BaseModel) -> Tree:
    return {name: _readable(getattr(section, name)) for name in type(section).model_fields}


def _readable(value: object) -> Any:  # JSON boundary: a value as JSON would write it
    match value:
        case BaseModel():
            return _shown(value)
        case SecretStr():
            return MASK if value.get_secret_value() else ""
        case tuple():
            return [_readable(part) for part in value]
        case dict():
            return {name: _readable(part) for name, part in value.items()}
        case Path():
            return str(value)
        case None:
            return ""
        case _:
            return value
