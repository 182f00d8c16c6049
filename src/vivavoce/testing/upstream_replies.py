"""What a scripted upstream says: data only, changed by tests at any time."""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

import msgspec

Json = dict[str, Any]  # JSON boundary: events and objects of the wire

AUDIO_PER_DELTA_MS: Final = 100


class Say(msgspec.Struct, frozen=True):
    """A message of the assistant: each word is a delta, spoken ones have 100 ms of audio each."""

    text: str = "Hello there, this is the reply."
    phase: str | None = None


class Call(msgspec.Struct, frozen=True):
    """A call of a function; `arguments` come in two deltas."""

    name: str
    arguments: str = "{}"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What one response does. It runs at once, to its end or to where it is held; `release` lets it go on."""

    outputs: tuple[Say | Call, ...] = (Say(),)
    hold_after: int | None = None  # deltas; 0: after `response.created`
    is_withheld: bool = False  # not even `response.created` is sent before the release
    overlaps: bool = False  # all items open before the first closes
    failure: Json | None = None  # `status_details.error`: the response fails after its outputs


class Script(msgspec.Struct):
    """What the sessions of an upstream do; replies and transcripts are taken from the left, then the default."""

    reply: Reply = Reply()
    replies: deque[Reply] = msgspec.field(default_factory=deque)
    transcript: str = "hello"
    transcripts: deque[str] = msgspec.field(default_factory=deque)
    holds_transcripts: bool = False  # they come with `UpstreamSession.release_transcripts`
    session: Json = msgspec.field(default_factory=dict)  # merged into every session at its start
    chooses: Callable[[Json], Reply | None] | None = None  # by the `response` of a request, before all else

    def next_reply(self, request: Json) -> Reply:
        """Return what the response to a request does."""
        chosen = self.chooses(request) if self.chooses is not None else None
        if chosen is not None:
            return chosen
        return self.replies.popleft() if self.replies else self.reply

    def next_transcript(self) -> str:
        """Return what the next utterance said."""
        return self.transcripts.popleft() if self.transcripts else self.transcript
