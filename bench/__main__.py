"""`python -m bench [NAME ...]`: runs the benchmarks, or those named, and prints their figures."""

import importlib
import sys
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
)


def main(names: list[str]) -> int:
    """Run benchmarks; return 1 if a bound was missed."""
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        print(f"unknown benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    missed = 0
    for name in names or BENCHMARKS:
        module = importlib.import_module(f"bench.{name}")
        print(f"{name}: {(module.__doc__ or name).splitlines()[0]}", flush=True)
        figures: list[Figure] = module.run()
        for figure in figures:
            print(figure.line(), flush=True)
            missed += figure.bound is not None and figure.value > figure.bound
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
