"""When silence ends a turn, by what was appended and what of it was scored."""

import base64
from typing import Any

from vivavoce.core.limits import SAMPLES_PER_MS, WINDOW_SAMPLES
from vivavoce.testing.driver import SessionDriver

Json = dict[str, Any]
SPEECH = [1.0] * 10
SPEECH_MS, SILENCE_MS = 320, 500


def append(driver: SessionDriver, samples: int) -> list[Json]:
    audio = base64.b64encode(bytes(2 * samples)).decode()
    return driver.client({"type": "input_audio_buffer.append", "audio": audio})


def in_trailing_silence(windows: int) -> SessionDriver:
    driver = SessionDriver()
    driver.hear(*SPEECH, *[0.0] * windows)
    return driver


def test_the_score_of_the_last_full_window_ends_a_silence_that_the_audio_after_it_completes() -> None:
    driver = in_trailing_silence(14)
    rest = SILENCE_MS * SAMPLES_PER_MS - 14 * WINDOW_SAMPLES

    before = append(driver, rest)
    events = driver.score(0.0)

    assert before == []
    assert driver.types(events)[0] == "input_audio_buffer.speech_stopped"
    assert events[0]["audio_end_ms"] == SPEECH_MS + SILENCE_MS


def test_a_score_ends_no_silence_while_a_full_window_after_it_is_not_scored() -> None:
    driver = in_trailing_silence(13)

    append(driver, 2 * WINDOW_SAMPLES + 3 * WINDOW_SAMPLES // 4)
    early = driver.score(0.0)
    due = driver.score(0.0)

    assert early == []
    assert driver.types(due)[0] == "input_audio_buffer.speech_stopped"


def test_speech_in_the_last_window_keeps_the_turn() -> None:
    driver = in_trailing_silence(14)

    append(driver, SILENCE_MS * SAMPLES_PER_MS - 14 * WINDOW_SAMPLES)
    events = driver.score(1.0)

    assert events == []
