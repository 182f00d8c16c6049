"""The synthesizer over `/audio/speech` against servers that behave, and that do not."""

import asyncio
import io
import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines.compatible_servers import (
    DEADLINE_S,
    KEY,
    Answer,
    Out,
    Request,
    Server,
    breaks,
    gives,
    pauses,
    stalls,
    started,
    streams,
)
from vivavoce.audio.pcm import rms_dbfs, to_int16
from vivavoce.audio.wav import write_wav
from vivavoce.core.requests import SpeechRequest
from vivavoce.engines.base import EngineError, SpeechChunk
from vivavoce.engines.compatible.settings import Timeouts
from vivavoce.engines.compatible.speech_body import AudioError, SpeechBody
from vivavoce.engines.tts.speech_api import SpeechSettings, SpeechSynthesizer, pieces
from vivavoce.testing.engines import check_synthesizer

TEXT = SpeechRequest("Hello there.", "marin")


def tone(rate_hz: int, seconds: float = 0.5) -> bytes:
    """Return 440 Hz as pcm16le, mono."""
    times = np.arange(int(rate_hz * seconds)) / rate_hz
    return (8000 * np.sin(2 * math.pi * 440 * times)).astype("<i2").tobytes()


def wav(pcm: bytes, rate_hz: int) -> bytes:
    file = io.BytesIO()
    write_wav(file, pcm, rate_hz)
    return file.getvalue()


PCM = tone(24_000)


def exchange(answer: Answer, request: SpeechRequest = TEXT, **options: Any) -> tuple[list[SpeechChunk], Server]:
    server = Server(answer)

    async def run() -> list[SpeechChunk]:
        async with asyncio.timeout(DEADLINE_S), server.listening():
            settings = SpeechSettings(server.settings(options.pop("timeouts", None)), "tts-small", **options)
            async with started(SpeechSynthesizer(settings)) as synthesizer:
                return [chunk async for chunk in synthesizer.synthesize(request)]

    return asyncio.run(run()), server


def speech(answer: Answer, **options: Any) -> bytes:
    return b"".join(chunk.pcm for chunk in exchange(answer, **options)[0])


def failure(answer: Answer, **options: Any) -> EngineError:
    with pytest.raises(EngineError) as failed:
        exchange(answer, **options)
    assert KEY not in str(failed.value)
    return failed.value


# Audio --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("piece_bytes", [1, 3, 999, 0])
def test_raw_audio_comes_out_as_it_is_wherever_it_is_cut(piece_bytes: int) -> None:
    body = PCM[:6000]

    chunks, _ = exchange(streams(body, "audio/pcm", piece_bytes))

    assert b"".join(chunk.pcm for chunk in chunks) == body
    assert all(len(chunk.pcm) % 2 == 0 and chunk.pcm for chunk in chunks)


def test_half_a_sample_at_the_end_is_dropped() -> None:
    assert speech(streams(PCM + b"\x01", "audio/pcm")) == PCM


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_other_rates_become_24_khz(rate_hz: int) -> None:
    heard = speech(streams(tone(rate_hz), "audio/pcm", 777), rate_hz=rate_hz)

    assert len(heard) == pytest.approx(len(PCM), abs=4)
    assert rms_dbfs(heard) == pytest.approx(rms_dbfs(PCM), abs=0.5)


def test_the_content_type_may_name_the_rate() -> None:
    assert len(speech(streams(tone(16_000), "audio/pcm; rate=16000"))) == len(PCM)


@pytest.mark.parametrize("piece_bytes", [1, 0])
def test_wav_names_its_own_rate(piece_bytes: int) -> None:
    body = wav(tone(16_000, 0.05), 16_000)

    assert len(speech(streams(body, "audio/wav", piece_bytes), format="wav")) == len(tone(24_000, 0.05))


def test_wav_that_is_streamed_has_no_believable_sizes() -> None:
    header = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 0xFFFFFFFF, b"WAVE", b"fmt ", 16, 1, 1, 24_000, 48_000, 2, 16)
    listed = b"LIST" + struct.pack("<I", 3) + b"abc\0"

    assert speech(streams(header + listed + b"data\xff\xff\xff\xff" + PCM, "audio/wav")) == PCM


def test_two_channels_become_one() -> None:
    left = to_int16(PCM)
    both = np.stack((left, np.zeros_like(left)), axis=1).tobytes()

    heard = to_int16(speech(streams(both, "audio/pcm; rate=24000; channels=2")))

    assert np.abs(heard - left / 2).max() <= 1


@pytest.mark.parametrize(("code", "channels", "bits"), [(3, 1, 32), (1, 1, 8), (1, 0, 16), (1, 200, 16), (0x55, 1, 16)])
def test_other_kinds_of_wav_are_a_failure(code: int, channels: int, bits: int) -> None:
    layout = struct.pack("<HHIIHH", code, channels, 24_000, 48_000, 2, bits)
    body = b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", 16) + layout + b"data\0\0\0\0" + PCM

    assert failure(streams(body, "audio/wav")).code == "server_error"


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_garbage_is_audio_or_an_audio_error(parts: list[bytes]) -> None:
    body = SpeechBody("", 24_000)

    try:
        heard = b"".join(body.feed(part) for part in [b"RIFF", *parts]) + body.finish()
    except AudioError:
        return
    assert len(heard) % 2 == 0


