"""`python -m bench [--quick] [--json PATH] [NAME ...]`: runs all benchmarks or those named and prints their figures."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.figures import Figure

BENCHMARKS: Final = (
    "turns",
    "barge_in",
    "page",
    "handle",
    "resources",
    "stock_client",
    "hostile",
    "mutations",
    "passive",
    "model_check",
    "semantic",
    "noise",
    "hybrid",
    "rollover",
    "relay",
)
WITH_OPTIONS: Final = frozenset({"relay"})  # these know `--quick` and `--json`


def main(words: Sequence[str]) -> int:
    """Run benchmarks; return 1 if a bound was missed."""
    options = _parser().parse_args(words)
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        print(f"unknown benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    missed = 0
    for name in options.names or BENCHMARKS:
        module = importlib.import_module(f"bench.{name}")
        print(f"{name}: {(module.__doc__ or name).splitlines()[0]}", flush=True)
        chosen = {"is_quick": options.quick, "json_path": options.json} if name in WITH_OPTIONS else {}
        figures: list[Figure] = module.run(**chosen)
        for figure in figures:
            print(figure.line(), flush=True)
            missed += figure.bound is not None and figure.value > figure.bound
    return 1 if missed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="measure for a shorter time (relay)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write all figures there as well (relay)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
