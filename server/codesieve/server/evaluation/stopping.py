"""Early stop: no more samples of a problem once its pass rate is known well enough, and pass@k that stays unbiased.

Short samples finish first, and they are another lot than long ones, so a rule that looked at verdicts as they come would
choose which ones it sees. This one looks at them in the order of their index: a problem stops at the first n at which its
first n judged samples satisfy the rule. Samples that ended without a verdict are left out, which has nothing to do with
what they were. Whatever was made beyond the stop counts in no figure.

The rule knows n and the passes s among them only, so it is a set of points at which the walk (n, s) stops. Given where it
stopped, each way of getting there is as likely as any other, whatever the pass rate p is. The chance that the first k
samples all fail is (1-p)^k. So 1 - the share of the ways to (n, s) that begin with k failures, and meet no point to stop at
on the way, estimates pass@k = 1 - (1-p)^k without a bias (Girshick, Mosteller and Savage 1946, by Rao and Blackwell).
Without a rule this is Chen et al. 2021, equation 1; after "c passes" it is 1 - C(n-1-k, c-1) / C(n-1, c-1), which for k = 1
is Haldane's (c-1) / (n-1) of 1945. Equation 1 itself would be biased after a stop. A walk that stops before k samples has to
have met a pass, or it could not be said whether k would all have failed.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from codesieve.server.evaluation.sample import PASSED, UNJUDGED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

Z = 1.959963984540054
"""Of a 95 % interval."""
ROUND = 8
"""Samples of a problem that are offered together, once it may stop at any."""


@dataclasses.dataclass(frozen=True, slots=True)
class EarlyStop:
    """When a problem, at one temperature, needs no more samples: once either bound that is set is reached."""

    passes: int = 0
    """So many samples passed; 0 for no such bound."""
    interval_width: float = 0.0
    """The pass rate's 95 % Wilson interval is at most so wide; 0 for no such bound."""
    min_samples: int = 0
    """Never before so many were judged."""

    def reached(self, n: Any, passed: Any) -> Any:
        """Whether to stop where of `n` judged samples `passed` passed: of numbers, or of arrays element by element."""
        stops = np.zeros(np.broadcast(n, passed).shape, np.bool_)
        if self.passes:
            stops = stops | (np.asarray(passed) >= self.passes)
        if self.interval_width:
            stops = stops | (wilson_width(n, passed) <= self.interval_width)
        return stops & (np.asarray(n) >= max(self.min_samples, 1))

    @property
    def fewest(self) -> int:
        """Samples before which no problem can stop."""
        return max(self.min_samples, 1 if self.interval_width else self.passes, 1)


def wilson_width(n: Any, passed: Any) -> Any:
    """How wide the 95 % Wilson score interval of a rate is. The same to the last bit for numbers and arrays."""
    n = np.asarray(n, np.float64)
    rate = passed / n
    return 2 * Z / (1 + Z * Z / n) * np.sqrt(rate * (1 - rate) / n + Z * Z / (4 * n * n))


class Course:
    """One problem's walk at one temperature, up to its stop or to the first sample that has not ended."""

    __slots__ = ("ended", "judged", "passed", "rule", "stopped")

    def __init__(self, rule: EarlyStop) -> None:
        self.rule = rule
        self.ended = 0
        """Samples looked at, those without a verdict included: the index at which it stands."""
        self.judged = 0
        self.passed = 0
        self.stopped = False

    def advance(self, outcomes: NDArray[np.int8]) -> bool:
        """Goes on as far as it can; whether it has stopped. `outcomes` holds what `ScoredSamples.passed` does."""
        while not self.stopped and self.ended < len(outcomes) and outcomes[self.ended] >= UNJUDGED:
            outcome = outcomes[self.ended]
            self.ended += 1
            if outcome != UNJUDGED:
                self.judged += 1
                self.passed += int(outcome == PASSED)
                self.stopped = bool(self.rule.reached(self.judged, self.passed))
        return self.stopped


def pass_at_ks(
    points: Collection[tuple[int, int]], ks: Sequence[int], rule: EarlyStop
) -> Mapping[tuple[int, int], Sequence[float]]:
    """pass@k for each of `ks`, for each point (n, passed) at which a walk under `rule` may have ended.

    It has stopped there, or there were no more samples; for the second case the k above n mean nothing. Ways are counted as
    logarithms, row by row: there are more of them than a float holds.
    """
    wanted: defaultdict[int, list[int]] = defaultdict(list)
    for n, passed in points:
        wanted[n].append(passed)
    last = max(wanted, default=0)
    places = np.arange(last + 1)
    # By passes: the logarithm of the ways to be there after n samples; the first row of all, then of those that begin with k
    # failures.
    ways = np.full((1 + len(ks), last + 1), -np.inf)
    ways[0, 0] = 0.0
    found: dict[tuple[int, int], Sequence[float]] = {}
    for n in range(1, last + 1):
        # What stood at a point to stop at went no further.
        if n > 1:
            ways[:, :n][:, rule.reached(n - 1, places[:n])] = -np.inf
        one_more = ways[:, :n].copy()
        ways[:, 1 : n + 1] = np.logaddexp(ways[:, 1 : n + 1], one_more)
        for row, k in enumerate(ks, 1):
            if n == k:
                ways[row, 0] = ways[0, 0]
        for passed in wanted.get(n, ()):
            if ways[0, passed] == -np.inf:
                raise ValueError(f"no walk under {rule} ends after {n} samples with {passed} passes")
            shares = ways[1:, passed] - ways[0, passed]
            found[n, passed] = [float(-np.expm1(min(share, 0.0))) for share in shares]
    return found
