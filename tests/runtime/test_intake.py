"""What a client sends passes the noise reduction in order, whole, and without holding the loop."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.audio.g711 import decode_mulaw, encode_mulaw
from vivavoce.core.requests import AudioEncoding
from vivavoce.core.vocabulary import ClientRejected, FromClient, Input, ReduceNoise
from vivavoce.engines.base import Capabilities, EngineError
from vivavoce.protocol.client_events import (
    ClientEvent,
    InputAudioBufferAppend,
    InputAudioBufferClear,
    InputAudioBufferCommit,
    ResponseCreate,
    SessionUpdate,
)
from vivavoce.protocol.session import AudioInputPatch, AudioPatch, NoiseReduction, SessionPatch
from vivavoce.runtime.intake import TURN_MS, Intake

WITHHELD_BYTES = 6
FAR_FIELD = NoiseReduction(type="far_field", strength=1.0)
REDUCED = ReduceNoise(FAR_FIELD, AudioEncoding.PCM)
TURN_BYTES = TURN_MS * 48


def inverted(pcm: bytes) -> bytes:
    return bytes(byte ^ 0xFF for byte in pcm)


class InvertingStream:
    """Inverts every bit of the audio and withholds its last samples; fails at a byte count if it is told to."""

    def __init__(self, fails_after_bytes: int | None) -> None:
        self._fails_after_bytes = fails_after_bytes
        self._withheld = b""
        self.fed_bytes = 0
        self.is_closed = False

    def process(self, pcm: bytes) -> bytes:
        assert len(pcm) % 2 == 0, "whole samples"
        self.fed_bytes += len(pcm)
        if self._fails_after_bytes is not None and self.fed_bytes > self._fails_after_bytes:
            raise EngineError("inverter", "enough")
        self._withheld += inverted(pcm)
        keep = max(len(self._withheld) - WITHHELD_BYTES, 0)
        returned, self._withheld = self._withheld[:keep], self._withheld[keep:]
        return returned

    def flush(self) -> bytes:
        rest, self._withheld = self._withheld, b""
        return rest

    def close(self) -> None:
        self.is_closed = True


class Inverter:
    """A noise reducer whose every effect on the audio can be seen."""

    capabilities = Capabilities(name="inverter")

    def __init__(self, fails_after_bytes: int | None = None) -> None:
        self._fails_after_bytes = fails_after_bytes
        self.stream_type: type[InvertingStream] = InvertingStream
        self.opened: list[tuple[str, float, int]] = []
        self.streams: list[InvertingStream] = []

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def open(self, kind: Literal["near_field", "far_field"], strength: float, rate_hz: int) -> InvertingStream:
        self.opened.append((kind, strength, rate_hz))
        self.streams.append(self.stream_type(self._fails_after_bytes))
        return self.streams[-1]


class Session:
    """Collects what the intake hands on; `react` is called with each event, as a session that acts at once."""

    def __init__(self) -> None:
        self.events: list[ClientEvent] = []
        self.errors: list[ClientRejected] = []
        self.react: Callable[[ClientEvent], None] = lambda event: None

    def take(self, input: Input) -> None:
        if isinstance(input, FromClient):
            self.events.append(input.event)
            self.react(input.event)
        else:
            assert isinstance(input, ClientRejected), input
            self.errors.append(input)

    @property
    def audio(self) -> bytes:
        return b"".join(event.audio for event in self.events if isinstance(event, InputAudioBufferAppend))

    @property
    def kinds(self) -> list[str]:
        """The events in order by their last word, appends that follow each other as one."""
        kinds = [type(event).__name__.removeprefix("InputAudioBuffer").lower() for event in self.events]
        return [kind for kind, before in zip(kinds, ["", *kinds], strict=False) if (kind, before) != ("append",) * 2]


def append(audio: bytes, event_id: str | None = None) -> FromClient:
    return FromClient(InputAudioBufferAppend(audio=audio, event_id=event_id))


def update(noise_reduction: NoiseReduction | None) -> FromClient:
    audio = AudioPatch(input=AudioInputPatch(noise_reduction=noise_reduction))
    return FromClient(SessionUpdate(session=SessionPatch(type="realtime", audio=audio)))


COMMIT = FromClient(InputAudioBufferCommit())
CLEAR = FromClient(InputAudioBufferClear())


def run(intake: Intake, inputs: Sequence[Input]) -> None:
    """Put everything and let the loop turn until nothing waits."""

    async def body() -> None:
        for input in inputs:
            intake.put(input)
        await drained(intake)

    asyncio.run(body())


async def drained(intake: Intake, observe: Callable[[], None] = lambda: None) -> None:
    """Return when no audio waits; `observe` is called once per turn of the loop, after the intake's own work in it."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def turn() -> None:
        observe()
        if intake.pending_ms:
            loop.call_soon(turn)
        else:
            done.set()

    loop.call_soon(turn)
    await done.wait()


