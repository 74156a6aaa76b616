"""What a job's samples cost the front end in memory: each one in flight, and each one that is finished.

    python -m tests.benchmarks.bench_front_memory [--samples 20000 100000] [--flights 512 4096] [--directory DIR]

Jobs run in this process as in a server: manager, pipeline, pools, recorder, record, and SQLite in a file. Only the workers
are stubs, which answer at once and hold nothing but ids, so that what is measured is the front end's. Each job has a
process of its own, and Python's own count of its memory (tracemalloc) is read all along.

- *In flight*: how much higher the peak is with more samples in flight, for each of them.
- *Finished*: how much more is held late in a job than early in it, for each sample that was finished between.
- *Planned*: how much higher the peak is in a larger job, for each sample of it, its report at the end included.

Completions are 279 bytes long. It ends with status 1 where a finished sample costs more than `FLAT` bytes, which is what
the readings' noise comes to.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import dataclasses
import datetime
import multiprocessing
import resource
import statistics
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from rich.console import Console
from rich.table import Table

from codesieve.server.callers import ANYONE
from codesieve.server.door import OpenDoor
from codesieve.server.jobs.manager import JobManager
from codesieve.server.jobs.model import GenerationSpec, JobContents, JobKey, JobSpec, JobState
from codesieve.server.jobs.stores import open_store
from codesieve.server.metrics import Metrics
from codesieve.server.models import ModelRegistry
from codesieve.server.pools import Pool
from codesieve.server.quotas import Quotas
from codesieve.workers.types import (
    FunctionTests,
    Generated,
    Integrity,
    Judgement,
    Limits,
    Problem,
    Program,
    Verdict,
    WorkerInfo,
)

PROBLEMS = 164
COMPLETION = b"    return sorted(set(numbers))\n" * 9
MOST_IN_FLIGHT = 1024
FLAT = 16.0
EARLY, LATE = (0.15, 0.3), (0.8, 0.95)
"""Shares of a job between which what is held is read."""


class Stub:
    """A worker that answers at once, a few pieces at a time."""

    def __init__(self, capacity: int, answer: Callable[[str], Any]) -> None:
        self._capacity = capacity
        self._answer = answer
        self._waiting: collections.deque[str] = collections.deque()
        self._some = asyncio.Event()

    async def start(self) -> WorkerInfo:
        return WorkerInfo("stub", self._capacity)

    async def submit(self, work: Sequence[Any]) -> None:
        self._waiting += [piece.work_id for piece in work]
        self._some.set()

    async def cancel(self, work_ids: Sequence[str]) -> None:
        raise AssertionError("nothing is cancelled")

    async def collect(self, max_wait_seconds: float) -> Sequence[Any]:
        await self._some.wait()
        await asyncio.sleep(0)
        answers = [self._answer(self._waiting.popleft()) for _ in range(min(len(self._waiting), 64))]
        if not self._waiting:
            self._some.clear()
        return answers

    async def stop(self) -> None:
        """Holds nothing."""


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """One job. Sizes are in bytes."""

    samples: int
    flight: int
    peak: int
    early: float
    late: float
    resident: int
    """The process's largest resident set."""

    @property
    def finished_bytes(self) -> float:
        """Held for each sample that was finished."""
        return (self.late - self.early) / (self.samples * (sum(LATE) - sum(EARLY)) / 2)


def measure_job(samples: int, flight: int, directory: Path) -> Measured:
    """In a fresh process."""
    with tempfile.TemporaryDirectory(prefix="codesieve-bench-", dir=directory) as home:
        return asyncio.run(run_job(samples, flight, str(Path(home) / "jobs.db")))


