"""What a client sends, on its way into the session: user audio passes the noise reduction here, in order.

Theory of operation. Without noise reduction every input passes straight through. With it, each append is decoded,
cleaned and encoded again, so that buffer, detector, recogniser and `retrieve` all have the same audio. The stream
withholds a few milliseconds; they are handed on before a commit, a clear and a change of the audio settings, so that
nothing that was appended is missing and the sample clock never drifts.

One turn of the event loop cleans at most `TURN_MS` of a session's audio. What is more waits for the next turn, and
the session's later inputs wait behind it. An append stays one input, however long it is.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import UNSET

from vivavoce.audio.g711 import decode_alaw, decode_mulaw, encode_alaw, encode_mulaw
from vivavoce.core.requests import SAMPLE_RATE_HZ, AudioEncoding
from vivavoce.core.vocabulary import ClientRejected, FromClient, Input, ReduceNoise
from vivavoce.engines.base import EngineError, NoiseReducer, NoiseReducerStream
from vivavoce.protocol.client_events import (
    InputAudioBufferAppend,
    InputAudioBufferClear,
    InputAudioBufferCommit,
    SessionUpdate,
)
from vivavoce.protocol.errors import ErrorDetail

_log = logging.getLogger(__name__)

TURN_MS: Final = 60  # of audio: RNNoise needs about 2 ms for it
G711_RATE_HZ: Final = 8_000
_SAMPLE_BYTES: Final = {AudioEncoding.PCM: 2, AudioEncoding.PCMU: 1, AudioEncoding.PCMA: 1}
_DECODERS: Final = {AudioEncoding.PCMU: decode_mulaw, AudioEncoding.PCMA: decode_alaw}
_ENCODERS: Final = {AudioEncoding.PCMU: encode_mulaw, AudioEncoding.PCMA: encode_alaw}


def rate_of(encoding: AudioEncoding) -> int:
    """Return the sample rate of a wire encoding."""
    return SAMPLE_RATE_HZ if encoding is AudioEncoding.PCM else G711_RATE_HZ


class WireReducer:
    """A noise reduction stream in a wire encoding; half a sample waits for its other half.

    `unreturned` is the wire audio that went in and has not come out, as it came.
    """

    def __init__(self, stream: NoiseReducerStream, encoding: AudioEncoding) -> None:
        self._stream = stream
        self._width = _SAMPLE_BYTES[encoding]
        self._decode = _DECODERS.get(encoding)
        self._encode = _ENCODERS.get(encoding)
        self._carry = b""
        self.unreturned = b""

    def process(self, audio: bytes) -> bytes:
        """Return cleaned audio, in order; raises what the engine raises."""
        self.unreturned += audio
        whole = self._carry + audio
        fed = whole[: len(whole) - len(whole) % self._width]
        self._carry = whole[len(fed) :]
        return self._returned(self._stream.process(self._decode(fed) if self._decode else fed))

    def flush(self) -> bytes:
        """Return what is withheld, all but half a sample.

        Raises:
            EngineError: not as many samples came out as went in.
        """
        cleaned = self._returned(self._stream.flush())
        if self.unreturned != self._carry:
            raise EngineError("noise_reducer", f"{len(self.unreturned)} bytes of audio were lost", code="server_error")
        return cleaned

    def drop_half_sample(self) -> None:
        """Forget the half sample that waits, if any; only after `flush`."""
        self._carry = self.unreturned = b""

    def close(self) -> None:
        self._stream.close()

    def _returned(self, pcm: bytes) -> bytes:
        cleaned = self._encode(pcm) if self._encode else pcm
        if len(cleaned) > len(self.unreturned):
            raise EngineError("noise_reducer", "more audio came out than went in", code="server_error")
        self.unreturned = self.unreturned[len(cleaned) :]
        return cleaned


class Intake:
    """Takes a client's inputs in order and hands them to `take`, user audio cleaned if the session wants that.

    Engine results, draining and the end of the connection wait for no audio and are not for the intake.
    `take` should have handled an input when it returns, so that `set` comes before the next append.
    An engine that fails is logged and told to the client once; audio then passes as it comes until the next `set`.
    """

    def __init__(self, engine: NoiseReducer | None, take: Callable[[Input], None]) -> None:
        self._engine = engine
        self._take = take
        self._wanted = ReduceNoise(None, AudioEncoding.PCM)
        self._reducer: WireReducer | None = None  # None: audio passes as it comes
        self._waiting: deque[Input] = deque()
        self._waiting_bytes = 0
        self._cleaned: list[bytes] = []  # the beginning of the append that is first in the queue
        self._cleaned_bytes = 0
        self._spent_bytes = 0  # cleaned in this turn of the loop
        self._turn: asyncio.Handle | None = None
        self._is_working = False

    def put(self, input: Input) -> None:
        """Hand an input on after all that were put before: at once, unless audio waits to be cleaned."""
        if self._reducer is None and not self._waiting:
            self._take(input)
            return
        self._waiting.append(input)
        self._waiting_bytes += _audio_bytes(input)
        self._work()

    def set(self, wanted: ReduceNoise) -> None:
        """Clean what is appended from here on as `wanted`; None and strength 0 leave it as it comes."""
        if wanted == self._wanted and self._reducer is not None:
            return
        rest = self._stop()
        if wanted.encoding is not self._wanted.encoding:
            rest = b""  # silence that the change of format discards
        self._wanted = wanted
        if wanted.reduction is not None and wanted.reduction.strength != 0.0:
            self._open(wanted)
        if rest:
            self._take(FromClient(InputAudioBufferAppend(audio=rest)))

    @property
    def pending_ms(self) -> float:
        """Audio that waits to be cleaned."""
        return (self._waiting_bytes - self._cleaned_bytes) / self._bytes_per_ms

    def close(self) -> None:
        """Drop what waits; may be called again. Later inputs pass straight through."""
        self._waiting.clear()
        self._waiting_bytes = 0
        self._forget_cleaned()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._stop()

    @property
    def _bytes_per_ms(self) -> int:
        encoding = self._wanted.encoding
        return rate_of(encoding) // 1000 * _SAMPLE_BYTES[encoding]

    # In order -------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        """Hand on what waits until this turn of the loop has had its share; a put meanwhile only queues."""
        if self._is_working:
            return
        self._is_working = True
        try:
            while self._waiting and self._advance(self._waiting[0]):
                pass
        finally:
            self._is_working = False

    def _advance(self, input: Input) -> bool:
        """Do the next piece of work; return False if it must wait for the next turn."""
        event = input.event if isinstance(input, FromClient) else None
        if self._reducer is None:
            self._hand_on(input)
        elif isinstance(event, InputAudioBufferAppend):
            return self._clean(self._reducer, event)
        else:
            if _ends_a_stretch(event):
                self._flush(self._reducer)
            if isinstance(event, InputAudioBufferClear) and self._reducer is not None:
                self._reducer.drop_half_sample()
            self._hand_on(input)
        return True

    def _hand_on(self, input: Input) -> None:
        if self._waiting:  # not after a close
            self._waiting_bytes -= _audio_bytes(self._waiting.popleft())
        self._forget_cleaned()
        self._take(input)

    def _forget_cleaned(self) -> None:
        self._cleaned = []
        self._cleaned_bytes = 0

    # Cleaning -------------------------------------------------------------------------------------------------

    def _clean(self, reducer: WireReducer, event: InputAudioBufferAppend) -> bool:
        """Clean the next slice of an append and hand the append on when it is complete."""
        room = TURN_MS * self._bytes_per_ms - self._spent_bytes
        if room <= 0:
            return False
        part = event.audio[self._cleaned_bytes : self._cleaned_bytes + room]
        self._spend(len(part))
        self._cleaned_bytes += len(part)
        self._guard(lambda: self._cleaned.append(reducer.process(part)))
        if self._reducer is None:  # it failed: the rest of the append is as it came
            self._cleaned.append(event.audio[self._cleaned_bytes :])
        elif self._cleaned_bytes < len(event.audio):
            return True
        self._hand_on(FromClient(msgspec.structs.replace(event, audio=b"".join(self._cleaned))))
        return True

    def _flush(self, reducer: WireReducer) -> None:
        self._guard(lambda: self._cleaned.append(reducer.flush()))
        rest = b"".join(self._cleaned)
        self._forget_cleaned()
        if rest:
            self._take(FromClient(InputAudioBufferAppend(audio=rest)))

    def _spend(self, byte_count: int) -> None:
        self._spent_bytes += byte_count
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._turn = None
        self._spent_bytes = 0
        self._work()

    # The engine -----------------------------------------------------------------------------------------------

    def _open(self, wanted: ReduceNoise) -> None:
        reduction = wanted.reduction
        assert reduction is not None, "a stream is opened for a reduction"
        strength = 1.0 if reduction.strength is UNSET else reduction.strength
        try:
            if self._engine is None:
                raise EngineError("noise_reducer", "no noise reducer is configured")
            stream = self._engine.open(reduction.type, strength, rate_of(wanted.encoding))
        except Exception as error:
            self._tell(error)
            return
        self._reducer = WireReducer(stream, wanted.encoding)

    def _guard(self, work: Callable[[], None]) -> None:
        """Do something with the stream. If it raises, it is closed, and the audio it withheld passes as it came."""
        try:
            work()
        except Exception as error:
            self._cleaned.append(self._stop())
            self._tell(error)

    def _stop(self) -> bytes:
        """Close the stream and return what it withheld, as it came."""
        reducer, self._reducer = self._reducer, None
        if reducer is None:
            return b""
        try:
            reducer.close()
        except Exception:
            _log.exception("noise reducer could not be closed")
        return reducer.unreturned

    def _tell(self, error: Exception) -> None:
        _log.warning("noise reduction failed, audio passes as it comes", exc_info=error)
        code = error.code if isinstance(error, EngineError) else "engine_unavailable"
        text = "Noise reduction failed; audio passes unprocessed until 'audio.input.noise_reduction' is set again."
        detail = ErrorDetail(type="server_error", code=code, message=text, param="session.audio.input.noise_reduction")
        self._take(ClientRejected(detail))


def _ends_a_stretch(event: object) -> bool:
    """Return whether everything appended before must be in the session before this event."""
    if isinstance(event, SessionUpdate):
        given = event.session.audio.input if event.session.audio else None
        return given is not None and (given.format is not None or given.noise_reduction is not UNSET)
    return isinstance(event, InputAudioBufferCommit | InputAudioBufferClear)


def _audio_bytes(input: Input) -> int:
    event = input.event if isinstance(input, FromClient) else None
    return len(event.audio) if isinstance(event, InputAudioBufferAppend) else 0
