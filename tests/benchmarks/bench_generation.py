"""What codesieve adds to sampling: beside vLLM's own `LLM.generate`, the same requests, the same settings, in one run.

    python -m tests.benchmarks.bench_generation [--problems 8] [--samples 8] [--rounds 3] [--max-tokens 128]

Three engines are loaded, each in a process of its own, and work in turn, each round on problems of HumanEval that none has
in its cache: `LLM.generate`; a generation worker behind Ray, given its requests by a pool; and a server that samples the
same as a job and judges it, asked over gRPC. Tokens are counted alike, as far as they stand in the samples; the engines
sample different ones now and then, so that tokens a second are what is compared. Then the server judges the job's samples
alone, every program anew. The second ratio is a job's wall time over the longer of generating and judging alone. Both share
the cores with what is measured where the engine runs on a CPU.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import json
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tests.e2e.server import Server

from codesieve import client
from codesieve.client import Client, Event, Generation, RecordedSample, RunResult, SampleGenerated
from codesieve.server import datasets
from codesieve.server.factories import generation_worker
from codesieve.server.jobs.model import GenerationSpec, JobContents, JobSpec, planned_requests
from codesieve.server.pools import Pool
from codesieve.server.sharing import Share
from codesieve.workers.remote import RemoteWorker, start_ray, stop_ray
from codesieve.workers.types import FunctionTests, Generated, GenerationRequest, Limits, Problem

LEAST_OF_TOKENS = 0.97
MOST_OF_TIME = 1.05
TEMPERATURES = (0.2, 0.8)
TOP_P = 0.95


class Raw:
    """`LLM.generate` in a process of its own."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.raw_vllm"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._answer()

    def generate(self, requests: Sequence[GenerationRequest]) -> tuple[float, int]:
        """Seconds and tokens."""
        assert self._process.stdin is not None
        print(pickle.dumps(list(requests)).hex(), file=self._process.stdin, flush=True)
        answer = self._answer()
        return answer["seconds"], answer["tokens"]

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(
                "LLM.generate's process ended; run python -m tests.benchmarks.raw_vllm by itself to see why"
            )
        return json.loads(line)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Worked:
    """A generation worker behind Ray and a pool."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        start_ray(None)
        factory = functools.partial(generation_worker, "smollm2")
        self._pool: Pool[GenerationRequest, Generated] = Pool("generation", lambda: RemoteWorker(factory), 1)
        self._loop.run_until_complete(self._pool.start())

    def generate(self, requests: Sequence[GenerationRequest]) -> tuple[float, int]:
        """Seconds and tokens."""

        async def all_of_them() -> list[Any]:
            return await asyncio.gather(*(self._pool.run(request, Share("bench", "bench")) for request in requests))

        began = time.perf_counter()
        made = self._loop.run_until_complete(all_of_them())
        return time.perf_counter() - began, sum(one.token_count for one in made)

    def close(self) -> None:
        self._loop.run_until_complete(self._pool.stop())
        self._loop.close()
        stop_ray()


class Served:
    """A server, asked over gRPC."""

    def __init__(self, home: Path) -> None:
        self._server = Server(home, ("--model", "smollm2", "--cache-mib", "0"))
        self._server.start()
        self._client = Client(self._server.address)

    def job(self, problems: Sequence[client.Problem], generation: Generation) -> tuple[float, float, RunResult]:
        """Seconds until the last sample was made, and until all were judged; and the result."""
        made_at = 0.0

        def look(event: Event) -> None:
            nonlocal made_at
            if isinstance(event, SampleGenerated):
                made_at = time.perf_counter()

        began = time.perf_counter()
        result = self._client.run(problems, generation, on_event=look)
        return made_at - began, time.perf_counter() - began, result

    def judge(self, problems: Sequence[client.Problem], made: RunResult) -> float:
        """Seconds."""
        samples = [RecordedSample(one.problem_id, one.completion, one.temperature) for one in made.samples]
        began = time.perf_counter()
        self._client.evaluate(samples, problems)
        return time.perf_counter() - began

    def close(self) -> None:
        self._client.close()
        self._server.stop()


def requests_for(problems: Sequence[Problem], samples: int, max_tokens: int, seed: int) -> list[GenerationRequest]:
    """What a job of these problems asks its engine."""
    generation = GenerationSpec("smollm2", TEMPERATURES, samples, TOP_P, max_tokens, (), seed)
    spec = JobSpec(generation, Limits(), (1,), "inline", 0)
    return [request for _, request in planned_requests("bench", spec, JobContents(tuple(problems), None))]


def sent_form(problem: Problem) -> client.Problem:
    """A problem of HumanEval's as a client sends it."""
    assert isinstance(problem.tests, FunctionTests)
    tests = client.FunctionTests(problem.tests.check_function)
    return client.Problem(problem.problem_id, problem.prompt, tests, entry_point=problem.entry_point)


@contextlib.contextmanager
def parties() -> Iterator[tuple[Raw, Worked, Served]]:
    """All three, loaded."""
    with contextlib.ExitStack() as stack:
        raw = stack.enter_context(contextlib.closing(Raw()))
        worked = stack.enter_context(contextlib.closing(Worked()))
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="codesieve-bench-")))
        yield raw, worked, stack.enter_context(contextlib.closing(Served(home)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=8, help="of HumanEval, in each round (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=8, help="of each, at each temperature (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--max-tokens", type=int, default=128, help="of a sample (default: %(default)s)")
    options = parser.parse_args()
    everything = datasets.load("humaneval")
    console = Console()
    table = Table(
        "round", "LLM.generate", "worker", "job", "generate", "judge", "job, whole", title="tokens/s and seconds"
    )
    rows: list[tuple[float, ...]] = []
    with parties() as (raw, worked, served):
        for number in range(options.rounds + 1):
            # The first round, which isn't counted, warms all of them up.
            problems = everything[number * options.problems :][: options.problems]
            requests = requests_for(problems, options.samples, options.max_tokens, number)
            generation = Generation("smollm2", TEMPERATURES, options.samples, TOP_P, options.max_tokens, seed=number)
            sent = [sent_form(problem) for problem in problems]
            # Each goes first in turn: the machine's speed changes as it gets warm.
            first, second = (raw, worked) if number % 2 else (worked, raw)
            told = {first: first.generate(requests), second: second.generate(requests)}
            (raw_seconds, raw_tokens), (worker_seconds, worker_tokens) = told[raw], told[worked]
            made_seconds, job_seconds, result = served.job(sent, generation)
            judge_seconds = served.judge(sent, result)
            job_tokens = sum(one.token_count or 0 for one in result.samples)
            worker_speed = worker_tokens / worker_seconds
            row = (
                raw_tokens / raw_seconds,
                worker_speed,
                job_tokens / made_seconds,
                job_tokens / worker_speed,  # generating the job's own tokens alone
                judge_seconds,
                job_seconds,
            )
            if number:
                rows.append(row)
                table.add_row(str(number), *(f"{value:.1f}" for value in row))
    console.print(table)
    of_worker = statistics.median(row[1] / row[0] for row in rows)
    of_job = statistics.median(row[2] / row[0] for row in rows)
    of_time = statistics.median(row[5] / max(row[3], row[4]) for row in rows)
    console.print(f"tokens/s of a worker / LLM.generate      {of_worker:.3f}   (at least {LEAST_OF_TOKENS})")
    console.print(f"tokens/s of a judged job / LLM.generate  {of_job:.3f}")
    console.print(f"job / the longer of its halves alone     {of_time:.3f}   (at most {MOST_OF_TIME})")


if __name__ == "__main__":
    main()
