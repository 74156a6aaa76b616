"""From what was seen of a program to its judgement. Pure.

PASSED needs a report of the judge that says so; whatever the program's process did or said by itself never counts as a pass.
The numbers are those of ``inside/frames.py``.
"""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Sequence
from typing import Any

from codesieve.workers.errors import CellLost, TestsBroken
from codesieve.workers.sandbox.compare import matches
from codesieve.workers.sandbox.inside import frames
from codesieve.workers.sandbox.plans import Plan
from codesieve.workers.types import (
    KEPT_OF_A_VALUE,
    KEPT_OF_ALL_VALUES,
    KEPT_TESTS,
    Integrity,
    Judgement,
    Limits,
    Program,
    StdioCase,
    StdioTests,
    TestResult,
    Verdict,
)

KEPT_OUTPUT = 64 * 1024
ROW = 7

VERDICTS = {
    frames.PASSED: Verdict.PASSED,
    frames.ASSERTION: Verdict.FAILED,
    frames.RAISED: Verdict.RAISED,
    frames.SYNTAX: Verdict.SYNTAX_ERROR,
    frames.MEMORY: Verdict.OUT_OF_MEMORY,
    frames.LEFT: Verdict.CRASHED,
    frames.GONE: Verdict.CRASHED,
    frames.FORGED: Verdict.TAMPERED,
    frames.TOO_LARGE: Verdict.OUTPUT_LIMIT,
}


class CannotSplit(Exception):
    """A test gives the program something that isn't plain data."""


class JudgeDied(CellLost):
    """The process of the tests ended under them."""


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """What the agent and the judge saw of one run."""

    end: int
    status: int
    """The exit status, or the signal where `end` is SIGNALLED."""
    wall_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    waited_seconds: float
    """For how long the program could have run but had no CPU; only known where wall time ran out."""
    stdout: bytes
    stderr: bytes
    result: bytes
    """The judge's report: kind, name, message, exit status that is due (or -1), and seven values for each test."""
    fork_seconds: float = 0.0
    """Until its process was ready, from when the judge had the program; the judge's fork is in it where there is one."""
    run_seconds: float = 0.0
    """From then to its end. Both are 0 for a checker, and where the tests were ended without a word of the program."""
    left: int = 0
    """What was found of it afterwards and had to be removed: ``frames.LEFT_...``, added up."""

    def report(self) -> tuple[Any, ...]:
        return frames.decode(self.result[4:]) if self.result else (frames.GONE, "", "", -1)


def judge(program: Program, plan: Plan, seen: Seen, integrity: Integrity) -> Judgement:
    """The judgement of function tests, assertions and scripts.

    Raises CellLost where the program could not be started, CannotSplit, and TestsBroken.
    """
    verdict, detail = decide(seen, program.limits)
    rows = seen.report()[4:]
    tests = script_tests(rows, verdict) if plan.mode == frames.SCRIPT else split_tests(plan.names, rows, verdict)
    if verdict is Verdict.FAILED and detail in ("", "AssertionError"):
        detail = next((failed_in_words(test) for test in tests if test.verdict is Verdict.FAILED), detail)
    return Judgement(
        work_id=program.work_id,
        verdict=verdict,
        integrity=integrity,
        detail=one_line(detail),
        wall_seconds=seen.wall_seconds,
        cpu_seconds=seen.cpu_seconds,
        peak_memory_bytes=seen.peak_memory_bytes,
        stdout=seen.stdout[:KEPT_OUTPUT],
        stderr=seen.stderr[:KEPT_OUTPUT],
        tests=within_bounds(tests),
    )


def failed_in_words(test: TestResult) -> str:
    return f"{test.name}: got {shown(test.output)}" if test.output else test.name


def within_bounds(tests: Sequence[TestResult]) -> tuple[TestResult, ...]:
    """The first of the tests, with their values as far as there is room, and with those of the first that failed."""
    kept, room, failed = [], KEPT_OF_ALL_VALUES, False
    for test in tests[:KEPT_TESTS]:
        first_failed = not failed and test.verdict not in (None, Verdict.PASSED)
        failed = failed or first_failed
        room -= len(test.input) + len(test.output)
        kept.append(test if room >= 0 or first_failed else dataclasses.replace(test, input=b"", output=b""))
    return tuple(kept)


