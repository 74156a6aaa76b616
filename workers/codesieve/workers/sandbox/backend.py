"""What a sandbox backend is: a maker of cells.

A cell is one warm, isolated place with the agent (``agent.py``) as its first process. The backend makes the place and
starts the agent in it; everything said to the agent afterwards is the same for every backend (``cell.py``). Both backends
pass the same conformance suite, ``tests/integration/test_sandbox_conformance.py``.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from codesieve.workers.sandbox.cell import Cell


@dataclasses.dataclass(frozen=True, slots=True)
class CellSpec:
    """What a cell is made to hold."""

    slots: int
    """Programs at one time."""
    memory_bytes: int
    """All that runs in the cell together, where the backend can bound it."""
    scratch_bytes: int
    """All that its programs may write."""


class Backend(Protocol):
    """A maker of cells."""

    name: str
    """"docker" or "namespaces"."""

    async def start(self) -> str:
        """Gets ready, and says in one line what cells are made of (image, interpreter).

        Raises `SandboxUnavailable`, with the mend, where no cell can be made on this machine.
        """

    async def make_cell(self, spec: CellSpec) -> Cell:
        """Makes a cell whose agent has answered. Raises `SandboxUnavailable`."""

    async def stop(self) -> None:
        """Destroys every cell that is left, and leaves nothing behind."""
