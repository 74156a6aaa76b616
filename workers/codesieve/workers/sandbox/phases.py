"""Where the time of a program goes in a sandbox worker, from its coming to its judgement.

Four phases that add up to the whole: it *waits* until it holds a cell, *forks* until its process is ready (the judge of its
tests may be forked for it as well), *runs* until that has ended, with its tests working in between where they are apart from
it, and all the rest is *compare*: a judge for another owner, what tests and checkers do without it, cleaning the cell,
the way to and from it, comparing, and whatever came to nothing because a cell was lost.

A program may run several times: its cases are runs of their own, tests that can't be split cost it a second one, and it is
judged again after a lost cell or alone. Each phase is summed over all of these, and so counts once for the whole program.
How long it forked and ran is what the judge inside the cell and the agent saw, by the clock there. No time is the program's
word, so it is ready when the judge comes to see that it is: some 0.3 ms late, and more where the cell's CPU is busy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codesieve.workers.sandbox.judge import Seen


@dataclasses.dataclass(frozen=True, slots=True)
class Phases:
    """Of one program that was judged."""

    wait_seconds: float
    fork_seconds: float
    run_seconds: float
    compare_seconds: float


class Stopwatch:
    """Of one program, from when it is made."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._began = now()
        self._wait = self._fork = self._run = 0.0

    def waited(self, since: float) -> None:
        """It holds a cell, for which it had to wait."""
        self._wait += self._now() - since

    def ran(self, seen: Seen) -> None:
        """It ran in its cell, once more perhaps."""
        self._fork += seen.fork_seconds
        self._run += seen.run_seconds

    def phases(self) -> Phases:
        """Up to now; what isn't of the first three is of the last."""
        known = self._wait + self._fork + self._run
        # A sandbox with a clock of its own (gVisor) may tell a little more than has passed here.
        rest = max(0.0, self._now() - self._began - known)
        return Phases(self._wait, self._fork, self._run, rest)
