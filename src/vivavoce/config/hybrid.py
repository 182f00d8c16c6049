"""The sections of the hybrid pipeline: which stages other servers with an OpenAI-compatible API do, and how.

A stage with the engine `local` is the embedded pipeline's own; its other keys are then unused.
"""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

from vivavoce.config.section import Section, split_list

STAGES: Final = ("transcriber", "generator", "synthesizer")
LOCAL: Final = "local"

Hint = Literal["keywords", "languages", "delay"]
Hints = Annotated[tuple[Hint, ...], NoDecode, BeforeValidator(split_list)]
Extra = dict[str, Any]  # JSON boundary: fields of requests that only the other server knows


class Stage(Section):
    """What all stages have in common: the server that does the work, and how long it may take."""

    base_url: str = Field(description="Base of the server's API, mostly ending in `/v1`.")
    api_key: SecretStr = Field(description="Key for it; empty: none, or `hosted.api_key` if it is api.openai.com.")
    model: str = Field(description="Model that the server is asked for.")
    headers: dict[str, SecretStr] = Field(description="Further headers of each request, such as Azure's `api-key`.")
    query: dict[str, str] = Field(description="Query parameters of each request, such as Azure's `api-version`.")
    connect_s: float = Field(gt=0, le=60, description="Seconds until the connection must stand.")
    first_s: float = Field(gt=0, le=600, description="Seconds from the request to the first of the answer.")
    silence_s: float = Field(gt=0, le=600, description="Seconds from one piece of the answer to the next.")
    total_s: float = Field(gt=0, le=3600, description="Seconds of waiting for an answer altogether.")
    max_connections: int = Field(ge=1, le=1000, description="Requests at once; `hosted-realtime`: one per speaker.")
    checks_models: bool = Field(description="Ask for `/models` at the start, and fail if that fails.")


class HybridTranscriber(Stage):
    """Speech to text."""

    engine: Literal["local", "hosted-realtime", "transcriptions"] = Field(
        description="`hosted-realtime`: a Realtime transcription session; `transcriptions`: `/audio/transcriptions`."
    )
    models: dict[str, str] = Field(
        description="Names that sessions may give as `transcription.model`, and the server's for them."
    )
    takes_prompt: bool = Field(description="Send the session's prompt; known models that take none get none.")
    hints: Hints = Field(description="What the model takes besides: `keywords`, `languages`, `delay`.")
    streams: bool = Field(description="Ask for the transcript while it is written (`transcriptions`).")
    has_word_times: bool = Field(description="Ask for word times, without streaming (`transcriptions`).")
    max_utterance_s: float = Field(gt=0, le=3600, description="Seconds of an utterance at most (`transcriptions`).")
    final_s: float = Field(gt=0, le=120, description="Seconds to the transcript after speech (`hosted-realtime`).")
    keeps_s: float = Field(ge=0, le=3600, description="Seconds a session waits for more speech (`hosted-realtime`).")
    extra: dict[str, str] = Field(description="Further fields of each request (`transcriptions`).")

    @model_validator(mode="after")
    def _knows_what_it_takes(self) -> Self:
        if self.engine == "transcriptions" and "delay" in self.hints:
            raise ValueError("the hint 'delay' exists for the engine hosted-realtime only")
        if self.engine == "hosted-realtime" and self.extra:
            raise ValueError("extra fields exist for the engine transcriptions only")
        return self


class HybridGenerator(Stage):
    """The model that answers."""

    engine: Literal["local", "chat-completions", "responses"] = Field(
        description="`chat-completions` for `/chat/completions`, `responses` for `/responses`."
    )
    sees_images: bool = Field(description="The model takes pictures.")
    context_tokens: int = Field(ge=0, description="Input tokens that it takes; 0: `engines.context_tokens`.")
    asks_usage: bool = Field(description="Ask for token counts (`chat-completions`); a few servers refuse that.")
    extra: Extra = Field(description="Further fields of each request, such as `temperature`.")


class HybridSynthesizer(Stage):
    """Text to speech."""

    engine: Literal["local", "speech"] = Field(description="`speech` for `/audio/speech`.")
    voices: dict[str, str] = Field(description="Voices of sessions and the server's for them; `*` for all others.")
    format: Literal["pcm", "wav"] = Field(description="What to ask for.")
    rate_hz: int = Field(ge=8000, le=48_000, description="Rate of `pcm` where the answer names none.")
    takes_speed: bool = Field(description="Send the session's speed.")
    max_characters: int = Field(ge=100, le=100_000, description="Characters of one request at most.")
    extra: Extra = Field(description="Further fields of each request, such as `instructions`.")


class HybridStages(Section):
    """What does each stage for the sessions of a model."""

    transcriber: HybridTranscriber
    generator: HybridGenerator
    synthesizer: HybridSynthesizer

    @property
    def stages(self) -> dict[str, HybridTranscriber | HybridGenerator | HybridSynthesizer]:
        """Return the stages by name, in the order of a turn."""
        return {"transcriber": self.transcriber, "generator": self.generator, "synthesizer": self.synthesizer}

    @property
    def is_local(self) -> bool:
        """Whether no stage is done by another server."""
        return all(stage.engine == LOCAL for stage in self.stages.values())


class Hybrid(HybridStages):
    """The hybrid pipeline, stage by stage, and the models for which stages differ."""

    models: dict[Annotated[str, Field(min_length=1)], HybridStages] = Field(
        description="Models that sessions may name besides, and the keys of their stages that differ."
    )

    @model_validator(mode="before")
    @classmethod
    def _completes_models(cls, given: Any) -> Any:  # JSON boundary: values as a file or the environment wrote them
        models = given.get("models") if isinstance(given, dict) else None
        if not isinstance(models, dict):
            return given
        return {**given, "models": {name: _completed(stages, given) for name, stages in models.items()}}


def _completed(stages: Any, base: Extra) -> Any:  # JSON boundary
    """Return the stages of a model with what it does not say taken from the pipeline's own."""
    if not isinstance(stages, dict):
        return stages
    return {**{name: base[name] for name in STAGES if name in base}, **_completed_stages(stages, base)}


def _completed_stages(stages: Extra, base: Extra) -> Extra:
    return {name: _completed_stage(stage, base.get(name)) for name, stage in stages.items()}


def _completed_stage(stage: Any, base: Any) -> Any:  # JSON boundary
    if not isinstance(stage, dict) or not isinstance(base, dict):
        return stage
    is_elsewhere = stage.get("base_url", base.get("base_url")) != base.get("base_url")
    # What lets us in at one server is nothing that another should see.
    credentials = {"api_key": "", "headers": {}, "query": {}} if is_elsewhere else {}
    return {**base, **credentials, **stage}
