"""Figures: a value with its unit and the bound it is held against."""

import statistics
from collections.abc import Sequence

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """One measured value; `bound` is the most it should be, None if it is only told."""

    name: str
    value: float
    unit: str
    bound: float | None = None

    def line(self) -> str:
        """Return the figure as a line of text."""
        verdict = "" if self.bound is None else f"   bound {self.bound:g} {self.unit}: {self._verdict()}"
        return f"  {self.name:<58} {self.value:>9.1f} {self.unit}{verdict}"

    def _verdict(self) -> str:
        return "ok" if self.bound is not None and self.value <= self.bound else "MISSED"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the values lie, without interpolation."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(name: str, values: Sequence[float], unit: str, bound: float | None = None) -> list[Figure]:
    """Return median and 95th percentile; the bound is on the median."""
    return [
        Figure(f"{name}, median of {len(values)}", statistics.median(values), unit, bound),
        Figure(f"{name}, p95", percentile(values, 0.95), unit),
    ]
