"""How soon a configured upstream answers: connected, greeted, and asked one short question in text."""

import asyncio
import contextlib
import time
from typing import Final

import msgspec

from vivavoce.cli.checks import CheckFailed
from vivavoce.cli.elsewhere import place_of, reach, unmeasured
from vivavoce.cli.measuring import Figure, Measurement, within_limit
from vivavoce.config.model import Configuration
from vivavoce.core.relay.vocabulary import UpstreamFault
from vivavoce.runtime.upstreams import UpstreamConnector, UpstreamLink, UpstreamRequest, UpstreamUnavailable
from vivavoce.transports.upstream_websocket import UpstreamWebSocket
from vivavoce.wiring.relay import upstream_settings

USUAL_MODEL: Final = "gpt-realtime"
QUESTION: Final = "Say hello in one word."
_FIRST_WORDS: Final = ("response.output_text.delta", "response.output_audio_transcript.delta")


class _Event(msgspec.Struct):
    """The fields of a server event that matter here."""

    type: str = ""
    error: dict[str, object] | None = None
    response: dict[str, object] | None = None


class Inbox:
    """What came on a link; see UpstreamListener. `None` says that it is closed."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[_Event | None] = asyncio.Queue()

    def receive(self, message: bytes) -> None:
        """See UpstreamListener; what is no event is passed over."""
        with contextlib.suppress(msgspec.DecodeError):
            self._events.put_nowait(msgspec.json.decode(message, type=_Event))

    def link_failed(self, fault: UpstreamFault) -> None:
        """See UpstreamListener; `link_closed` follows."""

    def block_writing(self) -> None:
        """See UpstreamListener: one question fits any buffer."""

    def unblock_writing(self) -> None:
        """See UpstreamListener."""

    def link_closed(self, code: int, reason: str) -> None:
        """See UpstreamListener."""
        self._events.put_nowait(None)

    async def until(self, *types: str) -> None:
        """Return when an event of one of the types came. Raises CheckFailed for an error, or a link that closed."""
        async with within_limit(f"the upstream's {types[0]}"):
            while (event := await self._events.get()) is not None:
                if event.error is not None:
                    raise CheckFailed(f"the upstream refuses: {event.error.get('message')}")
                if event.type in types:
                    return
                if event.type == "response.done":
                    raise CheckFailed("the upstream's answer has no words")
        raise CheckFailed("the upstream closed the connection")


async def measure_upstream(configuration: Configuration, *, may_spend: bool) -> Measurement:
    """Return what the upstream takes for a connection and for its first words.

    Unless `may_spend`, one on another network is only reached for, and nothing is sent to it.

    Raises:
        CheckFailed: it cannot be reached, refuses, or does not answer.
        ConfigurationError: it cannot be addressed, or is this server itself.
    """
    place = place_of(configuration.upstream.url)
    if not may_spend and not place.is_near:
        detail = unmeasured(await reach(place))
        return Measurement(stage="upstream", engine=str(place), state="not measured", detail=detail)
    connector = UpstreamWebSocket(upstream_settings(configuration))
    try:
        figures = await _ask(connector, _model(configuration))
    except UpstreamUnavailable as error:
        raise CheckFailed(str(error)) from error
    finally:
        await connector.close()
    return Measurement(stage="upstream", engine=str(place), state="measured", figures=figures)


def _model(configuration: Configuration) -> str:
    plain = (name for name in configuration.upstream.models if "*" not in name)
    return configuration.upstream.model or configuration.hosted.realtime_model or next(plain, USUAL_MODEL)


async def _ask(connector: UpstreamConnector, model: str) -> tuple[Figure, ...]:
    inbox = Inbox()
    began_s = time.perf_counter()
    link = await connector.connect(UpstreamRequest(model), inbox)
    try:
        await inbox.until("session.created")
        greeted_s = time.perf_counter() - began_s
        _send_question(link)
        asked_s = time.perf_counter()
        await inbox.until(*_FIRST_WORDS)
        answered_s = time.perf_counter() - asked_s
    finally:
        link.close()
    return (
        Figure("connected and greeted", round(1000 * greeted_s, 1), "ms"),
        Figure("first words", round(1000 * answered_s, 1), "ms"),
    )


def _send_question(link: UpstreamLink) -> None:
    content = [{"type": "input_text", "text": QUESTION}]
    item = {"type": "message", "role": "user", "content": content}
    response = {"output_modalities": ["text"], "max_output_tokens": 50}
    for event in (
        {"type": "conversation.item.create", "item": item},
        {"type": "response.create", "response": response},
    ):
        link.send(msgspec.json.encode(event))
