"""The table of what `vivavoce doctor` measured, for people."""

from collections.abc import Iterator, Sequence

from vivavoce.cli.measuring import SENTENCES, Figure, Measurement


def table(measurements: Sequence[Measurement], speaker: str) -> Iterator[str]:
    """Yield the lines of the table; `speaker` spoke the sentences, empty if nobody did."""
    if speaker:
        yield f"Measured with {len(SENTENCES)} sentences, spoken by {speaker}."
        yield "Synthesized speech is not human speech: compare engines by it, do not expect its error rate of people."
    for one in measurements:
        yield ""
        yield f"{one.stage}: {one.engine}" + (f"  ({one.detail})" if one.detail else "")
        for figure in one.figures:
            yield f"    {figure.name:<34} {_shown(figure):>12}"


def _shown(figure: Figure) -> str:
    if figure.unit == "x":
        return f"{figure.value:.3f} x"
    return f"{figure.value:.1f} {figure.unit}" if figure.value < 100 else f"{figure.value:.0f} {figure.unit}"
