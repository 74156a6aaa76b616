"""Which of a job's samples are still wanted, where it asks for early stop: `evaluation.stopping` on all its problems.

What it says depends on how samples ended, never on the order in which they did. So it comes to the same stops again in
another front end that is told the same, which reads it from the job's events.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesieve.server.evaluation.sample import NOT_PASSED, PASSED, UNJUDGED
from codesieve.server.evaluation.stopping import Course, EarlyStop
from codesieve.server.jobs.places import Group, Places
from codesieve.workers.types import Judgement, Verdict, WorkFailed


def outcome_code(outcome: Judgement | WorkFailed) -> int:
    """A sample's end as `ScoredSamples.passed` holds it."""
    if isinstance(outcome, WorkFailed):
        return UNJUDGED
    return PASSED if outcome.verdict is Verdict.PASSED else NOT_PASSED


class EarlyStopper:
    """Is told how each sample ended. `passed` holds by place what `ScoredSamples.passed` does, and is written to."""

    def __init__(self, places: Places, rule: EarlyStop, passed: NDArray[np.int8]) -> None:
        self._places = places
        self._rule = rule
        self._passed = passed
        self._courses = {group: Course(rule) for group in places.groups}
        self.skipped = 0
        """Samples that have not ended and needn't, because their problem has stopped."""
        for group in places.groups:
            self._advance(group)

    def copy(self) -> EarlyStopper:
        """Another that knows the same, and is told by itself from now on."""
        return EarlyStopper(self._places, self._rule, self._passed.copy())

    def group(self, sample_id: str) -> Group:
        """The problem and the temperature of a sample."""
        group, _ = self._places.of(sample_id)
        return group

    def wants(self, group: Group) -> bool:
        """Whether samples of this problem and temperature that have not ended are wanted."""
        return not self._courses[group].stopped

    def ended(self, sample_id: str, outcome: Judgement | WorkFailed) -> None:
        """Takes a sample's end, once for each sample."""
        group, place = self._places.of(sample_id)
        self._passed[place] = outcome_code(outcome)
        if self._courses[group].stopped:
            self.skipped -= 1  # it was under way already
        else:
            self._advance(group)

    def _advance(self, group: Group) -> None:
        outcomes = self._passed[group.places]
        if self._courses[group].advance(outcomes):
            self.skipped += int((outcomes < UNJUDGED).sum())
