"""Runs made up for tests: directories as `codesieve run` writes them, without running anything."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from codesieve.client import types
from codesieve.client.cli import results
from codesieve.client.report import run
from codesieve.client.types import Integrity, Job, JobState, Judgement, Sample, TestResult, Unjudged, Verdict

PASSED = Judgement(Verdict.PASSED, integrity=Integrity.SPLIT, cpu_seconds=0.01)
FAILED = Judgement(
    Verdict.FAILED,
    integrity=Integrity.SPLIT,
    detail="assert f(1) == 2",
    cpu_seconds=0.02,
    stdout=b"out",
    tests=(
        TestResult("assert f(0) == 0", Verdict.PASSED),
        TestResult("assert f(1) == 2", Verdict.FAILED, "got 3", b"1", b"3"),
        TestResult("assert f(2) == 4", None),
    ),
)
LOST = Judgement(None, Unjudged("SANDBOX_UNAVAILABLE", "no cell"))


def sample(
    problem: str,
    index: int,
    judgement: Judgement,
    temperature: float | None = 0.2,
    completion: bytes = b"    return 1\n",
) -> Sample:
    name = "-" if temperature is None else f"{temperature:g}"
    return Sample(
        f"{problem}@{name}#{index}",
        problem,
        temperature,
        index,
        completion,
        token_count=5,
        cumulative_logprob=-1.0 - index,
        finish_reason=types.FinishReason.STOP,
        judgement=judgement,
    )


def outcomes(told: Mapping[str, str], temperature: float | None = 0.2) -> list[Sample]:
    """Samples of problems from a letter each: p(assed), f(ailed), u(njudged)."""
    kinds = {"p": PASSED, "f": FAILED, "u": LOST}
    return [
        sample(problem, index, kinds[letter], temperature, f"    return {index % 3}\n".encode())
        for problem, letters in told.items()
        for index, letter in enumerate(letters)
    ]


def write(directory: Path, samples: Sequence[Sample], unmade: int = 0) -> str:
    """A directory of results; its name is the job's."""
    job = Job(f"jobs/{directory.name}", JobState.SUCCEEDED, "m")
    lost = tuple((f"x@0.2#{place}", Unjudged("GENERATION_FAILED", "no engine")) for place in range(unmade))
    results.write(types.RunResult(job, tuple(samples), lost), directory, {}, {"model": None})
    return str(directory)


def made_up(samples: Sequence[Sample], name: str = "a-run") -> run.Run:
    return run.Run(name, f"/{name}", tuple(samples), 0, {})


def renamed(samples: Sequence[Sample], problem: str) -> list[Sample]:
    """The same samples of another problem."""
    return [
        dataclasses.replace(each, problem_id=problem, sample_id=f"{problem}@{each.temperature}#{each.index}")
        for each in samples
    ]
