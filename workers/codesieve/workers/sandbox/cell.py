"""The host's side of a cell: one connection to its agent.

Programs go in as RUN messages and come back as DONE, in any order, matched by a number. When the connection ends, for
whatever reason, every program in flight ends as `CellLost`, and the cell takes no more.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from codesieve.workers.errors import CellLost, SandboxUnavailable
from codesieve.workers.sandbox import agent
from codesieve.workers.sandbox.judge import Execution, assemble
from codesieve.workers.types import Program

HELLO_SECONDS = 20.0
"""How long an agent may take to answer: an interpreter start on a busy machine."""


class Cell:
    """One warm place where programs run. Made by a backend, with `connect`."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        name: str,
        slots: int,
        tear_down: Callable[[], Awaitable[None]],
    ) -> None:
        self.name = name
        self.slots = slots
        self.python_version = ""
        self.notes = ""
        """What the agent found that isn't as it should be, in one line."""
        self.lost = asyncio.Event()
        """Set once the cell takes no more programs."""
        self.why = ""
        """Why it takes no more."""
        self._reader = reader
        self._writer = writer
        self._tear_down: Callable[[], Awaitable[None]] | None = tear_down
        self._frames = agent.Frames()
        self._numbers = itertools.count(1)
        self._free = asyncio.Semaphore(slots)
        self._in_flight: dict[int, asyncio.Future[Execution]] = {}
        self._listener: asyncio.Task[None] | None = None

    @classmethod
    async def connect(
        cls, connection: socket.socket, name: str, slots: int, tear_down: Callable[[], Awaitable[None]]
    ) -> Cell:
        """Waits for the agent at the other end of `connection` to say hello.

        Raises SandboxUnavailable where it doesn't; the cell is torn down then.
        """
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        cell = cls(reader, writer, name, slots, tear_down)
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                await cell._hello()
        except BaseException as error:
            await cell.destroy()
            if isinstance(error, TimeoutError | ValueError | OSError):
                raise SandboxUnavailable(f"the agent of {name} did not answer: {error or 'no hello in time'}") from None
            raise
        cell._listener = asyncio.create_task(cell._listen())
        return cell

    async def run(self, program: Program) -> Execution:
        """Runs one program once a slot is free. Cancelling the call kills the program.

        Raises CellLost where the cell dies meanwhile.
        """
        sources = assemble(program.problem, program.completion)
        limits = program.limits
        await self._free.acquire()
        if self.lost.is_set():
            self._free.release()
            raise CellLost(self.why)
        number = next(self._numbers)
        outcome: asyncio.Future[Execution] = asyncio.get_running_loop().create_future()
        # The slot is free again when the agent says so, not when the caller goes away.
        self._in_flight[number] = outcome
        self._send(
            agent.RUN,
            number,
            float(limits.cpu_time_seconds),
            float(limits.wall_time_seconds),
            limits.memory_bytes,
            limits.output_bytes,
            limits.file_size_bytes,
            limits.processes,
            sources.program,
            sources.test,
        )
        try:
            return await outcome
        except asyncio.CancelledError:
            if number in self._in_flight:
                self._send(agent.CANCEL, number)
            raise

    async def destroy(self) -> None:
        """Ends the cell and all that runs in it. Doing it twice does no harm."""
        self._lose("the cell was destroyed")
        if self._listener is not None and self._listener is not asyncio.current_task():
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        self._writer.close()
        tear_down, self._tear_down = self._tear_down, None
        if tear_down is not None:
            await tear_down()

    def _send(self, *message: int | float | bytes | str) -> None:
        if not self._writer.is_closing():
            self._writer.write(agent.encode(*message))

    async def _messages(self) -> list[tuple[Any, ...]]:
        data = await self._reader.read(1 << 20)
        if not data:
            raise ConnectionResetError("its agent is gone")
        return self._frames.feed(data)

    async def _hello(self) -> None:
        messages: list[tuple[Any, ...]] = []
        while not messages:
            messages = await self._messages()
        first = messages[0]
        if first[0] == agent.DIRTY:
            raise ValueError(str(first[1]))
        if first[:2] != (agent.HELLO, agent.PROTOCOL):
            raise ValueError(f"an unknown greeting {first!r}")
        _, _, self.python_version, self.notes = first

    async def _listen(self) -> None:
        try:
            while True:
                for message in await self._messages():
                    self._take(message)
        except (OSError, ValueError) as error:
            self._lose(f"{self.name} was lost: {error}")

    def _take(self, message: tuple[Any, ...]) -> None:
        if message[0] == agent.DONE:
            _, number, *seen = message
            outcome = self._in_flight.pop(number)
            self._free.release()
            if not outcome.done():
                outcome.set_result(Execution(*seen))
        elif message[0] == agent.DIRTY:
            raise ValueError(str(message[1]))
        else:
            raise ValueError(f"an unknown message {message[0]!r}")

    def _lose(self, why: str) -> None:
        if self.lost.is_set():
            return
        self.why = why
        self.lost.set()
        for outcome in self._in_flight.values():
            self._free.release()
            if not outcome.done():
                outcome.set_exception(CellLost(why))
        self._in_flight.clear()
