"""Programs for the sandbox's tests, and what some of them are made of."""

from __future__ import annotations

import dataclasses

from codesieve.workers.types import FunctionTests, Limits, Problem, Program

NO_TESTS = "def check(candidate): pass"
LIMITS = Limits(cpu_time_seconds=5, wall_time_seconds=30)


def program(
    source: str | bytes, *, test: str = NO_TESTS, entry: str = "None", work_id: str = "w", **limits: float
) -> Program:
    completion = source if isinstance(source, bytes) else source.encode()
    problem = Problem("p", "", entry, FunctionTests(test))
    return Program(work_id, problem, completion, dataclasses.replace(LIMITS, **limits))  # type: ignore[arg-type]


PROCESSES = "found = [p for p in os.listdir('/proc') if p.isdigit()]\n"  # the agent, the judge and the program
DAEMON = """
import os, time, signal
for number in range(1, 32):
    try:
        signal.signal(number, signal.SIG_IGN)
    except OSError:
        pass
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            time.sleep(1)
    os._exit(0)
"""