def sound(byte_count: int) -> bytes:
    return bytes(index * 7 % 256 for index in range(byte_count))


def reduced(encoding: AudioEncoding = AudioEncoding.PCM, engine: Inverter | None = None) -> tuple[Intake, Session]:
    session = Session()
    intake = Intake(engine or Inverter(), session.take)
    intake.set(ReduceNoise(FAR_FIELD, encoding))
    return intake, session


def test_without_noise_reduction_every_input_is_handed_on_as_it_is_outside_any_loop() -> None:
    session = Session()
    intake = Intake(Inverter(), session.take)
    inputs = [append(b"odd"), COMMIT, append(sound(500_000))]

    for input in inputs:
        intake.put(input)

    assert [FromClient(event) for event in session.events] == inputs
    assert intake.pending_ms == 0


def test_strength_zero_opens_no_stream() -> None:
    engine, session = Inverter(), Session()
    intake = Intake(engine, session.take)

    intake.set(ReduceNoise(NoiseReduction(type="near_field", strength=0.0), AudioEncoding.PCM))
    intake.put(append(b"ab"))

    assert engine.opened == []
    assert session.audio == b"ab"


def test_the_engine_is_told_kind_strength_and_rate() -> None:
    engine = Inverter()
    intake = Intake(engine, Session().take)

    intake.set(ReduceNoise(NoiseReduction(type="near_field"), AudioEncoding.PCM))
    intake.set(ReduceNoise(NoiseReduction(type="far_field", strength=0.25), AudioEncoding.PCMA))

    assert engine.opened == [("near_field", 1.0, 24_000), ("far_field", 0.25, 8_000)]
    assert [stream.is_closed for stream in engine.streams] == [True, False]


def test_the_same_wish_again_keeps_the_stream() -> None:
    engine = Inverter()
    intake = Intake(engine, Session().take)

    intake.set(REDUCED)
    intake.set(REDUCED)

    assert len(engine.streams) == 1


@given(
    audio=st.binary(max_size=400),
    cuts=st.lists(st.integers(0, 400), max_size=20),
    encoding=st.sampled_from(AudioEncoding),
)
def test_any_chunking_of_the_same_audio_gives_the_same_bytes(
    audio: bytes, cuts: list[int], encoding: AudioEncoding
) -> None:
    bounds = sorted({0, len(audio), *(cut for cut in cuts if cut < len(audio))})
    pieces = [append(audio[start:end]) for start, end in zip(bounds, bounds[1:], strict=False)]
    in_pieces, cut = reduced(encoding)
    in_one, whole = reduced(encoding)

    run(in_pieces, [*pieces, COMMIT])
    run(in_one, [append(audio), COMMIT])

    assert cut.audio == whole.audio
    assert len(cut.audio) == len(audio) - (len(audio) % 2 if encoding is AudioEncoding.PCM else 0)


