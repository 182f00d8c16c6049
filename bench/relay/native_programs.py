"""The two small C programs of the benchmark, compiled when it runs: the load and the byte pump."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

SOURCES: Final = Path(__file__).parent / "native"
OPTIONS: Final = ("-O2", "-Wall", "-Wextra", "-Werror")


def compiler() -> str | None:
    """Return the path of a C compiler, None if this machine has none."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def compile_program(name: str, folder: Path) -> Path:
    """Compile `native/NAME.c` into a folder and return the program.

    Raises:
        RuntimeError: there is no compiler, or it reports an error.
    """
    program, path = folder / name, compiler()
    if path is None:
        raise RuntimeError("expected a C compiler (cc, gcc or clang), found none")
    command = [path, *OPTIONS, "-o", str(program), str(SOURCES / f"{name}.c"), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name}.c does not compile: {done.stderr[-500:]}")
    return program