def decide(seen: Seen, limits: Limits) -> tuple[Verdict, str]:
    """The verdict and one line for people."""
    kind, name, message, due_status = seen.report()[:4]
    said = f"{name}: {message}" if name and message else name or message
    if kind == frames.SETUP_FAILED:
        raise CellLost("the program's process could not be made ready")
    if seen.end == frames.CPU_LIMIT or seen.cpu_seconds >= limits.cpu_time_seconds:
        return Verdict.TIMED_OUT, f"used its {limits.cpu_time_seconds:g} s of CPU time"
    if seen.end == frames.WALL_LIMIT:
        return Verdict.TIMED_OUT, f"ran for its {limits.wall_time_seconds:g} s of wall time"
    if seen.end == frames.JUDGE_CPU_LIMIT:
        return Verdict.TIMED_OUT, f"the tests used {limits.cpu_time_seconds:g} s of CPU time on what it returned"
    if seen.end == frames.OUTPUT_LIMIT:
        return Verdict.OUTPUT_LIMIT, f"wrote more than {limits.output_bytes} bytes"
    if seen.end == frames.PROCESS_LIMIT:
        return Verdict.RAISED, f"had more than {limits.processes} processes at a time"
    if seen.end == frames.OOM_KILLED:
        return Verdict.OUT_OF_MEMORY, "killed when its cell ran out of memory"
    if kind == frames.CANNOT_SPLIT:
        raise CannotSplit(message)
    if kind == frames.BROKEN_TESTS:
        raise TestsBroken(one_line(said))
    if seen.end == frames.SIGNALLED:
        if seen.status == signal.SIGXCPU:
            return Verdict.TIMED_OUT, f"used its {limits.cpu_time_seconds:g} s of CPU time"
        return Verdict.CRASHED, f"ended by {signal_name(seen.status)}"
    if seen.end != frames.EXIT:
        raise CellLost(f"the agent ended the program in an unexpected way ({seen.end})")
    if kind == frames.GONE:
        return Verdict.CRASHED, f"left early with status {seen.status}"
    if due_status >= 0 and seen.status != due_status:
        # It reported and then ended in another way than we do: the report isn't ours.
        return Verdict.TAMPERED, "forged a report"
    if kind == frames.LEFT:
        return Verdict.CRASHED, f"left early with status {message or 0}"
    if kind == frames.FORGED:
        return Verdict.TAMPERED, said or "wrote to the judge's channel"
    if kind == frames.TOO_LARGE:
        return Verdict.OUTPUT_LIMIT, "returned a value too large to judge"
    if kind not in VERDICTS:
        return Verdict.TAMPERED, "forged a report"
    return VERDICTS[kind], said


def split_tests(names: tuple[str, ...], rows: tuple[Any, ...], verdict: Verdict) -> tuple[TestResult, ...]:
    """What became of each of the tests called `names`, out of the judge's rows."""
    by_index = {rows[at]: rows[at + 1 : at + ROW] for at in range(0, len(rows), ROW)}
    results = []
    for index, name in enumerate(names):
        if index not in by_index:
            results.append(TestResult(name, None))
            continue
        kind, exception, message, given, came, seconds = by_index[index]
        detail = f"{exception}: {message}" if exception and message else exception or message
        results.append(TestResult(name, of_test(kind, verdict), one_line(detail), given, came, seconds))
    return tuple(results)


def script_tests(rows: tuple[Any, ...], verdict: Verdict) -> tuple[TestResult, ...]:
    """What became of the tests of a script, whose rows carry their names where others carry an input."""
    results = []
    for at in range(0, len(rows) - ROW + 1, ROW):
        _, kind, exception, message, name, _, seconds = rows[at : at + ROW]
        detail = f"{exception}: {message}" if exception and message else exception or message
        status = None if kind == frames.NOT_RUN else of_test(kind, verdict)
        results.append(TestResult(name.decode("utf-8", "replace"), status, one_line(detail), wall_seconds=seconds))
    return tuple(results)


def of_test(kind: int, verdict: Verdict) -> Verdict:
    """A test that was under way when the program ended shares the program's verdict."""
    return verdict if kind == frames.GONE else VERDICTS.get(kind, Verdict.TAMPERED)


