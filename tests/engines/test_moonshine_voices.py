"""The voices of moonshine-voice: our worker process, the package in it a stand-in that makes tones.

The real library's voices need models that are not here: that its speech can be understood, and when the first sound
comes, is not shown by these tests. `test_the_real_package_has_what_the_stand_in_has` compares the interfaces.
"""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from tests.assets.test_optional import output_of
from tests.doubles.moonshine import use_double
from tests.require import require
from vivavoce.assets import moonshine
from vivavoce.core.requests import SpeechRequest
from vivavoce.engines.base import EngineError, SpeechChunk
from vivavoce.engines.tts.moonshine import MoonshineSynthesizer, MoonshineVoices

DEADLINE_S = 60
BYTES_PER_CHARACTER = 2400  # 50 ms
VOICES = {"marin": ("en_us", "kokoro_af_heart"), "ballad": ("en_gb", "kokoro_bm_george")}


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    use_double(monkeypatch)


def voices_folder(folder: Path) -> Path:
    """Lay out what the stand-in takes for models."""
    names = ("en_us/dict.tsv", "kokoro/decoder.ort", *(f"kokoro/voices/{voice}.bin" for _, voice in VOICES.values()))
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"m" * 1000)
    return folder


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[MoonshineSynthesizer]:
    synthesizer = MoonshineSynthesizer(MoonshineVoices(voices_folder(folder), VOICES))
    await synthesizer.start()
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield synthesizer
    finally:
        await synthesizer.close()


async def spoken(synthesizer: MoonshineSynthesizer, text: str, voice: str = "marin", speed: float = 1.0) -> bytes:
    request = SpeechRequest(text=text, voice=voice, speed=speed)
    return b"".join([chunk.pcm async for chunk in synthesizer.synthesize(request)])


def pitch_hz(pcm: bytes) -> float:
    """The frequency of a tone, by its changes of sign."""
    samples = np.frombuffer(pcm, "<i2")
    return float(np.count_nonzero(np.diff(np.signbit(samples)))) / 2 / (samples.size / 24_000)


def test_a_text_is_spoken_piece_by_piece(tmp_path: Path) -> None:
    async def body() -> list[SpeechChunk]:
        async with started(tmp_path) as synthesizer:
            request = SpeechRequest(text="hello there my friend", voice="marin")
            return [chunk async for chunk in synthesizer.synthesize(request)]

    chunks = asyncio.run(body())

    assert sum(len(chunk.pcm) for chunk in chunks) == len("hello there my friend ") * BYTES_PER_CHARACTER
    assert max(len(chunk.pcm) for chunk in chunks) <= 9600  # 200 ms


def test_markup_and_emoji_are_not_spoken_and_nothing_else_is_silence(tmp_path: Path) -> None:
    async def body() -> tuple[bytes, bytes]:
        async with started(tmp_path) as synthesizer:
            return await spoken(synthesizer, "**hello** \N{GRINNING FACE}"), await spoken(
                synthesizer, "\N{GRINNING FACE}"
            )

    words, nothing = asyncio.run(body())

    assert (len(words), nothing) == (len("hello ") * BYTES_PER_CHARACTER, b"")


def test_each_voice_has_its_own_sound_and_a_pace_changes_the_length(tmp_path: Path) -> None:
    async def body() -> list[bytes]:
        async with started(tmp_path) as synthesizer:
            return [
                await spoken(synthesizer, "hello"),
                await spoken(synthesizer, "hello", "ballad"),
                await spoken(synthesizer, "hello", speed=0.5),
            ]

    first, second, slow = asyncio.run(body())

    assert pitch_hz(second) == pytest.approx(2 * pitch_hz(first), rel=0.1)
    assert len(slow) == 2 * len("hello") * BYTES_PER_CHARACTER


def test_a_cancelled_request_makes_way_for_the_next(tmp_path: Path) -> None:
    async def body() -> bytes:
        async with started(tmp_path) as synthesizer:
            request = SpeechRequest(text="word " * 59, voice="marin")  # one clause, far more than pipes hold
            async with aclosing(synthesizer.synthesize(request)) as chunks:
                async for _ in chunks:
                    break
            return await spoken(synthesizer, "hello")

    assert len(asyncio.run(body())) == len("hello ") * BYTES_PER_CHARACTER