def test_the_first_audio_is_passed_on_before_the_server_makes_more() -> None:
    heard = asyncio.Event()

    async def answer(request: Request, out: Out) -> None:
        out.head("audio/pcm")
        out.chunk(PCM[:480])
        await heard.wait()
        out.chunk(PCM[480:])
        out.chunk(b"")

    async def run() -> list[SpeechChunk]:
        async with asyncio.timeout(DEADLINE_S), Server(answer).listening() as server:
            async with started(SpeechSynthesizer(SpeechSettings(server.settings(), "m"))) as synthesizer:
                chunks = []
                async for chunk in synthesizer.synthesize(TEXT):
                    heard.set()
                    chunks.append(chunk)
                return chunks

    assert asyncio.run(run())[0].pcm == PCM[:480]


# The request --------------------------------------------------------------------------------------------------


def test_the_request_names_model_voice_and_format() -> None:
    _, server = exchange(
        streams(PCM, "audio/pcm"), SpeechRequest("Hello.", "marin", 1.25), extra={"instructions": "Whisper."}
    )

    assert server.requests[0].path == "/v1/audio/speech"
    assert server.requests[0].json == {
        "model": "tts-small",
        "input": "Hello.",
        "voice": "marin",
        "response_format": "pcm",
        "speed": 1.25,
        "instructions": "Whisper.",
    }


@pytest.mark.parametrize(
    ("voices", "sent"),
    [
        ((("marin", "af_heart"),), "af_heart"),
        ((("*", "af_sky"), ("alloy", "af_bella")), "af_sky"),
        ((), "marin"),
    ],
)
def test_voices_are_mapped(voices: tuple[tuple[str, str], ...], sent: str) -> None:
    _, server = exchange(streams(PCM, "audio/pcm"), voices=voices)

    assert server.requests[0].json["voice"] == sent


def test_a_voice_that_is_not_configured_is_refused_without_a_request() -> None:
    assert "marin" in str(failure(streams(PCM, "audio/pcm"), voices=(("alloy", "af_bella"),)))


def test_a_server_without_speed_is_not_asked_for_it() -> None:
    _, server = exchange(streams(PCM, "audio/pcm"), SpeechRequest("Hello.", "marin", 1.25), takes_speed=False)

    assert "speed" not in server.requests[0].json


def test_a_long_text_takes_several_requests() -> None:
    text = "This is a sentence. " * 12 + "x" * 150

    chunks, server = exchange(streams(PCM, "audio/pcm"), SpeechRequest(text, "marin"), max_characters=100)

    sent = [request.json["input"] for request in server.requests]
    assert max(map(len, sent)) <= 100
    assert "".join(sent).replace(" ", "") == text.replace(" ", "")
    assert sent[0].endswith("sentence.")
    assert len(b"".join(chunk.pcm for chunk in chunks)) == len(PCM) * len(sent)


@given(st.text(alphabet="ab. ?", max_size=80), st.integers(1, 20))
def test_pieces_hold_all_of_the_text(text: str, most: int) -> None:
    cut = list(pieces(text, most))

    assert "".join(cut).replace(" ", "") == text.replace(" ", "")
    assert all(0 < len(piece) <= most for piece in cut)


# Failures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (breaks(PCM[:1000], "audio/pcm"), "engine_unavailable"),
        (streams(b"ID3", "audio/mpeg"), "server_error"),
        (gives({"error": {"message": "no"}}), "server_error"),
        (gives({"error": {"code": "voice_not_found"}}, "400 No"), "server_error"),
        (gives({}, "401 No"), "engine_unavailable"),
        (streams(b"\0", "audio/pcm"), "server_error"),
    ],
)
def test_failures_are_told_by_their_kind(answer: Answer, code: str) -> None:
    assert failure(answer).code == code


def test_silence_of_the_server_beyond_the_deadline_is_a_timeout() -> None:
    error = failure(stalls(PCM[:1000], "audio/pcm"), timeouts=Timeouts(first_s=5.0, silence_s=0.2))

    assert error.code == "engine_timeout"


def test_speech_may_take_longer_than_its_first_audio_may() -> None:
    answer = pauses(PCM, PCM, PCM, pause_s=0.4, content_type="audio/pcm")

    assert speech(answer, timeouts=Timeouts(first_s=0.6, silence_s=10.0)) == PCM * 3


def test_closing_the_stream_hangs_up_on_the_server_at_once() -> None:
    server = Server(stalls(PCM, "audio/pcm"))

    async def run() -> None:
        async with asyncio.timeout(DEADLINE_S), server.listening():
            async with started(SpeechSynthesizer(SpeechSettings(server.settings(), "m"))) as synthesizer:
                stream = synthesizer.synthesize(TEXT)
                await anext(stream)
                await stream.aclose()  # type: ignore[attr-defined]  # a generator has it, its interface does not say so
                await server.hung_up.wait()

    asyncio.run(run())


def test_it_passes_the_checks_of_all_synthesizers() -> None:
    voices = (("alloy", "one"), ("marin", "two"))

    async def run() -> None:
        async with Server(streams(PCM, "audio/pcm", 480)).listening() as server:
            await check_synthesizer(lambda: SpeechSynthesizer(SpeechSettings(server.settings(), "m", voices=voices)))

    asyncio.run(run())
