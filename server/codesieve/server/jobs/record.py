"""What has become of a job's samples: counted while it runs, and read back from its events when it goes on elsewhere."""

from __future__ import annotations

import collections
import dataclasses
import datetime
from collections.abc import AsyncIterator

import numpy as np

from codesieve.server.evaluation.report import build
from codesieve.server.evaluation.sample import MADE, NO_COUNT, NOT_MADE, ScoredSamples
from codesieve.server.evaluation.stopping import EarlyStop
from codesieve.server.jobs.early import EarlyStopper, outcome_code
from codesieve.server.jobs.model import (
    Job,
    JobContents,
    JobEvent,
    JobKey,
    JudgeReport,
    Progress,
    Report,
    SampleGenerated,
    SampleJudged,
    temperatures,
)
from codesieve.server.jobs.places import Places
from codesieve.server.jobs.store import Happened, JobStore
from codesieve.workers.types import Judgement, Sample, Verdict

_PAGE = 1024


class Record:
    """The counts of one job, and in arrays what its report needs of each sample.

    All of it is there from the start: nothing grows as samples are made and judged.
    """

    def __init__(self, places: Places, samples_total: int, early_stop: EarlyStop | None = None) -> None:
        self._places = places
        self._total = samples_total
        # Filled, so that the memory is taken now and not page by page while the job runs.
        self._passed = np.full(places.total, NOT_MADE, np.int8)
        self._stopper = None if early_stop is None else EarlyStopper(places, early_stop, self._passed)
        self._token_count = np.full(places.total, NO_COUNT, np.int32)
        self._logprob = np.full(places.total, np.nan)
        self._verdicts: collections.Counter[Verdict] = collections.Counter()
        self._generated = 0
        self._first: datetime.datetime | None = None
        self._last: datetime.datetime | None = None
        self.judged = 0
        """Samples that have a verdict, or ended without one."""
        self.unjudged = 0
        self.last_trouble = ""

    def begun(self, sample_id: str) -> bool:
        """Whether the sample is made, or ended without."""
        _, place = self._places.of(sample_id)
        return bool(self._passed[place] != NOT_MADE)

    def stopper(self) -> EarlyStopper | None:
        """One for the walk, which knows of verdicts before they are written; None where the job asks for no early stop."""
        return None if self._stopper is None else self._stopper.copy()

    def note(self, happened: Happened) -> None:
        """Counts one happening, each once and in order."""
        happening = happened.happening
        if isinstance(happening, SampleGenerated):
            sample = happening.sample
            self._first = self._first or happened.time
            self._generated += 1
            _, place = self._places.of(sample.sample_id)
            self._passed[place] = MADE
            if sample.token_count is not None:
                self._token_count[place] = sample.token_count
            if sample.cumulative_logprob is not None:
                self._logprob[place] = sample.cumulative_logprob
        elif isinstance(happening, SampleJudged):
            self._last = happened.time
            self.judged += 1
            _, place = self._places.of(happening.sample_id)
            self._passed[place] = outcome_code(happening.outcome)
            if self._stopper is not None:
                self._stopper.ended(happening.sample_id, happening.outcome)
            if isinstance(happening.outcome, Judgement):
                self._verdicts[happening.outcome.verdict] += 1
            else:
                self.unjudged += 1
                self.last_trouble = happening.outcome.message

    def progress(self) -> Progress:
        return Progress(
            samples_total=self._total,
            samples_generated=self._generated,
            samples_judged=self.judged,
            samples_unjudged=self.unjudged,
            samples_skipped=self._stopper.skipped if self._stopper is not None else 0,
            verdicts={verdict.value: count for verdict, count in self._verdicts.items()},
        )

    def report(self, job: Job, contents: JobContents, sandbox: str) -> Report:
        """Takes seconds for millions of samples."""
        wall = (self._last - self._first).total_seconds() if self._first is not None and self._last is not None else 0.0
        scored = (
            ScoredSamples(
                group.problem_id,
                group.temperature,
                self._passed[group.places],
                self._token_count[group.places],
                self._logprob[group.places],
            )
            for group in self._places.groups
        )
        return Report(
            temperatures=build(
                scored,
                job.spec.ks,
                temperatures(job.spec, contents),
                job.spec.early_stop,
                job.spec.counted_samples_per_problem,
            ),
            judge=JudgeReport(
                programs_per_second=self.judged / wall if wall > 0 else 0.0, wall_seconds=wall, sandbox=sandbox
            ),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Resumed:
    """Where a job goes on."""

    record: Record
    unjudged: tuple[Sample, ...]
    """Samples that are there and have no verdict yet, in their order."""
    sequence: int
    """Of the job's last event."""


async def resume(store: JobStore, job: Job, places: Places) -> Resumed:
    """Reads a job's events from the first to the last."""
    record = Record(places, job.progress.samples_total, job.spec.early_stop)
    waiting: dict[str, Sample] = {}
    sequence = 0
    async for event in _events(store, job.key):
        record.note(Happened(event.time, event.happening))
        if isinstance(event.happening, SampleGenerated):
            waiting[event.happening.sample.sample_id] = event.happening.sample
        elif isinstance(event.happening, SampleJudged):
            waiting.pop(event.happening.sample_id, None)
        sequence = event.sequence
    return Resumed(record, tuple(waiting.values()), sequence)


async def samples_of(store: JobStore, job: Job) -> tuple[Sample, ...]:
    """Every sample that a job has, in the order in which they came."""
    samples = [
        event.happening.sample
        async for event in _events(store, job.key)
        if isinstance(event.happening, SampleGenerated)
    ]
    return tuple(samples)


async def _events(store: JobStore, key: JobKey) -> AsyncIterator[JobEvent]:
    """A job's events so far."""
    sequence = 0
    while page := await store.events(key, sequence, _PAGE):
        for event in page:
            yield event
        sequence = page[-1].sequence
