"""What a sandbox backend is: a maker of cells.

A cell is one warm, isolated place with the agent (``inside/agent.py``) as its first process. The backend makes the place and
starts the agent in it; everything said to the agent afterwards is the same for every backend (``cell.py``). Both backends
pass the same conformance suite, ``tests/integration/test_sandbox_conformance*.py``.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from codesieve.workers.sandbox import inside

if TYPE_CHECKING:
    from codesieve.workers.sandbox.cell import Cell


@dataclasses.dataclass(frozen=True, slots=True)
class CellSpec:
    """What a cell is made to hold."""

    memory_bytes: int
    """All that runs in the cell together, where the backend can bound it."""
    scratch_bytes: int
    """All that a program may write."""


@dataclasses.dataclass(frozen=True, slots=True)
class MadeOf:
    """What a backend's cells are made of."""

    line: str
    """For people."""
    image: str = ""
    """As `CellOrigin` has it, and so the others."""
    image_digest: str = ""
    runtime: str = ""


AGENT = ("-s", "-B", "-m", "inside.start")
"""Python's arguments that start the agent, with the directory above ``inside`` as working directory."""


def install_inside(directory: Path) -> None:
    """Puts what runs in a cell into `directory`, readable by all. Another worker may be reading what is there."""
    package = directory / "inside"
    package.mkdir(mode=0o755, exist_ok=True)
    for source in Path(inside.__path__[0]).glob("*.py"):
        fresh = package / f"{source.stem}.{os.getpid()}"
        fresh.write_bytes(source.read_bytes())
        fresh.chmod(0o644)
        fresh.replace(package / source.name)


def cpu_of(index: int) -> int:
    """The CPU of the cell that holds the block of user ids `index`, which no other cell of this host does.

    What runs in a cell takes turns: on one CPU, handing over costs half of what it does between two.
    """
    cpus = sorted(os.sched_getaffinity(0))
    return cpus[index % len(cpus)]


class Backend(Protocol):
    """A maker of cells."""

    name: str
    """"docker" or "namespaces"."""

    async def start(self) -> MadeOf:
        """Gets ready, and says what cells are made of (image, interpreter).

        Raises `SandboxUnavailable`, with the mend, where no cell can be made on this machine.
        """

    async def make_cell(self, spec: CellSpec) -> Cell:
        """Makes a cell whose agent has answered. Raises `SandboxUnavailable`."""

    async def stop(self) -> None:
        """Destroys every cell that is left, and leaves nothing behind."""
