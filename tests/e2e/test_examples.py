"""The programs in examples/ do what they say, against a server as it comes."""

import json
import subprocess
import sys
from pathlib import Path

from bench.recognition import recognised
from tests.e2e.conftest import Say
from tests.e2e.talking import said
from vivavoce.audio.wav import read_wav, write_wav
from vivavoce.testing.wer import content_word_recall

EXAMPLES = Path(__file__).parents[2] / "examples"
TIMEOUT_S = 90


def test_the_orchestrator_hears_thinks_calls_a_tool_and_says_exactly_what_it_thought(
    server: str, say: Say, tmp_path: Path
) -> None:
    question, answer = tmp_path / "question.wav", tmp_path / "answer.wav"
    write_wav(question, bytes(24_000) + say("How many orders do I have?"), 24_000)

    ended = subprocess.run(
        [sys.executable, EXAMPLES / "orchestrator.py", question, "--out", answer, "--url", f"http://{server}/v1"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    (turn,) = [json.loads(line) for line in ended.stdout.splitlines()]
    assert turn["heard"]
    spoken = read_wav(answer)
    assert content_word_recall(turn["said"], recognised(spoken.pcm)) >= 0.5, said(turn["said"])