def test_a_slow_listener_does_not_keep_another_one_waiting(tmp_path: Path) -> None:
    async def body() -> bytes:
        async with started(tmp_path) as synthesizer:
            request = SpeechRequest(text="word " * 20, voice="marin")
            async with aclosing(synthesizer.synthesize(request)) as chunks:
                async for _ in chunks:
                    return await spoken(synthesizer, "hello")  # while the first one is not listened to
        raise AssertionError("nothing was spoken")

    assert len(asyncio.run(body())) == len("hello ") * BYTES_PER_CHARACTER


def test_a_text_that_cannot_be_spoken_fails_alone(tmp_path: Path) -> None:
    async def body() -> bytes:
        async with started(tmp_path) as synthesizer:
            with pytest.raises(EngineError, match="no such phoneme"):
                await spoken(synthesizer, "please fail here")
            return await spoken(synthesizer, "hello")

    assert asyncio.run(body())


def test_a_process_that_dies_fails_its_request_and_is_started_again(tmp_path: Path) -> None:
    async def body() -> tuple[list[int], list[int]]:
        async with started(tmp_path) as synthesizer:
            before = await synthesizer.process_ids()
            with pytest.raises(EngineError) as raised:
                await spoken(synthesizer, "please crash here")
            assert raised.value.is_retryable
            assert await spoken(synthesizer, "hello")
            after = await synthesizer.process_ids()
            os.kill(after[0], signal.SIGKILL)  # between requests
            with suppress(EngineError):  # the next request may be the first to notice
                await spoken(synthesizer, "hello")
            assert await spoken(synthesizer, "hello")
            return before, after

    before, after = asyncio.run(body())

    assert before != after


@pytest.mark.parametrize(("voice", "speed", "message"), [("nobody", 1.0, "marin, ballad"), ("marin", 3.0, "speed")])
def test_what_cannot_be_had_is_refused(tmp_path: Path, voice: str, speed: float, message: str) -> None:
    async def body() -> None:
        async with started(tmp_path) as synthesizer:
            with pytest.raises(EngineError, match=message):
                await spoken(synthesizer, "hello", voice, speed)

    asyncio.run(body())


def test_a_missing_model_is_told_at_the_start(tmp_path: Path) -> None:
    (voices_folder(tmp_path) / "kokoro" / "decoder.ort").write_bytes(b"x" * 1000)

    async def body() -> None:
        with pytest.raises(EngineError, match="decoder.ort"):
            await MoonshineSynthesizer(MoonshineVoices(tmp_path, VOICES)).start()

    asyncio.run(body())


def test_closing_fails_what_is_being_spoken(tmp_path: Path) -> None:
    async def body() -> None:
        async with started(tmp_path) as synthesizer:
            request = SpeechRequest(text="word " * 59, voice="marin")
            with pytest.raises(EngineError, match="closed"):
                async for _ in synthesizer.synthesize(request):
                    await synthesizer.close()

    asyncio.run(body())


def test_the_real_package_has_what_the_stand_in_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH")
    require(moonshine.is_package_installed(), "the Python package moonshine-voice")
    program = (
        "import inspect, json, moonshine_voice as m\n"
        "from moonshine_voice import TextToSpeech, Transcriber, ModelArch\n"
        "takes = lambda f: list(inspect.signature(f).parameters)\n"
        "functions = ('get_model_for_language', 'download_tts_assets', 'list_tts_voices')\n"
        "methods = ('language', 'voice', 'models_from', 'load', 'synthesize', 'stream', 'cancel_stream', 'close')\n"
        "print(json.dumps({\n"
        "    'functions': {name: takes(getattr(m, name)) for name in functions},\n"
        "    'methods': {name: takes(getattr(TextToSpeech, name)) for name in methods},\n"
        "    'is_property': isinstance(TextToSpeech.is_streaming, property),\n"
        "    'architectures': [ModelArch['TINY_STREAMING'].value, ModelArch['SMALL_STREAMING'].value],\n"
        "    'transcriber': takes(Transcriber.__init__),\n"
        "    'flag': Transcriber.MOONSHINE_FLAG_FORCE_UPDATE,\n"
        "}))\n"
    )

    real = json.loads(output_of(program))

    functions = real["functions"]
    fetching = {"cache_root", "on_progress", "include_word_timestamps"}
    assert fetching <= set(functions["get_model_for_language"])
    assert {"voice", "cache_root", "on_progress"} <= set(functions["download_tts_assets"])
    assert "root_path" in functions["list_tts_voices"]
    assert {"text", "speed"} <= set(real["methods"]["synthesize"])
    assert "text" in real["methods"]["stream"]
    assert (real["is_property"], real["architectures"], real["flag"]) == (True, [2, 4], 1)
    assert {"model_path", "model_arch", "options"} <= set(real["transcriber"])
