"""Benchmarks: each prints figures with a unit and a bound, as medians and ratios taken in one run."""
