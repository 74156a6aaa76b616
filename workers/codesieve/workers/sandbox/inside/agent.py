"""The first process of a cell: has programs run, one at a time, holds them to their limits, and leaves the cell clean.

The agent has never seen a program, a test or an output: the processes that it forks find nothing of the kind in what they
inherit. It is small and warm, so that a fork is cheap. The judge, a fork of it with a user id of its own, speaks with the
host and tells the agent over a socket when a candidate is wanted (its limits and its descriptors) and when it has had what
it needs. When a candidate has ended, everything that its user id still runs is killed and everything that it left is
removed; only then is the judge told. What can't be proven clean is said to be dirty, and the host gives the cell up.

It holds two capabilities, SETUID and SETGID. It kills by becoming the candidate's user for one ``kill(-1)``: that is atomic,
never reaches another user's process, and the first process of a pid namespace can't be killed back.
"""

from __future__ import annotations

import _socket
import gc
import os
import select
import signal
import struct
import sys
import time

from . import children, frames
from .cleaning import Dirty, find_leftovers, system_v_rows, wipe, writable_places
from .counting import cpu_seconds_of, delay_seconds_of, find_oom_counter, oom_kills, processes_of, system_v_is_closed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COUNT_SECONDS = 0.02
KILL_TRIES_SECONDS = 10.0
# What programs import most, so that a fork finds it loaded. hashlib and datetime cost more in every fork than they save.
PRELOADED = (
    "typing",
    "collections",
    "math",
    "re",
    "functools",
    "itertools",
    "string",
    "heapq",
    "bisect",
    "copy",
)


