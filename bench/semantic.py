"""False cut-offs and delay of `semantic_vad` per eagerness, against `server_vad` with 500 ms of silence.

Spoken sentences with pauses of 300 to 1500 ms: where a sentence may not end ("I would like | a table") and where it
might ("I live in London | with my family"). The delay is that of the end of the turn after the last sound.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from bench.figures import Figure, percentile
from bench.semantic_speech import WINDOW_MS, Take, record_takes
from vivavoce.core.completeness import completeness
from vivavoce.core.endpointing import EARLIEST_COMMIT_MS, NO_PAUSES, Eagerness, Pauses, needed_silence_ms

SERVER_VAD_MS: Final = 500
EAGERNESSES: Final[tuple[Eagerness, ...]] = ("high", "medium", "low")
MOST_OPEN_CUTS: Final[dict[Eagerness, float]] = {"high": 40.0, "medium": 30.0, "low": 25.0}  # percent
MOST_DELAY_MS: Final[dict[Eagerness, float]] = {"high": 400.0, "medium": 550.0, "low": 1_000.0}

# (words, sound, pauses) -> ms of silence that end the turn
Policy = Callable[[float, float | None, Pauses], int]


class Outcome(msgspec.Struct, frozen=True):
    """A policy over all takes: shares of pauses that ended the turn, in percent, and delays after the last sound."""

    name: str
    open_cuts: float
    closed_cuts: float
    delay_ms: float
    delay_p95_ms: float

    def line(self) -> str:
        """Return a row of the table."""
        return (
            f"  {self.name:<24}{self.open_cuts:>12.0f} %{self.closed_cuts:>12.0f} %"
            f"{self.delay_ms:>12.0f} ms{self.delay_p95_ms:>12.0f} ms"
        )


HEADING: Final = f"  {'turn detection':<24}{'cut, open':>14}{'cut, closed':>14}{'delay, median':>15}{'p95':>15}"


def ended_ms(take: Take, policy: Policy, *, hears: bool) -> int:
    """Return when the policy ends the turn. `hears`: with the turn scorer."""
    pauses = NO_PAUSES
    before_ms = 0
    for moment in take.moments:
        if before_ms >= EARLIEST_COMMIT_MS and not moment.silence_ms:
            pauses = pauses.with_pause(before_ms)
        before_ms = moment.silence_ms
        needed_ms = policy(completeness(moment.text), moment.sound if hears else None, pauses)
        if moment.silence_ms >= needed_ms:
            return max(moment.end_ms - moment.silence_ms + needed_ms, moment.end_ms - WINDOW_MS)
    last = take.moments[-1]  # the words stay as they are from here on
    return last.end_ms - last.silence_ms + policy(completeness(last.text), last.sound if hears else None, pauses)


def judge(name: str, takes: Sequence[Take], policy: Policy, *, hears: bool = False) -> Outcome:
    """Return how a policy does."""
    ends = [(take, ended_ms(take, policy, hears=hears)) for take in takes]
    cuts = {
        group: [take.resume_ms is not None and end < take.resume_ms for take, end in ends if take.group == group]
        for group in ("open", "closed")
    }
    delays = [end - take.end_ms for take, end in ends if end > take.end_ms - WINDOW_MS]
    shares = [100 * sum(cut) / len(cut) for cut in cuts.values()]
    return Outcome(name, shares[0], shares[1], percentile(delays, 0.5), percentile(delays, 0.95))


def with_true_words(take: Take) -> Take:
    """Return the take as a recogniser without errors would have heard it."""
    first, _, _ = take.text.lower().partition("|")
    full = take.text.lower().replace("| ", "")
    resumed_ms = take.resume_ms or 0
    goes_on_ms = next(m.end_ms for m in take.moments if m.end_ms > resumed_ms and not m.silence_ms)
    return msgspec.structs.replace(
        take,
        moments=tuple(
            msgspec.structs.replace(moment, text=first if moment.end_ms < goes_on_ms else full)
            for moment in take.moments
        ),
    )


def outcomes(takes: Sequence[Take]) -> list[Outcome]:
    """Return the rows of the table."""
    rows = [judge(f"server_vad {SERVER_VAD_MS} ms", takes, lambda words, sound, pauses: SERVER_VAD_MS)]
    true_takes = [with_true_words(take) for take in takes]
    for eagerness in EAGERNESSES:
        policy = functools.partial(needed_silence_ms, eagerness)
        rows.append(judge(f"semantic_vad {eagerness}", takes, policy))
        if any(moment.sound is not None for take in takes for moment in take.moments):
            rows.append(judge("  with the sound's score", takes, policy, hears=True))
        rows.append(judge("  with the true words", true_takes, policy))
    return rows


def run() -> list[Figure]:
    """Print the table; return cut-offs at open pauses and the delay per eagerness, by words alone."""
    rows = outcomes(record_takes())
    print(HEADING)
    for row in rows:
        print(row.line(), flush=True)
    figures: list[Figure] = []
    for eagerness in EAGERNESSES:
        row = next(row for row in rows if row.name == f"semantic_vad {eagerness}")
        figures.append(
            Figure(f"{eagerness}: turns ended at open pauses", row.open_cuts, "%", MOST_OPEN_CUTS[eagerness])
        )
        figures.append(Figure(f"{eagerness}: end after last sound", row.delay_ms, "ms", MOST_DELAY_MS[eagerness]))
    return figures