async def run_job(samples: int, flight: int, store_url: str) -> Measured:
    readings: dict[tuple[float, float], list[int]] = {EARLY: [], LATE: []}
    judged = 0
    total = samples // PROBLEMS * PROBLEMS

    def judgement(work_id: str) -> Judgement:
        nonlocal judged
        judged += 1
        for window, read in readings.items():
            if judged % 100 == 0 and window[0] <= judged / total <= window[1]:
                read.append(tracemalloc.get_traced_memory()[0])
        verdict = Verdict.PASSED if judged % 3 == 0 else Verdict.FAILED
        return Judgement(work_id, verdict, Integrity.SPLIT, "", 0.01, 0.004, 9_000_000)

    capacity = flight // 4  # a job has twice of both workers' capacity in flight
    store = await open_store(store_url)
    models = ModelRegistry(
        lambda name, source: Pool(
            "generation", lambda: Stub(capacity, lambda work_id: Generated(work_id, COMPLETION, 90, -40.5)), 1
        )
    )
    cells: Pool[Program, Judgement] = Pool("sandbox", lambda: Stub(capacity, judgement), 1)
    model = await models.load("replay:stub.jsonl")
    await cells.start()
    manager = JobManager(
        store,
        "bench",
        models,
        cells,
        "stub",
        Metrics(CollectorRegistry()),
        Quotas(OpenDoor().quota_of),
        now=lambda: datetime.datetime.now(datetime.UTC),
    )
    manager.start()
    problems = tuple(
        Problem(f"HumanEval/{i}", f"def f{i}():\n", f"f{i}", FunctionTests("def check(candidate): pass"))
        for i in range(PROBLEMS)
    )
    generation = GenerationSpec(model.model_id, (0.8,), total // PROBLEMS, 0.95, 512, (), seed=1)
    spec = JobSpec(generation, Limits(), (1, 10, 100), "bench", 0)
    key = JobKey(ANYONE.name, "j")
    tracemalloc.start()
    await manager.create(ANYONE, "j", spec, JobContents(problems, None))
    while not (job := await manager.get(key)).state.ended:  # noqa: ASYNC110 - following it would read every event
        await asyncio.sleep(0.2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert job.state is JobState.SUCCEEDED, job
    assert sum(job.progress.verdicts.values()) == total, job
    await manager.drain(0)
    await models.stop()
    await cells.stop()
    await store.close()
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    early, late = (statistics.fmean(readings[window]) for window in (EARLY, LATE))
    return Measured(total, flight, peak, early, late, resident)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures what a job's samples cost the front end in memory.")
    parser.add_argument("--samples", type=int, nargs=2, default=(20_000, 100_000), help="of a small and a large job")
    parser.add_argument("--flights", type=int, nargs=2, default=(512, 4096), help="a small and a large bound")
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp"), help="where SQLite's file lies: on a disk")
    options = parser.parse_args()
    (small, large), (few, many) = options.samples, options.flights
    jobs = [(small, few), (small, many), (large, few)]
    table = Table(title="one job each, in a process of its own", title_justify="left")
    for column in ("samples", "in flight", "peak", "held early", "held late", "resident, at most"):
        table.add_column(column, justify="right")
    measured: list[Measured] = []
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as processes:
        for samples, flight in jobs:
            one = processes.submit(measure_job, samples, flight, options.directory).result()
            measured.append(one)
            sizes = (f"{size / 2**20:.2f} MiB" for size in (one.peak, one.early, one.late, one.resident))
            table.add_row(f"{one.samples:,}", f"{one.flight:,}", *sizes)
    base, more_in_flight, larger = measured
    in_flight = (more_in_flight.peak - base.peak) / (more_in_flight.flight - base.flight)
    planned = (larger.peak - base.peak) / (larger.samples - base.samples)
    console = Console(highlight=False)
    console.print(table)
    console.print(f"each sample in flight: {in_flight:,.0f} bytes; the goal is less than {MOST_IN_FLIGHT:,}")
    console.print(f"each sample finished:  {larger.finished_bytes:,.1f} bytes")
    console.print(f"each sample planned:   {planned:,.1f} bytes")
    return 1 if larger.finished_bytes > FLAT else 0


if __name__ == "__main__":
    sys.exit(main())
