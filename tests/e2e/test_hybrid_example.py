"""The example of a hybrid pipeline does what it says, with a stand-in where there is no chat server."""

import json
import socket
import subprocess
import sys
from pathlib import Path

from bench.recognition import recognised
from tests.e2e.talking import said
from vivavoce.audio.wav import read_wav
from vivavoce.testing.wer import content_word_recall

EXAMPLE = Path(__file__).parents[2] / "examples" / "hybrid.py"
TIMEOUT_S = 90


def test_a_question_is_answered_by_the_chat_server_and_spoken_by_ours(tmp_path: Path) -> None:
    out = tmp_path / "answer.wav"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"

        ended = subprocess.run(
            [sys.executable, EXAMPLE, "Is it raining today?", "--chat", nobody, "--out", out],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            cwd=tmp_path,
        )

    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["answer"].startswith("You asked: Is it raining today?")
    assert told["stages"]["llm"] == "chat-completions"
    assert told["stages"]["vad"] == "silero"
    assert content_word_recall(told["answer"], recognised(read_wav(out).pcm)) >= 0.5, said(told["answer"])
