"""Builds the stages of the hybrid pipeline that are done by other servers. No request is made here."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec
from pydantic import SecretStr

from vivavoce.config.hybrid import LOCAL, HybridStages, HybridTranscriber, Stage
from vivavoce.config.load import ConfigurationError
from vivavoce.config.model import Configuration, Hosted
from vivavoce.engines.base import Generator, Synthesizer, Transcriber
from vivavoce.engines.compatible.settings import CompatibleServer, Timeouts

HOSTED_HOST: Final = "api.openai.com"  # and its regional names, such as eu.api.openai.com


class Plan(msgspec.Struct, frozen=True):
    """What does the stages for the sessions of some models. `key` names the section where that stands."""

    key: str
    stages: HybridStages
    hosted: Hosted


def plan_of(key: str, configuration: Configuration) -> Plan:
    """Return the stages of a section; `key` is one of `Configuration.hybrid_sections`.

    Raises:
        ConfigurationError: all stages are local, which would be the embedded pipeline by another name; or the voice
            that sessions begin with is none of the synthesizer's.
    """
    plan = Plan(key, configuration.hybrid_sections[key], configuration.hosted)
    if plan.stages.is_local:
        keys = ", ".join(f"{key}.{name}.engine" for name in plan.stages.stages)
        raise ConfigurationError(f"{keys}: expected one of them to be other than {LOCAL!r}.")
    _check_voices(plan, configuration.session.voice)
    return plan


def _check_voices(plan: Plan, first: str) -> None:
    stage = plan.stages.synthesizer
    if stage.engine != LOCAL and stage.voices and first not in stage.voices and "*" not in stage.voices:
        key = f"{plan.key}.synthesizer.voices"
        raise ConfigurationError(f"{key}: expected {first!r}, which session.voice names, or '*'.")


def transcriber(plan: Plan) -> Transcriber | None:
    """Return the configured transcriber, not started; None for the local one.

    Raises:
        ConfigurationError: it cannot be asked; the message names the key.
    """
    stage = plan.stages.transcriber
    if stage.engine == LOCAL:
        return None
    fallback = plan.hosted.transcription_model if is_hosted(stage.base_url) else ""
    model = stage.model or fallback
    server = _server(f"{plan.key}.transcriber", stage, model, plan.hosted)
    return _realtime(stage, server, model) if stage.engine == "hosted-realtime" else _files(stage, server, model)


def generator(plan: Plan) -> Generator | None:
    """Return the configured generator, not started; None for the local one. Raises as `transcriber`."""
    stage = plan.stages.generator
    if stage.engine == LOCAL:
        return None
    from vivavoce.engines.llm.chat_completions import chat_completions_generator
    from vivavoce.engines.llm.compatible_generator import GeneratorSettings
    from vivavoce.engines.llm.responses_api import responses_generator

    make = chat_completions_generator if stage.engine == "chat-completions" else responses_generator
    return make(
        GeneratorSettings(
            server=_server(f"{plan.key}.generator", stage, stage.model, plan.hosted),
            model=stage.model,
            name=stage.engine,
            sees_images=stage.sees_images,
            context_tokens=stage.context_tokens or None,
            asks_usage=stage.asks_usage,
            extra=stage.extra,
        )
    )


def synthesizer(plan: Plan) -> Synthesizer | None:
    """Return the configured synthesizer, not started; None for the local one. Raises as `transcriber`."""
    stage = plan.stages.synthesizer
    if stage.engine == LOCAL:
        return None
    from vivavoce.engines.tts.speech_api import SpeechSettings, SpeechSynthesizer

    return SpeechSynthesizer(
        SpeechSettings(
            server=_server(f"{plan.key}.synthesizer", stage, stage.model, plan.hosted),
            model=stage.model,
            voices=tuple(stage.voices.items()),
            format=stage.format,
            rate_hz=stage.rate_hz,
            takes_speed=stage.takes_speed,
            max_characters=stage.max_characters,
            extra=stage.extra,
        )
    )


def _realtime(stage: HybridTranscriber, server: CompatibleServer, model: str) -> Transcriber:
    from vivavoce.engines.stt.hosted_realtime import HostedRealtimeSettings, HostedRealtimeTranscriber

    return HostedRealtimeTranscriber(
        HostedRealtimeSettings(
            server=server,
            model=model,
            models=tuple(stage.models.items()),
            final_s=stage.final_s,
            keeps_s=stage.keeps_s,
            takes_prompt=stage.takes_prompt,
            hints=stage.hints,
        )
    )


def _files(stage: HybridTranscriber, server: CompatibleServer, model: str) -> Transcriber:
    from vivavoce.engines.stt.transcriptions import TranscriptionsSettings, TranscriptionsTranscriber

    return TranscriptionsTranscriber(
        TranscriptionsSettings(
            server=server,
            model=model,
            models=tuple(stage.models.items()),
            streams=stage.streams,
            has_word_times=stage.has_word_times,
            takes_prompt=stage.takes_prompt,
            hints=stage.hints,
            max_utterance_s=stage.max_utterance_s,
            extra=tuple(stage.extra.items()),
        )
    )


# The server of a stage ----------------------------------------------------------------------------------------


def is_hosted(base_url: str) -> bool:
    """Tell whether an address is the hosted service's, so that its key may go there."""
    try:
        url = urlsplit(base_url)
        host, port = url.hostname or "", url.port
    except ValueError:
        return False
    return url.scheme == "https" and port in (None, 443) and (host == HOSTED_HOST or host.endswith(f".{HOSTED_HOST}"))


def _server(key: str, stage: Stage, model: str, hosted: Hosted) -> CompatibleServer:
    if not stage.base_url:
        raise ConfigurationError(f"{key}.base_url: expected the address of the stage's server.")
    if not model:
        raise ConfigurationError(f"{key}.model: expected the name of a model for the stage's server.")
    try:
        return CompatibleServer(
            base_url=stage.base_url,
            api_key=_key(stage, hosted.api_key),
            headers=_shown(stage.headers),
            query=tuple(stage.query.items()),
            timeouts=Timeouts(stage.connect_s, stage.first_s, stage.silence_s, stage.total_s),
            max_connections=stage.max_connections,
            checks_models=stage.checks_models,
        )
    except ValueError as error:
        raise ConfigurationError(f"{key}.{error}.") from error


def _key(stage: Stage, hosted_key: SecretStr) -> str:
    """Return the stage's key; the hosted service's own goes to nobody else, and not beside other credentials."""
    own = stage.api_key.get_secret_value()
    has_credentials = any(header.lower() in ("authorization", "api-key") for header in stage.headers)
    return own if own or has_credentials or not is_hosted(stage.base_url) else hosted_key.get_secret_value()


def _shown(headers: Mapping[str, SecretStr]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value.get_secret_value()) for name, value in headers.items())