@given(st.lists(st.one_of(st.binary(min_size=1, max_size=30), st.sampled_from(["commit", "clear", "other"]))))
def test_before_a_commit_and_a_clear_all_audio_has_been_handed_on(steps: list[bytes | str]) -> None:
    events = {"commit": COMMIT, "clear": CLEAR, "other": FromClient(ResponseCreate())}
    intake, session = reduced()
    put_bytes = 0

    async def body() -> None:
        nonlocal put_bytes
        for step in steps:
            if isinstance(step, bytes):
                intake.put(append(step))
                put_bytes += len(step)
                continue
            intake.put(events[step])
            if step == "clear":  # half a sample is dropped with the rest
                put_bytes -= put_bytes % 2
            if step != "other":
                assert len(session.audio) == put_bytes - put_bytes % 2

    asyncio.run(body())

    assert len([event for event in session.events if not isinstance(event, InputAudioBufferAppend)]) == len(
        [step for step in steps if isinstance(step, str)]
    )


def test_half_a_sample_waits_for_the_next_append_and_goes_with_a_clear() -> None:
    intake, session = reduced()

    run(intake, [append(b"abc"), COMMIT, append(b"d"), COMMIT, append(b"e"), CLEAR, append(b"fg"), COMMIT])

    assert session.audio == inverted(b"abcdfg")


def test_g711_is_decoded_for_the_engine_and_encoded_again() -> None:
    intake, session = reduced(AudioEncoding.PCMU)
    codes = bytes(range(256))

    run(intake, [append(codes), COMMIT])

    assert session.audio == encode_mulaw(inverted(decode_mulaw(codes)))


def test_an_event_id_stays_with_its_append() -> None:
    intake, session = reduced()

    run(intake, [append(sound(3 * TURN_BYTES), "e1"), append(sound(100), "e2")])

    assert [event.event_id for event in session.events] == ["e1", "e2"]


def test_a_large_append_is_cleaned_a_slice_per_turn_and_what_follows_waits_behind_it() -> None:
    engine = Inverter()
    intake, session = reduced(engine=engine)
    audio = sound(5 * TURN_BYTES)
    fed: list[int] = []

    async def body() -> None:
        intake.put(append(audio))
        intake.put(COMMIT)
        fed.append(engine.streams[0].fed_bytes)
        await drained(intake, lambda: fed.append(engine.streams[0].fed_bytes))

    asyncio.run(body())

    assert fed == [TURN_BYTES * turn for turn in (1, 2, 3, 4, 5)]
    assert session.kinds == ["append", "commit"]
    assert session.audio == inverted(audio)


def test_many_small_appends_in_one_turn_of_the_loop_have_one_share_together() -> None:
    engine = Inverter()
    intake, session = reduced(engine=engine)
    appends = [append(sound(960)) for _ in range(50)]

    async def body() -> None:
        for input in appends:
            intake.put(input)
        assert engine.streams[0].fed_bytes <= TURN_BYTES
        assert intake.pending_ms == pytest.approx(50 * 20 - TURN_MS)
        await drained(intake)

    asyncio.run(body())

    assert len(session.audio) == 50 * 960 - WITHHELD_BYTES


def test_pending_ms_counts_the_audio_that_waits() -> None:
    intake, _ = reduced(AudioEncoding.PCMU)

    pending_ms: list[float] = []

    async def body() -> None:
        intake.put(append(bytes(8 * 3 * TURN_MS)))
        pending_ms.append(intake.pending_ms)
        await drained(intake, lambda: pending_ms.append(intake.pending_ms))

    asyncio.run(body())

    assert pending_ms == [2 * TURN_MS, TURN_MS, 0]


def test_switching_off_hands_on_what_was_withheld_before_the_update_and_the_rest_as_it_comes() -> None:
    intake, session = reduced()
    session.react = lambda event: (
        intake.set(ReduceNoise(None, AudioEncoding.PCM)) if isinstance(event, SessionUpdate) else None
    )

    run(intake, [append(b"abcdefghijk"), update(None), append(b"lm")])

    assert session.kinds == ["append", "sessionupdate", "append"]
    assert session.audio == inverted(b"abcdefghij") + b"klm"


def test_an_update_of_other_settings_leaves_the_stream_alone() -> None:
    intake, session = reduced()
    other = FromClient(SessionUpdate(session=SessionPatch(type="realtime", instructions="Be brief.")))

    run(intake, [append(b"abcdefgh"), other])

    assert session.audio == inverted(b"ab")


