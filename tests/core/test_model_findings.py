"""What random conversations and the model check found in the core, each as the shortest conversation that shows it."""

from tests.core.conversations import FAULT
from vivavoce.core.vocabulary import DetectionFailed, SpeechScored
from vivavoce.testing.driver import SessionDriver


def test_scores_of_windows_from_before_a_failure_of_the_detector_begin_no_turn() -> None:
    driver = SessionDriver()
    driver.hear(*[0.0] * 4)
    driver.client({"type": "input_audio_buffer.append", "audio": "AAAA" * 8000})
    driver.post(DetectionFailed(1, FAULT))

    late = [driver.post(SpeechScored(1, 768 * window, 1.0)) for window in range(5, 9)]

    assert late == [[]] * 4
