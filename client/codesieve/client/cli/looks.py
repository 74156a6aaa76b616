"""What can be told from looking at a server again and again: rates, and how they went. Pure.

A rate is the difference of two looks' counts over that of their times, by the server's clock. Where counts are smaller than
before, or the server's start is another, it was started again: the look before it is forgotten, and rates begin anew.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping

from codesieve.client.server_types import Server, ServerTotals
from codesieve.client.types import Verdict

HISTORY = 30
"""How many rates are kept of each verdict."""
JobName = tuple[str, str]
"""Caller and id."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rates:
    """What happened between two looks, a second."""

    seconds: float
    """Between them."""
    generated: float
    verdicts: Mapping[Verdict, float]
    unjudged: float
    cached_share: float | None
    """Of the verdicts; None where there were none."""
    tokens: Mapping[str, float]
    """By model."""
    jobs: Mapping[JobName, float]
    """Samples that ended, of the jobs that both looks show."""

    @property
    def judged(self) -> float:
        return sum(self.verdicts.values())


def rates(before: Server, now: Server) -> Rates | None:
    """None where they can't be told: the server was started in between, or no time has passed."""
    seconds = (now.read_time - before.read_time).total_seconds()
    old, new = before.totals, now.totals
    if seconds <= 0 or now.start_time != before.start_time or _fell(old, new):
        return None
    judged = new.judged - old.judged
    known = {(each.caller, each.job_id): each.progress.judged for each in before.jobs}
    return Rates(
        seconds=seconds,
        generated=(new.generated - old.generated) / seconds,
        verdicts={kind: (count - old.verdicts.get(kind, 0)) / seconds for kind, count in new.verdicts.items()},
        unjudged=(new.unjudged - old.unjudged) / seconds,
        cached_share=min((new.cache_hits - old.cache_hits) / judged, 1.0) if judged else None,
        tokens={model: (count - old.tokens.get(model, 0)) / seconds for model, count in new.tokens.items()},
        jobs={
            name: max(each.progress.judged - known[name], 0) / seconds
            for each in now.jobs
            if (name := (each.caller, each.job_id)) in known
        },
    )


def _fell(old: ServerTotals, new: ServerTotals) -> bool:
    pairs = [(old.generated, new.generated), (old.unjudged, new.unjudged), (old.cache_hits, new.cache_hits)]
    pairs += [(count, new.verdicts.get(kind, 0)) for kind, count in old.verdicts.items()]
    pairs += [(count, new.tokens.get(model, 0)) for model, count in old.tokens.items()]
    return any(after < before for before, after in pairs)


class Looks:
    """The looks so far, as far as they count still."""

    def __init__(self) -> None:
        self._last: Server | None = None
        self._history: dict[Verdict, collections.deque[float]] = {}

    def add(self, server: Server) -> Rates | None:
        """Takes a look, and gives the rates since the one before it."""
        found = None if self._last is None else rates(self._last, server)
        self._last = server
        if found is None:
            self._history.clear()
            return None
        for kind, rate in found.verdicts.items():
            self._history.setdefault(kind, collections.deque(maxlen=HISTORY)).append(rate)
        return found

    def history(self, kind: Verdict) -> tuple[float, ...]:
        """A verdict's rates, the last one last."""
        return tuple(self._history.get(kind, ()))
