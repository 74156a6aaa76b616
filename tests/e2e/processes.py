"""Finding processes, and waiting."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def wait_for(condition: Callable[[], Any], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it didn't come to pass"
        time.sleep(0.05)


def processes() -> Iterator[tuple[int, int, str]]:
    """Pid, parent's pid and command line of every process that is more than a zombie."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if state != "Z":
                yield int(entry.name), int(parent), command


def descendants(ancestor: int, text: str = "") -> list[int]:
    """The processes below `ancestor` whose command line holds `text`."""
    everything = list(processes())
    family = {ancestor}
    while grown := {pid for pid, parent, _ in everything if parent in family} - family:
        family |= grown
    return [pid for pid, _, command in everything if pid in family and pid != ancestor and text in command]


def started(pid: int) -> str:
    """When a process was started, which tells it from another that has its number later; "" if it doesn't run."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
