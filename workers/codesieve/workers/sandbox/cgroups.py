"""Control groups for namespace cells: they bound a cell's memory and processes as a whole.

Version 1 has a tree for each controller, version 2 one tree for all. Where neither can be written, cells go without, and
the backend says so: each program is still held by its own limits.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from codesieve.workers.sandbox.backend import CellSpec

PROCESSES_PER_CELL = 128
"""Far above any program's own limit: this bound only has to stop a cell from using up the host."""
REMOVE_TRIES = 100


class Lock(Protocol):
    def release(self) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True)
class CellGroup:
    """The groups of one cell. Empty where there are none."""

    directories: tuple[Path, ...] = ()
    procs: tuple[str, ...] = ()
    """The files to which a process writes its id to join."""
    oom_counter: str = ""
    """The file with the line "oom_kill N"."""

    async def remove(self) -> None:
        """Removes the groups once the last process has left them, which is a moment after it was killed."""
        for directory in self.directories:
            await asyncio.to_thread(remove_group, directory)


def remove_group(directory: Path) -> None:
    for _ in range(REMOVE_TRIES):
        try:
            directory.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)
        else:
            return
    directory.rmdir()


@dataclasses.dataclass(frozen=True, slots=True)
class Groups:
    """Where groups can be made."""

    identity: str
    """The runtime directory's: groups of other workers are none of ours."""
    memory: Path | None = None
    pids: Path | None = None
    unified: bool = False

    def name(self, index: str) -> str:
        return f"codesieve-{self.identity}-{index}"

    def describe(self) -> str:
        if self.memory is not None and self.pids is not None:
            return "memory and processes of a cell bounded by a control group"
        return "no writable control group, so only each program is bounded and not the cell as a whole"

    def make(self, index: int, spec: CellSpec) -> CellGroup:
        """The groups of the cell that holds user id block `index`."""
        if self.memory is None or self.pids is None:
            return CellGroup()
        memory, pids = (parent / self.name(f"{index:04}") for parent in (self.memory, self.pids))
        for directory in (memory, pids):
            directory.mkdir(exist_ok=True)
        if self.unified:
            (memory / "memory.max").write_text(str(spec.memory_bytes))
            if (memory / "memory.swap.max").exists():
                (memory / "memory.swap.max").write_text("0")
        else:
            (memory / "memory.limit_in_bytes").write_text(str(spec.memory_bytes))
            if (memory / "memory.memsw.limit_in_bytes").exists():
                (memory / "memory.memsw.limit_in_bytes").write_text(str(spec.memory_bytes))
        (pids / "pids.max").write_text(str(PROCESSES_PER_CELL))
        directories = (memory,) if self.unified else (memory, pids)
        counter = memory / ("memory.events" if self.unified else "memory.oom_control")
        return CellGroup(directories, tuple(str(path / "cgroup.procs") for path in directories), str(counter))

    def reap(self, try_take: Callable[[int], Lock | None]) -> None:
        """Removes the groups of dead workers: those whose block of user ids nobody holds."""
        for parent in {self.memory, self.pids} - {None}:
            assert parent is not None
            for directory in parent.glob(self.name("*")):
                lock = try_take(int(directory.name[-4:]))
                if lock is not None:
                    try:
                        remove_group(directory)
                    finally:
                        lock.release()


def find_groups(mounted: Path, own_groups: str, identity: str) -> Groups:
    """Where groups can be made, looking at what is mounted and at the text of /proc/self/cgroup."""
    if (mounted / "cgroup.controllers").exists():
        return find_unified(mounted, identity)
    own = {}
    for line in own_groups.splitlines():
        _, controllers, path = line.split(":", 2)
        own.update(dict.fromkeys(controllers.split(","), path.lstrip("/")))
    found: list[Path | None] = []
    for controller in ("memory", "pids"):
        # Inside a container its own group is mounted at the top.
        places = [mounted / controller / own.get(controller, ""), mounted / controller]
        found.append(next((place for place in places if can_make_in(place)), None))
    return Groups(identity, found[0], found[1])


def find_unified(mounted: Path, identity: str) -> Groups:
    place = mounted / "codesieve"
    try:
        place.mkdir(exist_ok=True)
        for directory in (mounted, place):
            (directory / "cgroup.subtree_control").write_text("+memory +pids")
    except OSError:
        return Groups(identity)
    return Groups(identity, place, place, unified=True)


def can_make_in(place: Path) -> bool:
    probe = place / "codesieve-probe"
    try:
        probe.mkdir(exist_ok=True)
        probe.rmdir()
    except OSError:
        return False
    return True
