"""All that a local session knows: its machines side by side, and the facts that rules have still to act on."""

from collections import deque

import msgspec
from msgspec import UNSET

from vivavoce.core.conversation import Conversation
from vivavoce.core.emitter import Emitter
from vivavoce.core.lifecycle import Lifecycle
from vivavoce.core.listening import Listening
from vivavoce.core.playout import Playout
from vivavoce.core.policy import SessionPolicy
from vivavoce.core.rate_limits import RateLimits
from vivavoce.core.requests import FunctionSpec
from vivavoce.core.response import Response
from vivavoce.core.spending import NO_SPENDING, PaidModels, Spending
from vivavoce.core.tools import ToolLedger
from vivavoce.core.transcripts import Transcripts
from vivavoce.core.vocabulary import EngineFault
from vivavoce.protocol.extensions import SessionExtension
from vivavoce.protocol.session import RealtimeSession
from vivavoce.protocol.session_fields import EffectiveSession, SessionKind, as_kind


class SpeechBegan(msgspec.Struct, frozen=True):
    """The detector heard the user begin to speak at this sample."""

    onset_sample: int


class SpeechEnded(msgspec.Struct, frozen=True):
    """The detector ended the user's turn at this sample."""

    end_sample: int


class UtteranceCommitted(msgspec.Struct, frozen=True):
    """User audio became an item. `wants_answer`: the turn detection asks for an automatic response."""

    item_id: str
    wants_answer: bool


class TranscriptSettled(msgspec.Struct, frozen=True):
    """An utterance's words are final, or will never be known."""

    item_id: str
    text: str
    fault: EngineFault | None


class UserIdle(msgspec.Struct, frozen=True):
    """The user said nothing for the idle timeout; the silence ends at this sample."""

    end_sample: int


Fact = SpeechBegan | SpeechEnded | UtteranceCommitted | TranscriptSettled | UserIdle


class Pending(msgspec.Struct, frozen=True):
    """An automatic response that waits for the transcript of the utterance it answers."""

    item_id: str
    deadline: float


class Responding:
    """The live responses; at most one of them, `active`, writes to the conversation."""

    def __init__(self) -> None:
        self.live: dict[str, Response] = {}
        self.active: Response | None = None
        self.pending: Pending | None = None
        self.finished_count = 0  # of responses that wrote to the conversation
        self.has_spoken = False  # audio went out: the voice is fixed

    def forget(self, response: Response) -> None:
        """Drop a response that has ended."""
        del self.live[response.id]
        if response is self.active:
            self.active = None
            self.finished_count += 1


class Profile(msgspec.Struct, frozen=True):
    """What a session is from its first moment on: its kind, what the server allows it, the limits of its key."""

    kind: SessionKind
    policy: SessionPolicy
    limits: RateLimits
    instructions: str  # before the client has set any
    spending: Spending = NO_SPENDING
    paid: PaidModels = PaidModels()
    functions: tuple[FunctionSpec, ...] = ()  # of the server; it calls them itself, and the client never sees them


class Span(msgspec.Struct, frozen=True):
    """When a session opened and when it expires, in monotonic seconds; None: never."""

    opened_at: float = 0.0
    expires_at: float | None = None


class SessionState:
    """The machines of one session. `session` is the effective configuration, held as that of a conversation."""

    def __init__(self, session: RealtimeSession, profile: Profile, out: Emitter) -> None:
        self.session = session
        self.profile = profile
        self.out = out
        self.lifecycle = Lifecycle.CREATED
        self.span = Span()
        self.listening = Listening()
        self.conversation = Conversation(out.make_id("conv"))
        self.transcripts = Transcripts()
        self.responding = Responding()
        self.playout = Playout()
        self.tools = ToolLedger()
        self.facts: deque[Fact] = deque()

    @property
    def shows_cost(self) -> bool:
        """Whether the client wants to know what the session costs."""
        return isinstance(self.session.vivavoce, SessionExtension) and self.session.vivavoce.cost is not UNSET

    def shown_session(self, now: float) -> EffectiveSession:
        """Return the session as its kind shows it."""
        session, extension = self.session, self.session.vivavoce
        if isinstance(extension, SessionExtension) and extension.cost is not UNSET:
            extension = msgspec.structs.replace(extension, cost=self.profile.spending.report(now))
            session = msgspec.structs.replace(session, vivavoce=extension)
        return as_kind(session, self.profile.kind)
