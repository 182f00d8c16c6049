"""What can be configured: one frozen model per section of the file. Values come from `load.py`, never from here.

Every field is required, so that the default values stand in one place, `defaults.toml`.
"""

from typing import Final, Literal, Self

from pydantic import Field, SecretStr, model_validator

from vivavoce.config.hybrid import Hybrid, HybridStages
from vivavoce.config.section import Names, OptionalPath, Secrets, Section

EngineName = Literal["embedded", "hybrid", "scripted", "upstream"]

HYBRID_MODEL: Final = "vivavoce-hybrid"  # the model of the hybrid pipeline where the table names none


class Server(Section):
    """Where the server listens, whom it admits, and how much it takes on."""

    host: str = Field(min_length=1, description="Address to listen on; any but loopback needs keys or `insecure`.")
    port: int = Field(ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    insecure: bool = Field(description="Allow an address other than loopback without any key.")
    allowed_origins: Names = Field(description="Origins of web pages elsewhere that may use this server.")
    host_names: Names = Field(description="Names in `Host` that this server answers to besides its address.")
    api_keys: Secrets = Field(description="Keys that are accepted; none on loopback: any key is accepted.")
    max_sessions: int = Field(ge=1, description="Sessions at once.")
    max_sessions_per_key: int = Field(ge=1, description="Sessions at once per key.")
    drain_s: float = Field(ge=0, le=3600, description="Seconds that running sessions get to end at shutdown.")
    session_lifetime_min: float = Field(ge=0, description="Minutes after which a session ends; 0 is unlimited.")
    tls_certificate: OptionalPath = Field(description="Certificate chain (PEM) to serve `https` and `wss` with.")
    tls_key: OptionalPath = Field(description="Private key (PEM) of the certificate.")
    tls_self_signed: bool = Field(description="Serve TLS with a certificate made at the first start, for testing.")


class Limits(Section):
    """What one key may use; told to clients by `rate_limits.updated`."""

    requests_per_min: int = Field(ge=0, description="Responses per minute and key; 0 is unlimited.")
    tokens_per_min: int = Field(ge=0, description="Tokens of responses per minute and key; 0 is unlimited.")


class Budgets(Section):
    """What the sessions of one key may spend on models elsewhere, by the price list."""

    usd_per_day: float = Field(ge=0, le=1e6, description="US dollars per key and day of UTC; 0 is unlimited.")
    reserve_usd: float = Field(
        ge=0, le=1e6, description="What a running response counts as; 0: the dearest that its model can give."
    )
    prices_file: OptionalPath = Field(description="Price list (TOML) over `config/prices.toml`; empty: none.")


class Mcp(Section):
    """Remote MCP servers that clients may name in their tools."""

    allowed_hosts: Names = Field(description="Host names; `*.example.com` for subdomains, `*` any public address.")
    timeout_s: float = Field(gt=0, le=600, description="Seconds that listing or calling a tool may take.")


class Engines(Section):
    """Which engines stand behind the wire."""

    default: EngineName = Field(description="Pipeline for models that the model table does not name.")
    speech: Literal["auto", "embedded", "moonshine"] = Field(
        description="Recogniser and voices: `moonshine` where its models were fetched (`auto`), or the embedded ones."
    )
    detector: Literal["silero"] = Field(description="Voice detection of the embedded pipeline.")
    transcriber: Literal["pocketsphinx"] = Field(description="Speech recognition of the embedded pipeline.")
    generator: Literal["embedded"] = Field(description="Responder of the embedded pipeline.")
    synthesizer: Literal["flite"] = Field(description="Speech synthesis of the embedded pipeline.")
    noise_reducer: Literal["none", "rnnoise"] = Field(description="Noise reduction, when a session asks for it.")
    turn_scorer: Literal["none", "smart-turn"] = Field(description="Model that hears whether a turn is complete.")
    context_tokens: int = Field(ge=256, description="Input tokens of a response at most; older items are left out.")
    transcriber_workers: int = Field(ge=1, le=64, description="Recogniser processes that stay.")
    transcriber_workers_max: int = Field(ge=1, le=64, description="Recogniser processes under load.")

    @model_validator(mode="after")
    def _keeps_no_more_than_the_most(self) -> Self:
        if self.transcriber_workers > self.transcriber_workers_max:
            raise ValueError(f"transcriber_workers {self.transcriber_workers} is more than transcriber_workers_max")
        return self


class Models(Section):
    """Which model names exist and what serves them."""

    strict: bool = Field(description="Refuse model names that the table does not hold (`model_not_found`).")
    table: dict[str, EngineName] = Field(min_length=1, description="Model name to pipeline.")


class Scripted(Section):
    """The deterministic engine."""

    script: OptionalPath = Field(description="Script file (TOML or JSON); empty for the built-in one.")


class SessionDefaults(Section):
    """What a session starts with until the client changes it."""

    voice: str = Field(min_length=1, description="Voice of the assistant.")
    instructions: str = Field(max_length=1_048_576, description="Instructions of the assistant.")


class Upstream(Section):
    """Another Realtime server behind this one, to which sessions are relayed."""

    url: str = Field(description="Base of its API, such as `https://api.openai.com/v1`; empty: none.")
    api_key: SecretStr = Field(description="Key for it; empty: `hosted.api_key`.")
    dialect: Literal["ga", "beta"] = Field(description="Which API it speaks.")
    models: Names = Field(description="Model names that go there, `*` for any characters; others stay here.")
    model: str = Field(description="The model that every relayed session gets; empty: the one it asked for.")
    headers: dict[str, SecretStr] = Field(description="Further headers of the connection, such as Azure's `api-key`.")
    query: dict[str, str] = Field(description="Further query parameters, such as Azure's `api-version`.")
    allow_anonymous: bool = Field(description="Relay for clients without a key when this server has no keys.")
    connect_s: float = Field(gt=0, le=120, description="Seconds until its `session.created` must have come.")
    retry_s: float = Field(ge=0, le=600, description="Seconds for which a lost connection is tried again.")
    rollover_min: float = Field(ge=0, description="Minutes after which a connection is replaced; 0 is never.")
    failover: Literal["", "embedded", "hybrid", "scripted"] = Field(
        description="Pipeline that goes on where it cannot be reached; empty: the session ends."
    )


class Tools(Section):
    """Functions that run on this server: the model may call them, and clients never see the calls."""

    modules: Names = Field(description="Python modules that register functions with `server_tool`, or `.py` files.")
    timeout_s: float = Field(gt=0, le=600, description="Seconds that a call may take.")


class Hosted(Section):
    """Credentials and names for hosted engines; read so that nothing else asks for them, spent by nothing here."""

    api_key: SecretStr = Field(description="`OPENAI_API_KEY`; a credential alone never makes a request.")
    realtime_model: str = Field(description="`OPENAI_REALTIME_MODEL`.")
    transcription_model: str = Field(description="`OPENAI_TRANSCRIPTION_MODEL`.")


class Configuration(Section):
    """The whole configuration."""

    server: Server
    limits: Limits
    budgets: Budgets
    engines: Engines
    mcp: Mcp
    models: Models
    scripted: Scripted
    session: SessionDefaults
    hosted: Hosted
    upstream: Upstream
    tools: Tools
    hybrid: Hybrid
    prompts_dir: OptionalPath = Field(description="Folder of stored prompts: ID.md, ID@VERSION.md; empty: none.")
    data_dir: OptionalPath = Field(description="Folder for what the server keeps; empty: the user's data folder.")
    assets_dir: OptionalPath = Field(description="Folder for model files; empty: the user's cache folder.")

    @model_validator(mode="after")
    def _names_each_model_once(self) -> Self:
        for name in self.hybrid.models:
            if name in self.models.table or name == HYBRID_MODEL:
                raise ValueError(f"hybrid.models.{name}: expected a name that models.table does not hold")
        return self

    @model_validator(mode="after")
    def _serves_the_default(self) -> Self:
        if self.engines.default == "upstream":
            if not self.upstream.url:
                raise ValueError("engines.default 'upstream' needs upstream.url; 'openai' has the hosted service's")
            return self
        is_named = self.engines.default in self.models.table.values()
        if self.engines.default == "hybrid" and not is_named and HYBRID_MODEL not in self.models.table:
            table = {**self.models.table, HYBRID_MODEL: self.engines.default}
            return self.model_copy(update={"models": self.models.model_copy(update={"table": table})})
        if not is_named:
            raise ValueError(f"no model in models.table uses engines.default {self.engines.default!r}")
        return self

    @property
    def names_other_servers(self) -> bool:
        """Whether something is configured to go to another server: a stage of the hybrid pipeline, or sessions."""
        return bool(self.upstream.url) or any(not stages.is_local for stages in self.hybrid_sections.values())

    @property
    def hybrid_sections(self) -> dict[str, HybridStages]:
        """Return the stages of the hybrid pipeline, and those of each model of its own, by the key of their section."""
        models = {f"hybrid.models.{name}": stages for name, stages in self.hybrid.models.items()}
        return {"hybrid": self.hybrid, **models}

    @property
    def served_by(self) -> dict[str, str]:
        """Return what serves each model that can be named: a pipeline, or a section of `hybrid_sections`."""
        return {**self.models.table, **{name: f"hybrid.models.{name}" for name in self.hybrid.models}}

    @property
    def local_default(self) -> EngineName:
        """The default pipeline; where sessions are relayed by default, the first of the table that is local."""
        if self.engines.default != "upstream":
            return self.engines.default
        return next((engine for engine in self.models.table.values() if engine != "upstream"), "embedded")

    @property
    def default_model(self) -> str:
        """The first model of the table that the default pipeline serves."""
        return next((name for name, engine in self.models.table.items() if engine == self.local_default), "default")
