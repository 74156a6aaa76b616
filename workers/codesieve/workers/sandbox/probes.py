"""The programs by which a sandbox proves that it holds, before it takes work.

Each is an ordinary program with a verdict that only a sandbox whose limit holds can give.
"""

from __future__ import annotations

import dataclasses

from codesieve.workers.types import FunctionTests, Limits, Problem, Program, Verdict

LIMITS = Limits(cpu_time_seconds=2, wall_time_seconds=20, memory_bytes=256 * 2**20, processes=8, file_size_bytes=2**20)


@dataclasses.dataclass(frozen=True, slots=True)
class Probe:
    """A program, and the verdict that proves the limit that `name` names."""

    name: str
    source: str
    verdict: Verdict = Verdict.PASSED
    limits: Limits = LIMITS
    also: Verdict | None = None
    """Another verdict that proves it."""

    def program(self) -> Program:
        problem = Problem(f"probe/{self.name}", "", "check", FunctionTests("def check(candidate): pass"))
        return Program(self.name, problem, self.source.encode(), self.limits)


def refused(action: str, *errors: str) -> str:
    """A program that passes if `action` raises an OSError, of one of the named kinds if any are."""
    named = ", ".join(f"errno.{error}" for error in errors)
    condition = f" and error.errno in ({named},)" if errors else ""
    return f"""
import errno, os, socket
try:
    {action}
except OSError as error:
    held = True{condition}
else:
    held = False
assert held
"""


PROBES = (
    Probe("programs run", "assert sum(range(10)) == 45"),
    Probe("memory limit", "x = bytearray(512 * 2**20)", Verdict.OUT_OF_MEMORY),
    Probe(
        "process limit",
        """
import os, time
made = 1
try:
    while made < 64:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        made += 1
except BlockingIOError:
    pass
if made > 8:
    time.sleep(1)  # for an agent that counts
    os._exit(1)
""",
        also=Verdict.RAISED,  # where the agent holds it to the limit, and not the kernel
    ),
    Probe(
        "CPU time limit",
        "while True: pass",
        Verdict.TIMED_OUT,
        dataclasses.replace(LIMITS, cpu_time_seconds=0.2),
    ),
    Probe(
        "wall time limit",
        "import time; time.sleep(60)",
        Verdict.TIMED_OUT,
        dataclasses.replace(LIMITS, wall_time_seconds=0.5),
    ),
    Probe(
        "output limit",
        "while True: print('x' * 1000)",
        Verdict.OUTPUT_LIMIT,
        dataclasses.replace(LIMITS, output_bytes=2**16),
    ),
    Probe("file size limit", refused("open('big', 'wb', buffering=0).write(bytes(2**21)) == 2**21 or os.stat(-1)")),
    Probe("no network", refused("socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 9))")),
    Probe(
        "nothing writable but the scratch directory",
        "\n".join(
            refused(f"open({place!r} + '/codesieve-probe', 'w')") for place in ("/", "/usr", "/etc", "/codesieve")
        ),
    ),
    Probe("no other user", refused("os.setuid(0)", "EPERM") + refused("os.kill(1, 9)", "EPERM")),
)