def test_a_change_of_format_drops_half_a_sample() -> None:
    intake, session = reduced()

    run(intake, [append(b"abc")])
    intake.set(ReduceNoise(FAR_FIELD, AudioEncoding.PCMU))

    assert session.audio == b""


def test_an_input_that_a_session_puts_while_it_is_handed_one_comes_after_the_present_one() -> None:
    intake, session = reduced()
    session.react = lambda event: (
        intake.put(FromClient(ResponseCreate())) if isinstance(event, InputAudioBufferAppend) else None
    )

    run(intake, [append(b"ab"), COMMIT])

    assert session.kinds == ["append", "responsecreate", "append", "commit", "responsecreate"]


def test_a_stream_that_fails_is_told_once_and_all_audio_passes_from_there_as_it_came(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = Inverter(fails_after_bytes=20)
    intake, session = reduced(engine=engine)

    with caplog.at_level(logging.WARNING):
        run(intake, [append(sound(20)), append(b"abcdef"), append(b"gh"), COMMIT])

    assert session.audio == inverted(sound(20)[:14]) + sound(20)[14:] + b"abcdefgh"
    assert session.kinds == ["append", "commit"]
    assert [(error.error.type, error.error.code) for error in session.errors] == [
        ("server_error", "engine_unavailable")
    ]
    assert engine.streams[0].is_closed
    assert [record.message for record in caplog.records] == ["noise reduction failed, audio passes as it comes"]


def test_a_failure_in_the_middle_of_a_large_append_loses_nothing() -> None:
    audio = sound(4 * TURN_BYTES)
    intake, session = reduced(engine=Inverter(fails_after_bytes=2 * TURN_BYTES))

    run(intake, [append(audio), COMMIT])

    clean_bytes = 2 * TURN_BYTES - WITHHELD_BYTES
    assert session.audio == inverted(audio[:clean_bytes]) + audio[clean_bytes:]
    assert session.kinds == ["append", "commit"]


class ForgetfulStream(InvertingStream):
    """Breaks the contract: what it withheld is lost."""

    def flush(self) -> bytes:
        return b""


def test_audio_that_a_flush_does_not_return_passes_as_it_came_and_the_failure_is_told() -> None:
    engine = Inverter()
    session = Session()
    intake = Intake(engine, session.take)
    engine.stream_type = ForgetfulStream
    intake.set(REDUCED)

    run(intake, [append(b"abcdefgh"), COMMIT, append(b"ij")])

    assert session.audio == inverted(b"ab") + b"cdefghij"
    assert session.kinds == ["append", "commit", "append"]
    assert [error.error.code for error in session.errors] == ["server_error"]


def test_a_wish_after_a_failure_opens_a_stream_again() -> None:
    engine = Inverter(fails_after_bytes=0)
    intake, _ = reduced(engine=engine)

    run(intake, [append(b"ab")])
    intake.set(REDUCED)

    assert len(engine.streams) == 2


def test_without_an_engine_the_wish_is_told_as_a_failure() -> None:
    session = Session()
    intake = Intake(None, session.take)

    intake.set(REDUCED)
    intake.put(append(b"ab"))

    assert len(session.errors) == 1
    assert session.audio == b"ab"


def test_a_close_drops_what_waits() -> None:
    engine = Inverter()
    intake, session = reduced(engine=engine)

    async def body() -> None:
        intake.put(append(sound(3 * TURN_BYTES)))
        intake.put(COMMIT)
        intake.close()
        intake.close()
        await drained(intake)

    asyncio.run(body())

    assert session.events == []
    assert intake.pending_ms == 0
    assert engine.streams[0].is_closed


def test_a_session_that_closes_on_an_input_gets_no_more() -> None:
    intake, session = reduced()
    session.react = lambda event: intake.close()

    async def body() -> None:
        intake.put(append(sound(3 * TURN_BYTES)))
        intake.put(append(b"ab"))
        intake.put(COMMIT)
        await drained(intake)

    asyncio.run(body())

    assert session.kinds == ["append"]