# -- stdin/stdout tests --


@dataclasses.dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of one case that was run."""

    verdict: Verdict
    detail: str
    seen: Seen
    """Its output cut to what is kept."""


def judge_case(tests: StdioTests, case: StdioCase, seen: Seen, checked: Seen | None, limits: Limits) -> CaseResult:
    """The verdict on one case, `checked` being the checker's run if there is one and it was asked.

    What the program wrote counts only if it ended well. Comparing a large output takes up to a second.
    """
    verdict, detail = decide_case(seen, limits)
    if verdict is Verdict.PASSED:
        if checked is not None:
            verdict, detail = from_checker(checked)
        elif not matches(case.stdout, seen.stdout, tests.comparison, tests.tolerance):
            verdict, detail = Verdict.FAILED, f"expected {shown(case.stdout)}, got {shown(seen.stdout)}"
    kept = dataclasses.replace(seen, stdout=seen.stdout[:KEPT_OUTPUT], stderr=seen.stderr[:KEPT_OUTPUT])
    return CaseResult(verdict, one_line(detail), kept)


def decide_case(seen: Seen, limits: Limits) -> tuple[Verdict, str]:
    """PASSED if the program ran to its end with status 0."""
    kind = seen.report()[0]
    in_time = seen.cpu_seconds < limits.cpu_time_seconds
    if kind == frames.GONE and seen.end == frames.EXIT and seen.status == 0 and in_time:
        return Verdict.PASSED, ""  # it left by os._exit(0): what it wrote is what it wrote
    verdict, detail = decide(seen, limits)
    if verdict is Verdict.PASSED and seen.status != 0:
        return Verdict.CRASHED, f"ended with status {seen.status}"
    return verdict, detail


def from_checker(seen: Seen) -> tuple[Verdict, str]:
    kind, name, message = seen.report()[:3]
    if seen.end == frames.EXIT and kind == frames.PASSED:
        return Verdict.PASSED, ""
    if seen.end == frames.EXIT and kind == frames.ASSERTION:
        return Verdict.FAILED, "the checker says it is wrong"
    if seen.end == frames.JUDGE_CPU_LIMIT:
        return Verdict.FAILED, "the checker ran out of CPU time on what it wrote"
    if kind == frames.BROKEN_TESTS:
        raise TestsBroken(one_line(f"the checker can't be run: {name}: {message}"))
    # A checker that stumbles over the output has not found it right.
    return Verdict.FAILED, one_line(f"the checker raised {name}: {message}")


def judge_stdio(program: Program, tests: StdioTests, runs: Sequence[CaseResult]) -> Judgement:
    """The judgement of the cases that were run, in their order; the rest did not run."""
    results = []
    for index, case in enumerate(tests.cases):
        name = f"case {index + 1}"
        if index >= len(runs):
            results.append(TestResult(name, None))
            continue
        run = runs[index]
        kept = case.stdin[:KEPT_OF_A_VALUE], run.seen.stdout[:KEPT_OF_A_VALUE]
        results.append(TestResult(name, run.verdict, run.detail, *kept, run.seen.wall_seconds))
    last = runs[-1]
    return Judgement(
        work_id=program.work_id,
        verdict=last.verdict,
        integrity=Integrity.SPLIT,
        detail=one_line(f"case {len(runs)}: {last.detail}") if last.detail else "",
        wall_seconds=sum(run.seen.wall_seconds for run in runs),
        cpu_seconds=sum(run.seen.cpu_seconds for run in runs),
        peak_memory_bytes=max(run.seen.peak_memory_bytes for run in runs),
        stdout=last.seen.stdout,
        stderr=last.seen.stderr,
        tests=within_bounds(results),
    )


def died_of_it(program: Program) -> Judgement:
    """Where the tests' process ended under them on every cell that was tried."""
    detail = "what it gave the tests ended their process, each time"
    return Judgement(program.work_id, Verdict.CRASHED, Integrity.SPLIT, detail)


def shown(data: bytes) -> str:
    text = data[:100].decode("utf-8", "backslashreplace")
    return text + ("..." if len(data) > 100 else "")


def one_line(text: str) -> str:
    return " ".join(text.split())[:500]


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
