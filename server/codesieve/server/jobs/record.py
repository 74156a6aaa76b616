"""What has become of a job's samples: counted while it runs, and read back from its events when it goes on elsewhere."""

from __future__ import annotations

import collections
import dataclasses
import datetime
from collections.abc import AsyncIterator

from codesieve.server.evaluation.report import ScoredSample, build
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
from codesieve.server.jobs.store import Happened, JobStore
from codesieve.workers.types import Judgement, Sample, Verdict

_PAGE = 1024


class Record:
    """The counts of one job, small enough to be kept for each of its samples."""

    def __init__(self, samples_total: int) -> None:
        self._total = samples_total
        self._scored: dict[str, ScoredSample] = {}
        self._verdicts: collections.Counter[Verdict] = collections.Counter()
        self._generated = 0
        self._first: datetime.datetime | None = None
        self._last: datetime.datetime | None = None
        self.judged: set[str] = set()
        """The samples that have a verdict, or ended without one."""
        self.unjudged = 0
        self.last_trouble = ""

    def note(self, happened: Happened) -> None:
        """Counts one happening, each once and in order."""
        happening = happened.happening
        if isinstance(happening, SampleGenerated):
            sample = happening.sample
            self._first = self._first or happened.time
            self._generated += 1
            self._scored[sample.sample_id] = ScoredSample(
                sample.problem_id, sample.temperature, sample.index, None, sample.token_count, sample.cumulative_logprob
            )
        elif isinstance(happening, SampleJudged):
            self._last = happened.time
            self.judged.add(happening.sample_id)
            if isinstance(happening.outcome, Judgement):
                verdict = happening.outcome.verdict
                self._verdicts[verdict] += 1
                scored = self._scored[happening.sample_id]
                self._scored[happening.sample_id] = dataclasses.replace(scored, passed=verdict is Verdict.PASSED)
            else:
                self.unjudged += 1
                self.last_trouble = happening.outcome.message

    def progress(self) -> Progress:
        return Progress(
            samples_total=self._total,
            samples_generated=self._generated,
            samples_judged=len(self.judged),
            samples_unjudged=self.unjudged,
            verdicts={verdict.value: count for verdict, count in self._verdicts.items()},
        )

    def report(self, job: Job, contents: JobContents, sandbox: str) -> Report:
        """Takes seconds for millions of samples."""
        wall = (self._last - self._first).total_seconds() if self._first is not None and self._last is not None else 0.0
        scored = [one for one in self._scored.values() if one.passed is not None]
        return Report(
            temperatures=build(scored, job.spec.ks, temperatures(job.spec, contents)),
            judge=JudgeReport(
                programs_per_second=len(self.judged) / wall if wall > 0 else 0.0, wall_seconds=wall, sandbox=sandbox
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


async def resume(store: JobStore, job: Job) -> Resumed:
    """Reads a job's events from the first to the last."""
    record = Record(job.progress.samples_total)
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
