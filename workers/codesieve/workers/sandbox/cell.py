"""The host's side of a cell: one connection to its agent.

A program goes in as a RUN message and comes back as DONE, one at a time. When the connection ends, for whatever reason, the
program in flight ends as `CellLost`, and the cell takes no more.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from codesieve.workers.errors import CellLost, SandboxUnavailable
from codesieve.workers.sandbox.inside import frames
from codesieve.workers.sandbox.inside.cleaning import Dirty
from codesieve.workers.sandbox.judge import JudgeDied, Seen
from codesieve.workers.types import Limits

TESTS_OVER_TIME = Seen(frames.JUDGE_CPU_LIMIT, 0, 0.0, 0.0, 0, 0.0, b"", b"", b"")
HELLO_SECONDS = 20.0
"""How long an agent may take to answer: an interpreter start on a busy machine."""

CANCEL_SECONDS = 0.7
"""How long a cancelled program may go on. It is killed at once; but tests that compute hear nothing until they have done."""


class Cell:
    """One warm place where programs run. Made by a backend, with `connect`."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        name: str,
        tear_down: Callable[[], Awaitable[None]],
    ) -> None:
        self.name = name
        self.python_version = ""
        self.notes = ""
        """What the agent found that isn't as it should be, in one line."""
        self.lost = asyncio.Event()
        """Set once the cell takes no more programs."""
        self.why = ""
        """Why it takes no more."""
        self.dirty = False
        """Whether that is because it could not be proved clean."""
        self.on_end: Callable[[Seen, bool], None] | None = None
        """Told of each program that has ended, also one that was cancelled, and whether the cell was proved clean."""
        self._reader = reader
        self._writer = writer
        self._tear_down: Callable[[], Awaitable[None]] | None = tear_down
        self._frames = frames.Frames()
        self._numbers = itertools.count(1)
        self._free = asyncio.Lock()
        self._number = 0
        self._outcome: asyncio.Future[Seen] | None = None
        self._owner: str | None = None
        self._ready: asyncio.Future[None] | None = None
        self._listener: asyncio.Task[None] | None = None

    @classmethod
    async def connect(cls, connection: socket.socket, name: str, tear_down: Callable[[], Awaitable[None]]) -> Cell:
        """Waits for the agent at the other end of `connection` to say hello.

        Raises SandboxUnavailable where it doesn't; the cell is torn down then.
        """
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        cell = cls(reader, writer, name, tear_down)
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

    async def run(
        self, mode: int, program: bytes, payload: bytes, limits: Limits, *, owner: str, stdin: bytes = b""
    ) -> Seen:
        """Runs one program, after the one that runs now. Cancelling the call kills the program.

        `mode` and `payload` are those of a plan. Raises CellLost where the cell dies meanwhile.
        """
        async with self._free:
            await self._serve_only(owner)
            self._number = next(self._numbers)
            self._outcome = asyncio.get_running_loop().create_future()
            self._send(
                frames.RUN,
                self._number,
                mode,
                float(limits.cpu_time_seconds),
                float(limits.wall_time_seconds),
                limits.memory_bytes,
                limits.output_bytes,
                limits.file_size_bytes,
                limits.processes,
                program,
                stdin,
                payload,
            )
            try:
                return await asyncio.shield(self._outcome)
            except asyncio.CancelledError:
                # The cell is free again when the agent says so, not when the caller goes away.
                if not self._outcome.done():
                    self._send(frames.CANCEL, self._number)
                    await asyncio.wait([self._outcome], timeout=CANCEL_SECONDS)
                    if not self._outcome.done():
                        self._lose(f"{self.name}: a cancelled program's tests did not end")
                    self._outcome.exception()  # seen
                raise
            finally:
                self._outcome = None

    async def _serve_only(self, owner: str) -> None:
        """Has a fresh judge started unless the present one serves this owner. Raises CellLost."""
        if self.lost.is_set():
            raise CellLost(self.why)
        if self._owner not in (None, owner):
            self._ready = asyncio.get_running_loop().create_future()
            self._send(frames.RETIRE)
            try:
                await asyncio.shield(self._ready)
            except asyncio.CancelledError:
                # The cell takes the next program when the fresh judge is there, not before.
                await asyncio.wait([self._ready])
                if self._ready.exception() is None:
                    self._owner = None
                raise
        self._owner = owner

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
            self._writer.write(frames.encode(*message))

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
        if first[0] == frames.DIRTY:
            raise ValueError(f"{first[1]}: {first[2]}")
        if first[:2] != (frames.HELLO, frames.PROTOCOL):
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
        if message[0] == frames.DONE and self._outcome is not None and message[1] == self._number:
            *fields, dirty = message[2:]
            seen = Seen(*fields)
            self._outcome.set_result(seen)
            if self.on_end is not None:
                self.on_end(seen, not dirty)
            if dirty:
                self.dirty = True
                raise ValueError(dirty)  # it has its outcome all the same
        elif message[0] == frames.READY and self._ready is not None:
            self._ready.set_result(None)
        elif message[0] == frames.DIRTY:
            _, reason, why = message
            self.dirty = reason == Dirty.__name__
            if self._outcome is not None and not self._outcome.done():
                if reason == "TestsOverTime":
                    self._outcome.set_result(TESTS_OVER_TIME)
                elif reason == "JudgeDied":
                    self._outcome.set_exception(JudgeDied("the tests' process ended under them"))
            raise ValueError(f"{reason}: {why}")
        else:
            raise ValueError(f"an unknown message {message[0]!r}")

    def _lose(self, why: str) -> None:
        if self.lost.is_set():
            return
        self.why = why
        self.lost.set()
        for waiting in (self._outcome, self._ready):
            if waiting is not None and not waiting.done():
                waiting.set_exception(CellLost(why))
