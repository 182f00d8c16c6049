"""Environments of the relays of others: `python -m bench.relay.peers` installs them from `bench/peers/NAME.txt`.

LiteLLM with its proxy takes about 740 MB, so no benchmark installs it unasked.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PINS: Final = ROOT / "bench" / "peers"
ENVIRONMENTS: Final = ROOT / ".venv" / "peers"
INSTALL: Final = "python -m bench.relay.peers"


def python_of(name: str) -> Path:
    """Return where the interpreter of a peer's environment is, installed or not."""
    return ENVIRONMENTS / name / "bin" / "python"


def install(name: str) -> None:
    """Make a peer's environment from its pins, with the user's own pip or uv settings."""
    folder, pins = ENVIRONMENTS / name, PINS / f"{name}.txt"
    shutil.rmtree(folder, ignore_errors=True)
    uv = shutil.which("uv")
    subprocess.run([sys.executable, "-m", "venv", *(["--without-pip"] if uv else []), str(folder)], check=True)
    python = str(python_of(name))
    pip = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    subprocess.run([*pip, "--quiet", "--no-deps", "-r", str(pins)], check=True)


if __name__ == "__main__":
    for path in sorted(PINS.glob("*.txt")):
        if not python_of(path.stem).exists():
            print(f"installing {path.stem}", flush=True)
            install(path.stem)