class Agent:
    """The poll loop and what it looks after. At most one program at a time."""

    def __init__(self, host: Any, uid_base: int) -> None:
        self.host = host
        self.uid = uid_base + 1
        self.judge_uid = uid_base + 2
        self.places = writable_places()
        if "/tmp" not in self.places:
            raise Dirty("/tmp is no directory that every user may write to")
        self.null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        self.ticks = os.sysconf("SC_CLK_TCK")
        self.cpus = os.cpu_count() or 1
        self.affinity = os.sched_getaffinity(0)
        self.priority = os.getpriority(os.PRIO_PROCESS, 0)  # Ray's workers, and so their cells, are niced
        self.system_v_closed = system_v_is_closed()
        self.oom_counter = find_oom_counter()
        self.priority_finds_users = self.is_free_by_priority(self.uid) and not self.is_free_by_priority(os.getuid())
        # gVisor takes RLIMIT_NPROC and doesn't hold anyone to it.
        self.counts_processes = not self.priority_finds_users
        self.judge: Any = None
        self.judge_pid = 0
        self.running = False
        self.pid = 0  # the candidate's, until it has ended
        self.cpu, self.peak = 0.0, 0  # of it and of those of its descendants that came to us
        self.wake, wake_write = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake_write, False)
        self.poll = select.poll()
        self.poll.register(self.wake, select.POLLIN)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        # The one other signal that Python handles, and so the one that a program could end us with (see kill_all).
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    # -- processes --

    @staticmethod
    def is_free_by_priority(uid: int) -> bool:
        try:
            os.getpriority(os.PRIO_USER, uid)
        except ProcessLookupError:
            return True
        return False

    def has_processes(self, uid: int) -> bool:
        # One system call where the kernel looks through its task list for us; gVisor's doesn't.
        if self.priority_finds_users:
            return not self.is_free_by_priority(uid)
        return bool(processes_of(uid))

    def kill_all(self, uid: int) -> None:
        os.setresuid(uid, uid, 0)
        try:
            os.kill(-1, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # none there; has_processes() has the last word
        finally:
            os.setresuid(0, 0, 0)
        # For that moment a process of that user could set our priority and our CPUs.
        if os.getpriority(os.PRIO_PROCESS, 0) != self.priority or os.sched_getaffinity(0) != self.affinity:
            raise Dirty("a program changed the agent's priority")

    def start_judge(self, announce: bool) -> None:
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        fds = [self.null, self.null, self.null, self.host.fileno(), theirs.fileno()]
        self.judge_pid = os.fork()
        if self.judge_pid == 0:
            children.become_judge(self.judge_uid, fds, announce)
        theirs.close()
        self.judge = ours
        self.poll.register(ours.fileno(), select.POLLIN)

    def replace_judge(self) -> None:
        """Another judge for another owner; nothing of the one before is left."""
        self.poll.unregister(self.judge.fileno())
        self.judge.close()
        until = time.monotonic() + KILL_TRIES_SECONDS
        while self.judge_pid or self.has_processes(self.judge_uid):
            if time.monotonic() > until:
                raise Dirty("a judge can't be killed")
            self.kill_all(self.judge_uid)
            self.reap()
            time.sleep(0.0002)
        self.start_judge(announce=True)

    def reap(self) -> None:
        """Takes note of every process that has ended: ours, and orphans of theirs."""
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            pid, status, usage = os.wait4(found.si_pid, 0)
            if pid == self.judge_pid:
                self.judge_pid = 0
            elif self.running and (pid == self.pid or found.si_uid == self.uid):
                self.cpu += usage.ru_utime + usage.ru_stime
                self.peak = max(self.peak, usage.ru_maxrss * 1024)
                if pid == self.pid:
                    self.pid = 0
                    self.status = status
                    self.ended = time.monotonic()
                elif status == signal.SIGKILL and self.end in (None, frames.EXIT):
                    self.left |= frames.LEFT_PROCESSES  # it would have gone on; with a program that is stopped all are

    # -- a program's life --

    def begin(self, order: tuple[Any, ...], fds: list[int]) -> None:
        """Forks a candidate. `order`: kind, cpu s, wall s, memory B, file B, processes."""
        if self.running:
            raise Dirty("the judge began a program while another runs")
        _, self.cpu_limit, self.wall_limit, memory, file_size, self.process_limit = order
        scratch = os.urandom(9)
        self.scratch = "/tmp/" + scratch[:8].hex()
        self.oom = oom_kills(self.oom_counter)
        self.started = self.ended = time.monotonic()
        if fds:
            self.pid = os.fork()
            if self.pid == 0:
                limits = (self.cpu_limit, memory, file_size, self.process_limit)
                children.become_candidate(self.uid, self.scratch, 128 + scratch[8] % 100, limits, fds)
        for fd in fds:
            os.close(fd)
        self.running = True
        self.tests_done = False
        self.status = 0
        self.end: int | None = None  # set when it is ended
        self.cpu, self.peak, self.waited = 0.0, 0, 0.0
        self.judge_cpu: float | None = None  # when last looked, from the first look on
        self.kill_until = 0.0
        self.wiped = False
        self.left = 0  # what was found of it after its end
        self.next_look = self.started + (COUNT_SECONDS if self.counts_processes else self.cpu_limit / self.cpus)

    def stop_program(self, end: int) -> None:
        if self.end is None:
            self.end = end
            self.ended = time.monotonic()
            self.kill_until = self.ended + KILL_TRIES_SECONDS
        self.kill_all(self.uid)

    def watch(self, now: float) -> None:
        """Holds the running program, and its tests, to their times."""
        if self.pid and self.end is not None:
            if now > self.kill_until:
                raise Dirty("a program can't be killed")
            self.kill_all(self.uid)
        elif self.pid and now - self.started >= self.wall_limit:
            self.waited = sum(map(delay_seconds_of, processes_of(self.uid)))
            self.stop_program(frames.WALL_LIMIT)
        if now < self.next_look:
            return
        used = self.cpu
        if self.pid and self.end is None:
            found = processes_of(self.uid)
            used += sum(cpu_seconds_of(pid, self.ticks) for pid in found)
            if len(found) > self.process_limit:
                self.stop_program(frames.PROCESS_LIMIT)
            elif used >= self.cpu_limit:
                self.stop_program(frames.CPU_LIMIT)
        if not self.tests_done:
            tests = sum(cpu_seconds_of(pid, self.ticks) for pid in processes_of(self.judge_uid))
            if self.judge_cpu is None:
                self.judge_cpu = tests
            if tests - self.judge_cpu >= self.cpu_limit or now - self.started >= 2 * self.wall_limit:
                raise TestsOverTime
        # Not on all CPUs at once could it reach its limit sooner.
        soonest = max(0.02, (self.cpu_limit - used) / self.cpus)
        self.next_look = now + (COUNT_SECONDS if self.counts_processes else soonest)

    def due(self, now: float) -> float | None:
        """When to look next, in milliseconds from now."""
        if not self.running:
            return None
        if (self.pid and self.end is not None) or (not self.pid and self.tests_done):
            return 10
        until: float = min(self.next_look, self.started + self.wall_limit) if self.pid else self.next_look
        return max(0.0, until - now) * 1000 + 1

    def settle(self, now: float) -> bool:
        """Cleans up after a program that has ended. True once the cell is clean."""
        if self.has_processes(self.uid):
            self.kill_until = self.kill_until or now + KILL_TRIES_SECONDS
            if now > self.kill_until:
                self.left |= frames.LEFT_PROCESSES
                raise Dirty("a program's descendants can't be killed")
            self.kill_all(self.uid)
            return False
        if not self.tests_done:
            return False  # the judge sees the channel's end now
        owners, kinds = find_leftovers(self.scratch, self.places, (self.uid, self.judge_uid))
        self.left |= kinds
        if owners:
            if self.wiped:
                raise Dirty("a program left files that can't be removed")
            self.wiped = True
            for uid in owners:
                wipe(uid, self.places)
            return self.settle(now)
        if not self.system_v_closed and system_v_rows():
            self.left |= frames.LEFT_IPC
            raise Dirty("a program left System V segments, semaphores or queues")
        return True

    def finish(self, dirty: str) -> None:
        """Tells the judge how the program ended, and why this cell mustn't be used again, if so."""
        end, status = frames.EXIT, 0
        if os.WIFSIGNALED(self.status):
            end, status = frames.SIGNALLED, os.WTERMSIG(self.status)
        else:
            status = os.WEXITSTATUS(self.status)
        if self.end is not None:
            end = self.end
        elif end == frames.SIGNALLED and status == signal.SIGKILL and oom_kills(self.oom_counter) > self.oom:
            end = frames.OOM_KILLED
        wall = self.ended - self.started
        seen = (end, status, wall, self.cpu, self.peak, self.waited, self.ended, self.left, dirty)
        self.running = False
        self.judge.send(frames.encode(frames.ENDED, *seen))

    # -- the loop --

    def hello(self) -> None:
        notes = [] if self.system_v_closed else ["System V IPC is not closed"]
        if not self.priority_finds_users:
            notes.append("processes are found by scanning /proc")
        if not self.oom_counter:
            notes.append("no memory counter")
        version = ".".join(map(str, sys.version_info[:3]))
        self.host.sendall(frames.encode(frames.HELLO, frames.PROTOCOL, version, "; ".join(notes)))

    def serve(self) -> None:
        self.start_judge(announce=False)
        self.hello()
        while True:
            timeout = self.due(time.monotonic()) if self.running else None
            for fd, _ in self.poll.poll(timeout):
                if fd == self.wake:
                    os.read(self.wake, 4096)
                    self.reap()
                elif not self.hear_judge():
                    return
            if not self.running:
                continue
            now = time.monotonic()
            self.watch(now)
            if self.pid:
                continue
            try:
                if self.settle(now):
                    self.finish("")
            except Dirty as error:
                self.finish(str(error))  # it has its outcome all the same

    def hear_judge(self) -> bool:
        """False once there is nothing more to do."""
        data, ancillary, _, _ = self.judge.recvmsg(4096, _socket.CMSG_SPACE(4 * 4))
        if not data:
            self.reap()
            raise JudgeDied
        fds: list[int] = []
        for _, _, packed in ancillary:
            fds += struct.unpack(f"{len(packed) // 4}i", packed)
        order = frames.decode(data[4:])
        if order[0] == frames.BEGIN:
            self.begin(order, fds)
        elif order[0] in (frames.END, frames.KILL):
            self.tests_done = self.tests_done or order[0] == frames.END
            if self.running and self.pid and order[1] != frames.NATURAL:
                self.stop_program(order[1])
        elif order[0] == frames.RETIRE:
            self.replace_judge()
        else:
            return False  # LEAVE: the host is gone, and with us goes all that runs here
        return True


class JudgeDied(Exception):
    """The judge ended on its own."""


class TestsOverTime(Exception):
    """The tests used up their CPU time."""


def main(arguments: list[str]) -> None:
    where, uid_base = arguments[0], int(arguments[1])
    if where.startswith("fd:"):
        host = _socket.socket(fileno=int(where[3:]))
    else:
        host = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        host.connect(where)
    os.set_inheritable(host.fileno(), False)
    try:
        for name in PRELOADED:
            try:
                __import__(name)
            except ImportError:
                continue  # a smaller Python; programs that need it will say so
        os.environ.clear()
        os.environ.update(PATH="/usr/local/bin:/usr/bin:/bin", LANG="C.UTF-8")
        sys.argv[:] = [""]
        os.chdir("/")
        agent = Agent(host, uid_base)
        children.prepare()
        compile("def f(x: int) -> int:\n    return [y for y in range(x)][-1]\n", "", "exec")
        gc.collect()
        gc.freeze()
        agent.serve()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the host is gone
    except BaseException as error:  # noqa: BLE001  (the last word before the cell is given up)
        # A file's name may be a program's words, which no log is to hold.
        why = error.strerror or "" if isinstance(error, OSError) else str(error)
        host.sendall(frames.encode(frames.DIRTY, type(error).__name__, why))
    os._exit(0)
