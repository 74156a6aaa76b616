"""What keeping jobs in a database costs: memory, SQLite and PostgreSQL, in turn, in one run.

    python -m tests.benchmarks.bench_store [--events 20000] [--rounds 5] [--repeats 4] [--directory DIR]

Three things are measured. How many events a second a job's recorder writes, each sample being made and judged, with a
judgement as HumanEval gives it. How long it takes to read such a job again, as a front end does that goes on with it, and
the memory that its record takes. And how many programs a second a job judges in namespaces' cells, with each store in turn,
round after round: the cells, the store and PostgreSQL share the machine, so what a store takes the cells lack. The medians'
ratio to memory is what counts; it ends with status 1 where a store costs more than a tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import datetime
import gc
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry
from rich.console import Console
from rich.table import Table
from tests.postgres import Postgres, missing

from codesieve.server import datasets
from codesieve.server.callers import ANYONE
from codesieve.server.door import OpenDoor
from codesieve.server.jobs.manager import JobManager
from codesieve.server.jobs.model import (
    Job,
    JobContents,
    JobKey,
    JobSpec,
    JobState,
    Progress,
    SampleGenerated,
    SampleJudged,
    request_digest,
    sample_id,
)
from codesieve.server.jobs.places import Places
from codesieve.server.jobs.record import Record, resume
from codesieve.server.jobs.recorder import Recorder
from codesieve.server.jobs.store import Admission, JobStore
from codesieve.server.jobs.stores import open_store
from codesieve.server.metrics import Metrics
from codesieve.server.models import GenerationPool, ModelRegistry
from codesieve.server.pools import Pool
from codesieve.server.quotas import Quotas
from codesieve.server.waits import Line
from codesieve.workers.sandbox.choose import choose_backend
from codesieve.workers.sandbox.worker import SandboxWorker
from codesieve.workers.types import Integrity, Judgement, Limits, Program, Sample, TestResult, Verdict

MOST = 0.10
"""What a store may cost."""


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@contextlib.asynccontextmanager
async def open_stores(directory: Path) -> AsyncIterator[Mapping[str, JobStore]]:
    """One of each kind, without jobs."""
    async with contextlib.AsyncExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="codesieve-bench-", dir=directory)))
        urls = {"memory": "memory", "SQLite": str(home / "jobs.db")}
        if missing() is None:
            urls["PostgreSQL"] = stack.enter_context(Postgres()).fresh()
        stores: dict[str, JobStore] = {}
        for name, url in urls.items():
            stores[name] = await open_store(url)
            stack.push_async_callback(stores[name].close)
        yield stores


def a_sample(number: int) -> Sample:
    problem_id, index = f"HumanEval/{number % 164}", number // 164
    return Sample(
        sample_id(problem_id, 0.8, index), problem_id, 0.8, index, b"    return x + %d\n" % number * 12, 90, -40.5
    )


def the_places(samples: int) -> Places:
    return Places({(f"HumanEval/{i}", 0.8): -(-samples // 164) for i in range(164)})


def a_judgement(index: int) -> Judgement:
    tests = tuple(
        TestResult(f"candidate([1, 2, {i}]) == {i}", Verdict.PASSED, "", b"[1.0, 2.0, 3.9]", b"True", 0.0002)
        for i in range(7)
    )
    return Judgement(f"w{index}", Verdict.PASSED, Integrity.SPLIT, "", 0.011, 0.004, 9_000_000, b"", b"", False, tests)


async def write(store: JobStore, samples: int) -> tuple[Job, float]:
    """A job of so many samples, and how many events a second were written."""
    spec, contents = JobSpec(None, Limits(), (1,), "bench", 0), JobContents((), ())
    job = Job(JobKey("", "bench"), spec, request_digest(spec, contents), JobState.PENDING, now(), Progress(samples))
    await store.create(job, contents, Admission())
    ((_, lease),) = await store.claim("bench", now(), now() + datetime.timedelta(hours=1), [], 1)
    metrics = Metrics(CollectorRegistry())
    line = Line(metrics.hops["store"].went_on, time.monotonic)
    record = Record(the_places(samples), samples)
    recorder = Recorder(store, lease, record, 1, now, lambda _: None, line, metrics.store_seconds.observe, {})
    writing = asyncio.create_task(recorder.write())
    begin = time.perf_counter()
    for index in range(samples):
        sample = a_sample(index)
        await recorder.emit(SampleGenerated(sample))
        await recorder.emit(SampleJudged(sample.sample_id, a_judgement(index)))
    await recorder.flush()
    rate = 2 * samples / (time.perf_counter() - begin)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    return job, rate


async def measure_events(stores: Mapping[str, JobStore], samples: int, table: Table) -> None:
    baseline = None
    for name, store in stores.items():
        job, rate = await write(store, samples)
        baseline = baseline or rate
        gc.collect()
        before = _resident_mib()
        begin = time.perf_counter()
        resumed = await resume(store, job, the_places(samples))
        seconds = time.perf_counter() - begin
        gc.collect()
        memory = _resident_mib() - before
        assert resumed.sequence == 1 + 2 * samples
        table.add_row(
            name, f"{rate:,.0f}", f"{rate / baseline:.2f}", f"{seconds:.1f} s", f"{memory:.0f} MiB", _peak_mib()
        )


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _peak_mib() -> str:
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:.0f} MiB"


@dataclasses.dataclass(frozen=True, slots=True)
class Judged:
    """What was measured of one job."""

    programs_per_second: float
    cpu_ms: float
    """Of this process (front end and sandbox worker, not the cells), for each program: it holds on a busy machine too."""


async def judge(store: JobStore, pool: Pool[Program, Judgement], repeats: int, mark: str) -> Judged:
    """One job. `mark` makes its programs unlike all others."""
    manager = JobManager(
        store,
        mark,
        ModelRegistry(_no_models),
        pool,
        "namespaces",
        Metrics(CollectorRegistry()),
        Quotas(OpenDoor().quota_of),
        now=now,
    )
    manager.start()
    problems = datasets.load("humaneval")
    samples = tuple(
        Sample(
            sample_id(problem.problem_id, None, i),
            problem.problem_id,
            None,
            i,
            f"{problem.canonical_solution}# {mark} {i}\n".encode(),
        )
        for problem in problems
        for i in range(repeats)
    )
    spec = JobSpec(None, Limits(), (1,), "bench", 0)
    cpu = time.process_time()
    await manager.create(ANYONE, mark, spec, JobContents(tuple(problems), samples))
    async for _ in manager.watch(JobKey(ANYONE.name, mark), 0):
        pass
    cpu = time.process_time() - cpu
    job = await manager.get(JobKey(ANYONE.name, mark))
    await manager.drain(0)
    assert job.progress.verdicts == {"PASSED": len(samples)}, job
    assert job.start_time is not None
    assert job.end_time is not None
    return Judged(len(samples) / (job.end_time - job.start_time).total_seconds(), cpu * 1e3 / len(samples))


def _no_models(name: str, source: str) -> GenerationPool:
    raise AssertionError


async def measure_judging(
    stores: Mapping[str, JobStore], rounds: int, repeats: int, console: Console
) -> Mapping[str, Judged]:
    """The medians of each store."""
    rates: dict[str, list[Judged]] = {name: [] for name in stores}
    with tempfile.TemporaryDirectory(prefix="codesieve-bench-") as runtime:
        backend = choose_backend("namespaces", None, None, Path(runtime))
        pool: Pool[Program, Judgement] = Pool(
            "sandbox", lambda: SandboxWorker(backend, cells=2 * (os.cpu_count() or 1)), 1
        )
        await pool.start()
        try:
            await judge(stores["memory"], pool, 1, "warm-up")
            for turn in range(rounds):
                order = list(stores)[turn % len(stores) :] + list(stores)[: turn % len(stores)]
                for name in order:
                    rates[name].append(await judge(stores[name], pool, repeats, f"{name.lower()}-{turn}"))
                said = ", ".join(f"{name} {rates[name][-1].programs_per_second:.0f}" for name in stores)
                console.print(f"round {turn + 1}: {said} programs/s", highlight=False)
        finally:
            await pool.stop()
    return {
        name: Judged(
            statistics.median(one.programs_per_second for one in each), statistics.median(one.cpu_ms for one in each)
        )
        for name, each in rates.items()
    }


async def measure(options: argparse.Namespace) -> int:
    console = Console()
    async with open_stores(options.directory) as stores:
        table = Table(title=f"a job of {options.events // 2} samples, {options.events} events", title_justify="left")
        for column in ("", "events/s written", "ratio", "read again", "its record", "peak so far"):
            table.add_column(column, justify="right")
        await measure_events(stores, options.events // 2, table)
        console.print(table)
    async with open_stores(options.directory) as stores:
        medians = await measure_judging(stores, options.rounds, options.repeats, console)
    table = Table(title=f"judging {164 * options.repeats} programs, {options.rounds} rounds", title_justify="left")
    for column in ("", "programs/s, median", "ratio to memory", "CPU of this process, ms a program"):
        table.add_column(column, justify="right")
    baseline = medians["memory"].programs_per_second
    for name, one in medians.items():
        ratio = one.programs_per_second / baseline
        table.add_row(name, f"{one.programs_per_second:.1f}", f"{ratio:.3f}", f"{one.cpu_ms:.2f}")
    console.print(table)
    return 1 if min(one.programs_per_second for one in medians.values()) < (1 - MOST) * baseline else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures what the stores of jobs cost.")
    parser.add_argument("--events", type=int, default=20_000, help="events of the job that is written and read")
    parser.add_argument("--rounds", type=int, default=5, help="how often each store's job is judged")
    parser.add_argument("--repeats", type=int, default=4, help="how many times each of the 164 problems is judged")
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp"), help="where SQLite's file lies: on a disk")
    return asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
