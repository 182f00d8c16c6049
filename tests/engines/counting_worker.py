"""A worker process with a recogniser that counts: it shows what the pool does without the cost of a decoder.

Started by path. The transcript of an utterance is its length in ms; a sample of 31 000 kills the process.
"""

import importlib.util
import os
import socket
import sys
from pathlib import Path

FATAL = (31_000).to_bytes(2, "little")
COMMAND = (sys.executable, "-P", str(Path(__file__).resolve()))
WORKER = Path(__file__).parents[2] / "src/vivavoce/engines/stt/pocketsphinx_worker.py"


def main() -> None:
    spec = importlib.util.spec_from_file_location("wire", WORKER)
    assert spec is not None and spec.loader is not None
    wire = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(wire)

    class CountingRecogniser:
        def __init__(self) -> None:
            self.heard_bytes = 0

        def start(self) -> None:
            self.heard_bytes = 0

        def drop(self) -> None:
            self.heard_bytes = 0

        def decode(self, pcm: bytes) -> tuple[str, str]:
            if FATAL in pcm:
                os._exit(1)
            self.heard_bytes += len(pcm)
            return "", self.text()

        def finish(self) -> dict[str, object]:
            return {"text": self.text(), "words": []}

        def text(self) -> str:
            return f"{self.heard_bytes // 32} ms"

    with socket.socket(fileno=0) as peer:
        peer.sendall(wire.pack(wire.READY, 0))
        wire.Worker(peer, CountingRecogniser()).run()


if __name__ == "__main__":
    main()
