"""The script that the scripted engines follow: what is heard, what is answered, how it sounds.

A script is data (TOML or JSON), decoded strictly: an unknown key or a value out of range is a `ScriptError` that
names its place. The format is documented in docs/guides/scripted.md.
"""

import asyncio
import re
from typing import Annotated, Any, Final, Literal

import msgspec

from vivavoce.core.requests import SpokenPart, Word
from vivavoce.engines.base import EngineError

MARKER: Final = "vivavoce-script"
MAX_SCRIPT_CHARS: Final = 1024 * 1024  # as large as the longest instructions of a session

Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=3_600_000)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class ScriptError(ValueError):
    """A script could not be read; the message names the key, what was expected and what came."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all parts of a script share: they are strict about their keys."""


class Failure(_Part, frozen=True):
    """A failure to inject; it becomes an `EngineError` of the engine that meets it."""

    message: str = "the script asks for this failure"
    code: Literal["engine_unavailable", "engine_timeout", "server_error"] = "server_error"
    is_retryable: bool = False

    def as_error(self, engine: str) -> EngineError:
        """The error that the engine raises or delivers."""
        return EngineError(engine, self.message, code=self.code, is_retryable=self.is_retryable)


class PartialText(_Part, frozen=True):
    """A transcript in progress, delivered when `at_ms` of the utterance's audio has been fed."""

    text: str
    stable: str = ""
    at_ms: Milliseconds = 0


class Heard(_Part, frozen=True):
    """What the transcriber makes of one utterance.

    Without `partials` the text grows by a word every 200 ms of audio; without `words` the words are spread evenly
    over the audio. `delay_ms` passes between the end of the utterance and its transcript.
    """

    text: str = ""
    partials: tuple[PartialText, ...] | None = None
    words: tuple[Word, ...] | None = None
    parts: tuple[SpokenPart, ...] = ()  # who said what, for clients that show speakers
    delay_ms: Milliseconds = 0
    failure: Failure | None = None


class Piece(_Part, frozen=True):
    """A piece of the answer's text, written after `delay_ms`."""

    text: str
    delay_ms: Milliseconds = 0


class Call(_Part, frozen=True):
    """A function call, made after `delay_ms`. `arguments` given as a string is sent as it is, valid JSON or not."""

    name: str
    arguments: dict[str, Any] | str = {}  # JSON boundary: whatever the client's function takes
    delay_ms: Milliseconds = 0


class Answer(_Part, frozen=True):
    """What the generator does in one response: text, then calls, then perhaps a failure.

    An answer with nothing in it is an empty response. `is_endless` repeats the text until it is cancelled.
    """

    say: str | tuple[str | Piece, ...] = ()
    calls: tuple[Call, ...] = ()
    failure: Failure | None = None
    is_endless: bool = False
    reason: Literal["stop", "max_output_tokens", "content_filter"] = "stop"
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cached_tokens: Count = 0  # of the input tokens

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """`say` in its long form."""
        said = (self.say,) if isinstance(self.say, str) else self.say
        return tuple(Piece(part) if isinstance(part, str) else part for part in said)


class Turn(Answer, frozen=True):
    """One turn of the conversation: what is heard, and the answer to it; `then` answers the outputs of its calls.

    The turn applies by `number` (counted from 1), by `contains` (text in the user's last message, in any case) or by
    `match` (a regular expression searched there, script files only). A turn with none of the three has the number
    of its place among such turns.
    """

    number: Count | None = None
    contains: str | None = None
    match: str | None = None
    heard: str | Heard | None = None
    then: tuple[Answer, ...] = ()

    @property
    def hearing(self) -> Heard | None:
        """`heard` in its long form."""
        return Heard(self.heard) if isinstance(self.heard, str) else self.heard


class Voice(_Part, frozen=True):
    """How the synthesizer sounds: each word is a tone or a burst of noise, followed by a gap.

    `pace` is how fast audio is made compared with real time; 0 makes it at once. `fails_after_words` words are
    spoken before `failure`.
    """

    sound: Literal["tone", "noise"] = "tone"
    word_ms: Annotated[int, msgspec.Meta(ge=1, le=60_000)] = 200
    gap_ms: Milliseconds = 50
    chunk_ms: Annotated[int, msgspec.Meta(ge=1, le=60_000)] = 100
    amplitude: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.3
    pace: Annotated[float, msgspec.Meta(ge=0, le=1000)] = 0.0
    delay_ms: Milliseconds = 0
    failure: Failure | None = None
    fails_after_words: Count = 0


class Utterance(_Part, frozen=True):
    """One stretch of speech as the translator takes it: after `audio_ms` of input come its words in the source
    language, their translation, and a tone of the same length; then perhaps a failure.

    `{language}` in `target` stands for the target language.
    """

    source: str = ""
    target: str = ""
    audio_ms: Annotated[int, msgspec.Meta(ge=1, le=3_600_000)] = 1_000
    failure: Failure | None = None


class Score(_Part, frozen=True):
    """The detector's probability from a sample (16 kHz, counted from the start of the stream) until the next score."""

    from_sample: Annotated[int, msgspec.Meta(ge=0)]
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)]


