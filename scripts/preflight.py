"""Say in one sentence what this machine lacks for `make setup`, or nothing.

Runs before anything is installed, so it uses the standard library only and stays readable for Python 2.7 and
every Python 3: an old interpreter prints the sentence instead of a syntax error.
"""

from __future__ import print_function

import collections
import os
import platform
import struct
import sys
import sysconfig

OLDEST = (3, 11)
LATEST = (3, 14)  # onnxruntime 1.31 has neither a build for a later one nor a source package
POCKETSPHINX_BUILDS = ((3, 11), (3, 13))  # the versions that pocketsphinx 5.1.1 has ready builds for
ONNXRUNTIME_BUILDS = (("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64"))
COMPILERS = ("cc", "gcc", "clang")

Machine = collections.namedtuple(
    "Machine", "python version system architecture has_glibc has_venv has_compiler has_headers"
)


def this_machine():
    # type: () -> Machine
    """What this interpreter and its machine offer; `version` is (major, minor), `python` the interpreter's path."""
    return Machine(
        python=sys.executable or "python",
        version=tuple(sys.version_info[:2]),
        system=platform.system(),
        architecture=platform.machine() if struct.calcsize("P") >= 8 else "32-bit " + platform.machine(),
        has_glibc="musl" not in (sysconfig.get_config_var("HOST_GNU_TYPE") or ""),
        has_venv=_has_venv(),
        has_compiler=any(_is_on_path(name) for name in COMPILERS),
        has_headers=os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")),
    )


def problem(machine):
    # type: (Machine) -> str | None
    """The first thing that stands in the way, as one sentence with what to do about it; None if nothing does."""
    for check in (_system, _version, _venv, _compiler):
        sentence = check(machine)
        if sentence:
            return sentence
    return None


def _system(machine):
    # type: (Machine) -> str | None
    if machine.system == "Windows":
        return "vivavoce runs on Linux and macOS; on Windows use it inside WSL 2."
    if (machine.system, machine.architecture) not in ONNXRUNTIME_BUILDS:
        return (
            "vivavoce runs on 64-bit Linux (x86_64, aarch64) and macOS (arm64), because onnxruntime has no build for "
            "%s %s." % (machine.system, machine.architecture)
        )
    if not machine.has_glibc:
        return "vivavoce needs a Linux with glibc, because onnxruntime has no build for musl (as on Alpine)."
    return None


def _version(machine):
    # type: (Machine) -> str | None
    if OLDEST <= machine.version <= LATEST:
        return None
    return (
        "vivavoce needs Python %d.%d to %d.%d, and %s is Python %d.%d: install one of those, "
        "or name it with make PYTHON=/path/to/python3." % (OLDEST + LATEST + (machine.python,) + machine.version)
    )


def _venv(machine):
    # type: (Machine) -> str | None
    if machine.has_venv:
        return None
    return (
        "the venv module of %s is missing: install it (on Debian and Ubuntu the package python%d.%d-venv) "
        "and run make again." % ((machine.python,) + machine.version)
    )


def _compiler(machine):
    # type: (Machine) -> str | None
    if machine.version in POCKETSPHINX_BUILDS or (machine.has_compiler and machine.has_headers):
        return None
    missing = "a C compiler such as gcc"
    if machine.has_compiler:
        missing = "Python.h (on Debian and Ubuntu in the package python%d.%d-dev)" % machine.version
    ready = " or ".join("%d.%d" % version for version in POCKETSPHINX_BUILDS)
    return (
        "pocketsphinx has no ready build for Python %d.%d, and %s is missing to build it: install that, or Python %s."
        % (machine.version + (missing, ready))
    )


def _has_venv():
    # type: () -> bool
    try:
        __import__("venv")
        __import__("ensurepip")  # Debian packs it apart from Python, in python3-venv
    except ImportError:
        return False
    return True


def _is_on_path(name):
    # type: (str) -> bool
    folders = os.environ.get("PATH", "").split(os.pathsep)
    return any(os.access(os.path.join(folder, name), os.X_OK) for folder in folders if folder)


if __name__ == "__main__":
    found = problem(this_machine())
    if found:
        print("vivavoce: " + found, file=sys.stderr)
        sys.exit(1)
