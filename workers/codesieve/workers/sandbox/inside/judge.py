"""The judge's process: takes programs from the host, one at a time, and gives back what became of each.

A fork of the agent with a user id of its own, which serves one owner. For each program it has the agent fork a candidate
that holds the one end of a channel, runs the tests at the other (``testing.py``), and collects what the program writes. The
host is told only once the agent says that all is dead and clean. It is kept warm; tests that could change more than their
own namespace (the host decides which, ``plans.py``) run in a fork of it that ends with them.
"""

from __future__ import annotations

import _socket
import os
import select
import struct
import time

from . import frames
from .session import Session
from .testing import run_checker, run_in_candidate, run_split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KEPT_OUTPUT = 64 * 1024


class Order:
    """What the host asks for."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        self.came_at = time.monotonic()
        (
            _,
            self.id,
            self.mode,
            self.cpu,
            self.wall,
            self.memory,
            self.output,
            self.file_size,
            self.processes,
            self.program,
            self.stdin,
            payload,
        ) = values
        self.payload = frames.decode(payload[4:])
        # Whether the tests can change nothing here but a namespace.
        self.is_warm = self.mode not in (frames.SPLIT, frames.CHECKER) or bool(self.payload[0])


class Judge:
    def __init__(self, host: Any, agent: Any) -> None:
        self.host = host
        self.agent = agent
        self.frames = frames.Frames()
        self.null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        self.host_fd, self.agent_fd = host.fileno(), agent.fileno()

    def serve(self) -> None:
        while True:
            data = self.host.recv(1 << 20)
            if not data:
                self.agent.send(frames.encode(frames.LEAVE))
                return
            for message in self.frames.feed(data):
                if message[0] == frames.RUN:
                    self.run(Order(message))
                elif message[0] == frames.RETIRE:
                    self.agent.send(frames.encode(frames.RETIRE))
                # A CANCEL that comes here was too late.

    def run(self, order: Order) -> None:
        if order.is_warm:
            One(self, order).judge()
            return
        pid = os.fork()
        if pid == 0:
            try:
                One(self, order).judge()
                os._exit(0)
            finally:
                os._exit(1)
        status = os.waitpid(pid, 0)[1]
        try:
            os.kill(-1, 9)  # what the tests have left running: all of this user's but this process
        except ProcessLookupError:
            pass
        if status != 0:
            os._exit(1)  # the agent says so to the host


class One:
    """One program under way."""

    def __init__(self, judge: Judge, order: Order) -> None:
        self.judging = judge
        self.order = order
        self.kept = [bytearray(), bytearray()]  # stdout, stderr
        self.most = order.output if order.mode == frames.STDIO else KEPT_OUTPUT
        self.written = 0
        self.channel = -1
        self.pipes: dict[int, int] = {}  # stdout (0) and stderr (1), by descriptor
        self.poll = select.poll()

    def judge(self) -> None:
        order = self.order
        how = frames.NATURAL
        ready_at = 0.0
        if order.mode == frames.CHECKER:
            self.ask_agent()
            report = run_checker(order.payload[1], order.payload[2:])
        else:
            self.begin()
            session = Session(self.channel, self.wait)
            if order.mode == frames.SPLIT:
                report = run_split(session, order.program, order.payload[1:])
                if session.over is None or session.over[0] != frames.GONE:
                    how = frames.EXIT  # the program has nothing left to do
            elif order.mode == frames.TOGETHER:
                report = run_in_candidate(session, [b"together", order.program, *order.payload], True)
            elif order.mode == frames.SCRIPT:
                report = run_in_candidate(session, [b"script", order.program, *order.payload], True)
            else:
                report = run_in_candidate(session, [b"stdio", order.program], False)
            if session.over is not None and session.over[0] == frames.FORGED:
                how = frames.EXIT
            ready_at = session.ready_at
        self.judging.agent.send(frames.encode(frames.END, how))
        *seen, ended_at, left, dirty = self.wait_for_end()
        if self.written > order.output and seen[0] == frames.EXIT:
            seen[0] = frames.OUTPUT_LIMIT  # it had ended before that was read
        out, err = map(bytes, self.kept)
        phases = times(order, ready_at, ended_at)
        self.judging.host.sendall(frames.encode(frames.DONE, order.id, *seen, out, err, report, *phases, left, dirty))

    def begin(self) -> None:
        order = self.order
        ours, theirs = _socket.socketpair()
        out, err = os.pipe(), os.pipe()
        given = [self.judging.null, out[1], err[1], theirs.fileno()]
        if order.stdin:
            given[0] = file_of(order.stdin)
        self.ask_agent(given)
        theirs.close()
        for fd in (out[1], err[1], *([given[0]] if order.stdin else [])):
            os.close(fd)
        self.channel = ours.detach()
        for index, fd in enumerate((out[0], err[0])):
            os.set_blocking(fd, False)
            self.pipes[fd] = index
        for fd in (self.channel, self.judging.host_fd, *self.pipes):
            self.poll.register(fd, select.POLLIN)

    def ask_agent(self, given: list[int] | None = None) -> None:
        """Has the agent watch over what follows, and over a candidate with these descriptors if there are any."""
        order = self.order
        limits = (float(order.cpu), float(order.wall), order.memory, order.file_size, order.processes)
        packed = struct.pack("4i", *given) if given else b""
        self.judging.agent.sendmsg(
            [frames.encode(frames.BEGIN, *limits)], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, packed)] if given else []
        )

    def kill(self, how: int) -> None:
        self.judging.agent.send(frames.encode(frames.KILL, how))

    def wait(self) -> None:
        """Waits for the channel, and sees to all else meanwhile."""
        while True:
            ready = False
            for fd, _ in self.poll.poll():
                if fd == self.channel:
                    ready = True
                else:
                    self.see_to(fd)
            if ready:
                return

    def see_to(self, fd: int) -> None:
        if fd in self.pipes:
            self.read_pipe(fd)
        elif fd == self.judging.host_fd:
            data = self.judging.host.recv(1 << 20)
            if not data:
                self.judging.agent.send(frames.encode(frames.LEAVE))
                os._exit(1)
            for message in self.judging.frames.feed(data):
                if message[0] == frames.CANCEL and message[1] == self.order.id:
                    self.kill(frames.CANCELLED)

    def read_pipe(self, fd: int) -> bool:
        """Reads once; False when there is nothing (more) to read now."""
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return False
        if not data:
            self.poll.unregister(fd)
            del self.pipes[fd]
            os.close(fd)
            return False
        kept = self.kept[self.pipes[fd]]
        kept += data[: max(0, self.most - len(kept))]
        before = self.written
        self.written += len(data)
        if before <= self.order.output < self.written:
            self.kill(frames.OUTPUT_LIMIT)
        return True

    def wait_for_end(self) -> tuple[Any, ...]:
        """What the agent saw of the program, once all is dead and clean."""
        if self.channel >= 0:
            self.poll.unregister(self.channel)
            os.close(self.channel)
        self.poll.register(self.judging.agent_fd, select.POLLIN)
        ended: tuple[Any, ...] | None = None
        while ended is None:
            for fd, _ in self.poll.poll():
                if fd == self.judging.agent_fd:
                    data = self.judging.agent.recv(65536)
                    if not data:
                        os._exit(1)
                    ended = frames.decode(data[4:])[1:]
                else:
                    self.see_to(fd)
        for fd in list(self.pipes):
            while self.read_pipe(fd):
                pass
        for fd in list(self.pipes):
            os.close(fd)
        return ended


def times(order: Order, ready_at: float, ended_at: float) -> tuple[float, float]:
    """How long it took until the candidate was ready, and from then to its end. Our clock and the agent's are one."""
    if order.mode == frames.CHECKER:
        return 0.0, 0.0
    # One that ended before we came to see it ready ran for no time that we know of; one never seen ready did not run.
    ready_at = min(ready_at or ended_at, ended_at)
    return max(0.0, ready_at - order.came_at), ended_at - ready_at


def file_of(data: bytes) -> int:
    """A file with no name that holds `data`."""
    fd = os.memfd_create("stdin", os.MFD_CLOEXEC)
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def main(host: int, agent: int, announce: bool) -> None:
    """Serves the host at one descriptor with the help of the agent at another. `announce`: says READY first."""
    judge = Judge(_socket.socket(fileno=host), _socket.socket(fileno=agent))
    if announce:
        judge.host.sendall(frames.encode(frames.READY))
    judge.serve()
    os._exit(0)