class Detection(_Part, frozen=True):
    """How the detector tells speech: by `scores` if given, else a window whose RMS (of full scale) reaches
    `threshold_rms` is speech."""

    threshold_rms: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.01  # -40 dBFS: above a quiet room, below speech
    scores: tuple[Score, ...] = ()


class Script(_Part, frozen=True):
    """Everything the scripted engines do. The default script transcribes "scripted turn N" and echoes.

    `otherwise` answers where no turn applies; without it the generator echoes. The n-th utterance of a translation is
    the n-th of `translations`; after the last one every second of audio is "scripted source N".
    """

    turns: tuple[Turn, ...] = ()
    otherwise: Answer | None = None
    translations: tuple[Utterance, ...] = ()
    voice: Voice = Voice()
    detector: Detection = Detection()


def load_script(text: str, format: Literal["toml", "json"] = "toml") -> Script:
    """Decode a script.

    Raises:
        ScriptError: the text is not valid TOML or JSON, or not a script.
    """
    if len(text) > MAX_SCRIPT_CHARS:
        raise ScriptError(f"a script has at most {MAX_SCRIPT_CHARS} characters, got {len(text)}")
    try:
        script = _decode(text, format)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ScriptError(f"the script is not valid: {error}") from error
    _check_turns(script.turns)
    _check_scores(script.detector.scores)
    return script


def _decode(text: str, format: Literal["toml", "json"]) -> Script:
    if format == "json":
        return msgspec.json.decode(text.encode(), type=Script)
    return msgspec.toml.decode(text, type=Script)


def _check_turns(turns: tuple[Turn, ...]) -> None:
    for place, turn in enumerate(turns):
        if sum(rule is not None for rule in (turn.number, turn.contains, turn.match)) > 1:
            raise ScriptError(f"turns[{place}]: expected at most one of `number`, `contains` and `match`")
        if turn.match is not None:
            _check_pattern(turn.match, f"turns[{place}].match")


def _check_pattern(pattern: str, key: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ScriptError(f"{key}: expected a regular expression, got {pattern!r}: {error}") from error


def _check_scores(scores: tuple[Score, ...]) -> None:
    starts = [score.from_sample for score in scores]
    if starts != sorted(set(starts)):
        raise ScriptError(f"detector.scores: expected `from_sample` to grow, got {starts[:20]}")


async def pause(delay_ms: float) -> None:
    """Let a scripted delay pass on the running loop's clock, and let others run even if it is 0."""
    await asyncio.sleep(delay_ms / 1000)  # noqa: TID251 - the delay is what the script asks for


def turn_numbered(script: Script, number: int) -> Turn | None:
    """The turn that applies by its number or its place."""
    place = 0
    for turn in script.turns:
        is_placed = turn.number is None and turn.contains is None and turn.match is None
        place += is_placed
        if turn.number == number or (is_placed and place == number):
            return turn
    return None


def turn_about(script: Script, user_text: str) -> Turn | None:
    """The first turn whose `contains` or `match` fits the text."""
    folded = user_text.casefold()
    for turn in script.turns:
        if turn.contains is not None and turn.contains.casefold() in folded:
            return turn
        if turn.match is not None and re.search(turn.match, user_text, re.IGNORECASE):
            return turn
    return None


def script_in_instructions(text: str, engine: str) -> Script | None:
    """The script that a client wrote into its instructions, None without one.

    Raises:
        EngineError: the script is not valid, or has keys that cannot take effect there: `match` (a hostile
            expression would block the server), `heard`, `voice`, `detector`.
    """
    return _script_in(text, engine, ("match", "heard"))


def script_in_prompt(text: str, engine: str) -> Script | None:
    """The script that a client wrote into its transcription prompt, None without one.

    Raises:
        EngineError: the script is not valid, or has other keys than `heard` and `number` in its turns.
    """
    return _script_in(text, engine, ("match", "contains", "say", "calls", "failure", "is_endless", "then"))


# A line `vivavoce-script: {json}`, or a fenced block of JSON with `vivavoce-script` as its language.
_MARKED: Final = re.compile(
    rf"^[ \t]*(?:```{MARKER}[ \t]*\n(?P<block>.*?)```|{MARKER}:(?P<line>[^\n]*))", re.MULTILINE | re.DOTALL
)


def _script_in(text: str, engine: str, refused: tuple[str, ...]) -> Script | None:
    found = _MARKED.search(text) if MARKER in text else None
    if found is None:
        return None
    try:
        script = load_script(found["block"] or found["line"] or "", "json")
        _refuse(script, refused)
    except ScriptError as error:
        raise EngineError(engine, f"{MARKER}: {error}", code="server_error") from error
    return script


def _refuse(script: Script, refused: tuple[str, ...]) -> None:
    """Refuse what would otherwise be ignored without a word."""
    plain = Turn()
    for place, turn in enumerate(script.turns):
        for key in refused:
            if getattr(turn, key) != getattr(plain, key):
                raise ScriptError(f"turns[{place}].{key}: has no effect here, see docs/guides/scripted.md")
    for key in ("translations", "voice", "detector"):
        if getattr(script, key) != getattr(Script(), key):
            raise ScriptError(f"{key}: allowed in script files only, it has no effect here")
