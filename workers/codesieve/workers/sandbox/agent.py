"""The first process of a cell: runs programs, one fork each, and cleans up after them.

One file of the standard library, for any Python from 3.8 on; the host imports it for the codec alone, so importing it
does nothing. It talks to the host over one Unix socket in length-prefixed frames, and polls in a single thread.

Each running program has a *slot*, and each slot a user id of its own. A child is forked from the warm interpreter, drops
to that user id in a scratch directory of its own, runs the program and then its tests, and writes a report to a pipe.
When it has ended, everything that this user id still runs is killed and everything that it left behind is removed; only
then is the host told the outcome and the slot used again. What can't be proven clean is said to be DIRTY.

The agent holds two capabilities, SETUID and SETGID. It kills by becoming the slot's user for one ``kill(-1)``: that is
atomic, never reaches a process of another slot, and the first process of a pid namespace can't be killed back.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

PROTOCOL = 1

# Kinds of message. A message is a tuple of int, float, bytes and str; its first value is the kind.
HELLO = 1  # agent: protocol, Python version, one line of what it found
RUN = 2  # host: id, cpu s, wall s, memory B, output B, file B, processes, program, test
CANCEL = 3  # host: id
DONE = 4  # agent: id, end, status, report kind, exception type, message, wall s, cpu s, peak B, stdout, stderr
DIRTY = 5  # agent: why this cell must not be used again

# How a program's process ended.
EXITED = 0
SIGNALLED = 1
CPU_LIMIT = 2
WALL_LIMIT = 3
OUTPUT_LIMIT = 4
OOM_KILLED = 5
CANCELLED = 6

# What the program's process reported, if it got that far.
NO_REPORT = 0
PASSED = 1
SYNTAX = 2
ASSERTION = 3
RAISED = 4
LEFT = 5  # SystemExit; the message holds its code
MEMORY = 6
SETUP_FAILED = 7  # the child could not be made ready: our trouble, not the program's
FORGED = 8  # something was written to the report pipe, and not by us

PROGRAM_NAME = "<program>"
TEST_NAME = "<test>"

KEPT_OUTPUT = 64 * 1024
MAX_FRAME = 64 * 2**20
MAX_REPORT = 16 * 1024
MAX_FILES = 256
COMPILED = "/tmp/agent.pyc"
KILL_TRIES_SECONDS = 10.0
OOM_COUNTERS = ("/oom_counter", "/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
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
    "random",
    "copy",
)

_U32 = struct.Struct("!I")
_I64 = struct.Struct("!q")
_F64 = struct.Struct("!d")


def encode(*values: int | float | bytes | str) -> bytes:
    """One frame: a length of four bytes, then each value with its tag."""
    body = bytearray(4)
    for value in values:
        if isinstance(value, bytes):
            body += b"b" + _U32.pack(len(value)) + value
        elif isinstance(value, str):
            data = value.encode("utf-8", "backslashreplace")
            body += b"s" + _U32.pack(len(data)) + data
        elif isinstance(value, int):
            body += b"i" + _I64.pack(value)
        else:
            body += b"f" + _F64.pack(value)
    _U32.pack_into(body, 0, len(body) - 4)
    return bytes(body)


def decode(body: bytes) -> tuple[Any, ...]:
    """The values of one frame's body. Raises ValueError where it is malformed."""
    values: list[Any] = []
    at = 0
    try:
        while at < len(body):
            tag = body[at : at + 1]
            at += 1
            if tag == b"i":
                values.append(_I64.unpack_from(body, at)[0])
                at += 8
            elif tag == b"f":
                values.append(_F64.unpack_from(body, at)[0])
                at += 8
            elif tag in (b"b", b"s"):
                end = at + 4 + _U32.unpack_from(body, at)[0]
                if end > len(body):
                    raise ValueError("a value is longer than its frame")
                values.append(body[at + 4 : end] if tag == b"b" else body[at + 4 : end].decode("utf-8"))
                at = end
            else:
                raise ValueError(f"unknown tag {tag!r}")
    except struct.error as error:
        raise ValueError(f"a frame ends early: {error}") from None
    return tuple(values)


class Frames:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[tuple[Any, ...]]:
        """The messages that `data` completes. Raises ValueError where the stream is malformed."""
        self._data += data
        messages = []
        while len(self._data) >= 4:
            size = _U32.unpack_from(self._data)[0]
            if size > MAX_FRAME:
                raise ValueError(f"a frame of {size} bytes is too long")
            if len(self._data) < 4 + size:
                break
            messages.append(decode(bytes(self._data[4 : 4 + size])))
            del self._data[: 4 + size]
        return messages


# ---------------------------------------------------------------------------------------------------------------------
# The child: what happens between the fork and the program's end.


def run_together(program: bytes, test: bytes) -> tuple[int, str, str]:
    """Runs the program and then its tests in this process. Gives the report's kind, exception type and message."""
    module = type(sys)("__main__")
    sys.modules["__main__"] = module
    try:
        # Decoded first, so that a coding line in the program means nothing, as in exec() of a string.
        code = compile(program.decode("utf-8"), PROGRAM_NAME, "exec", dont_inherit=True)
    except MemoryError:
        return MEMORY, "MemoryError", ""
    except (SyntaxError, ValueError, OverflowError, RecursionError) as error:
        return (SYNTAX, *describe(error))
    try:
        exec(code, module.__dict__)
    except BaseException as error:  # noqa: BLE001  (whatever it is, it is the program's)
        return classify(error, testing=False)
    try:
        exec(compile(test.decode("utf-8"), TEST_NAME, "exec", dont_inherit=True), module.__dict__)
    except BaseException as error:  # noqa: BLE001
        return classify(error, testing=True)
    return PASSED, "", ""


def classify(error: BaseException, testing: bool) -> tuple[int, str, str]:
    if isinstance(error, MemoryError):
        return MEMORY, "MemoryError", ""
    if isinstance(error, SystemExit):
        return (LEFT, *describe(error))
    if testing and isinstance(error, AssertionError) and not passes_through_program(error.__traceback__):
        return (ASSERTION, *describe(error))
    return (RAISED, *describe(error))


def passes_through_program(traceback: TracebackType | None) -> bool:
    """Whether the exception came out of the program: then it isn't the test's own assertion that failed."""
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == PROGRAM_NAME:
            return True
        traceback = traceback.tb_next
    return False


def describe(error: BaseException) -> tuple[str, str]:
    name = str(type.__dict__["__name__"].__get__(type(error)))[:200]  # a metaclass has no say in it
    try:
        return name, str(error)[:1000]
    except BaseException:  # noqa: BLE001  (a hostile __str__ must not decide how the program ends)
        return name, "(its text can't be had)"


def own_exit_status(nonce: bytes) -> int:
    """The exit status of our own way out: a report counts only together with it."""
    return 100 + nonce[0] % 100


def drop_to(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    # Changing the user id also makes the process undumpable: its memory can't be read by others of its user id.
    os.setresuid(uid, uid, uid)


def set_limit(which: int, soft: int, hard: int) -> None:
    import resource

    ceiling = resource.getrlimit(which)[1]
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(which, (soft, hard))


def set_limits(cpu: float, memory: int, file_size: int, processes: int) -> None:
    import resource

    whole = -int(-cpu // 1)
    set_limit(resource.RLIMIT_CPU, whole, whole + 1)
    set_limit(resource.RLIMIT_AS, memory, memory)
    set_limit(resource.RLIMIT_FSIZE, file_size, file_size)
    set_limit(resource.RLIMIT_NPROC, processes, processes)
    set_limit(resource.RLIMIT_NOFILE, MAX_FILES, MAX_FILES)
    set_limit(resource.RLIMIT_CORE, 0, 0)
    # Linux's number: Python has no name for it everywhere. No POSIX message queue can be made.
    set_limit(getattr(resource, "RLIMIT_MSGQUEUE", 12), 0, 0)


def child(
    run: tuple[Any, ...], uid: int, scratch: str, nonce: bytes, null: int, out: int, err: int, report: int
) -> None:
    """Everything a program's process does. Never returns."""
    _, _, cpu, _, memory, _, file_size, processes, program, test = run
    channel = report
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        hidden = 128 + nonce[1] % 100
        channel = os.dup2(report, hidden, inheritable=False)
        for fd, target in ((null, 0), (out, 1), (err, 2)):
            os.dup2(fd, target)
        os.closerange(3, hidden)
        os.closerange(hidden + 1, MAX_FILES)
        os.umask(0o077)
        drop_to(uid)
        os.mkdir(scratch, 0o700)
        os.chdir(scratch)
        os.environ["HOME"] = os.environ["TMPDIR"] = scratch
        set_limits(cpu, memory, file_size, processes)
    except BaseException as error:  # noqa: BLE001  (said to the host, which retries elsewhere)
        os.write(channel, encode(nonce, SETUP_FAILED, *describe(error)))
        os._exit(own_exit_status(nonce))
    out_of_memory = encode(nonce, MEMORY, "MemoryError", "")  # made now: later there may be no memory to make it
    stdout, stderr, own_pid = sys.stdout, sys.stderr, os.getpid()
    kind, name, message = run_together(program, test)
    if os.getpid() != own_pid:
        os._exit(0)  # a fork of the program that ran on to here: it has nothing to report
    for stream in (stdout, stderr):
        try:
            stream.flush()
        except (OSError, ValueError, MemoryError):
            continue  # the program closed it: what it held is lost, as it would be in a run of its own
    data = out_of_memory if kind == MEMORY else encode(nonce, kind, name, message)
    os.write(channel, data)
    os._exit(own_exit_status(nonce))


def owner_of(path: str) -> int:
    """The user id that owns `path`, -1 if it is gone: another slot's program may remove its own at any time."""
    try:
        return os.lstat(path).st_uid
    except FileNotFoundError:
        return -1


def wipe(uid: int, places: tuple[str, ...]) -> None:
    """Removes all that `uid` owns at the top of `places`, as that user. Runs in a process of its own.

    Directories are flattened as they are met (each subdirectory is moved up beside its parent), so that no depth, and no
    path longer than the system takes, is in the way.
    """
    drop_to(uid)
    for place in places:
        doomed = [path for path in (os.path.join(place, name) for name in os.listdir(place)) if owner_of(path) == uid]
        count = 0
        while doomed:
            path = doomed.pop()
            if os.path.islink(path) or not os.path.isdir(path):
                os.unlink(path)
                continue
            os.chmod(path, 0o700)
            for entry in list(os.scandir(path)):
                if entry.is_dir(follow_symlinks=False):
                    count += 1
                    moved = os.path.join(place, f"wipe-{uid}-{count}-{os.urandom(4).hex()}")
                    os.chmod(entry.path, 0o700)
                    os.rename(entry.path, moved)
                    doomed.append(moved)
                else:
                    os.unlink(entry.path)
            os.rmdir(path)


# ---------------------------------------------------------------------------------------------------------------------
# The agent.


class Dirty(Exception):
    """This cell can't prove that it is clean."""


def uid_of(pid: int) -> int:
    """The real user id of a process, -1 if it is gone. The owner of its /proc entry may be root's."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            for line in file:
                if line.startswith(b"Uid:"):
                    return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return -1


def processes_of(uid: int) -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and uid_of(int(name)) == uid]


def cpu_seconds_of(pid: int, ticks: int) -> float:
    """CPU time of a living process and of those of its children that it waited for."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(field) for field in fields[11:15]) / ticks


def writable_places() -> tuple[str, ...]:
    """The mounted directories that every user may write to. The cell's root is read-only."""
    places = []
    with open("/proc/mounts") as file:
        for line in file:
            _, path, kind, options = line.split()[:4]
            path = path.encode().decode("unicode_escape")
            # A message queue needs RLIMIT_MSGQUEUE, which is nought.
            if kind in ("mqueue", "proc", "sysfs", "devpts") or "rw" not in options.split(","):
                continue
            if os.path.isdir(path) and os.stat(path).st_mode & 0o002:
                places.append(path)
    return tuple(places)


def system_v_is_closed() -> bool:
    """Whether the cell's IPC namespace lets nobody make a segment, a semaphore or a queue."""
    try:
        values = []
        for name in ("shmmni", "msgmni", "sem"):
            with open("/proc/sys/kernel/" + name) as file:
                values.append(int(file.read().split()[-1]))
    except FileNotFoundError:
        return False
    return values == [0, 0, 0]


def system_v_rows() -> int:
    rows = 0
    for name in ("shm", "msg", "sem"):
        with open("/proc/sysvipc/" + name) as file:
            rows += len(file.readlines()) - 1
    return rows


def oom_kills(path: str) -> int:
    """How often the kernel killed for want of memory in this cell; -1 where `path` doesn't say."""
    try:
        with open(path) as file:
            for line in file:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    except OSError:
        pass
    return -1


class Slot:
    """A user id, and the program that has it now."""

    def __init__(self, uid: int) -> None:
        self.uid = uid
        self.run: tuple[Any, ...] = ()
        self.pid = 0
        self.helper = 0
        self.helped = False

    def begin(self, run: tuple[Any, ...], pid: int, scratch: str, nonce: bytes, pipes: list[int], oom: int) -> None:
        self.run = run
        self.pid = pid
        self.scratch = scratch
        self.nonce = nonce
        self.pipes: dict[int, int] = {fd: index for index, fd in enumerate(pipes)}
        self.kept = [bytearray(), bytearray(), bytearray()]
        self.written = 0
        self.oom = oom
        self.started = time.monotonic()
        self.ended = 0.0
        self.end: int | None = None  # set when we kill it
        self.status = 0
        self.cpu = 0.0
        self.peak = 0
        self.next_cpu_check = 0.0
        self.kill_until = 0.0
        self.helper = 0
        self.helped = False


class Agent:
    """The poll loop and what it looks after."""

    def __init__(self, host: socket.socket, uid_base: int, slots: int) -> None:
        self.host = host
        self.free = [Slot(uid_base + 1 + index) for index in range(slots)]
        self.busy: dict[int, Slot] = {}  # by the program's id
        self.readers: dict[int, Slot] = {}  # by pipe
        self.places = writable_places()
        if "/tmp" not in self.places:
            raise Dirty("/tmp is no directory that every user may write to")
        self.null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        self.ticks = os.sysconf("SC_CLK_TCK")
        self.cpus = os.cpu_count() or 1
        self.affinity: set[int] = os.sched_getaffinity(0)
        self.priority = os.getpriority(os.PRIO_PROCESS, 0)  # Ray's workers, and so their cells, are niced
        self.system_v_closed = system_v_is_closed()
        self.oom_counter = next((path for path in OOM_COUNTERS if oom_kills(path) >= 0), None)
        self.priority_finds_users = self.is_free_by_priority(uid_base + 1) and not self.is_free_by_priority(os.getuid())
        self.frames = Frames()
        self.poll = select.poll()
        self.poll.register(host, select.POLLIN)
        self.wake, wake_write = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake_write, False)
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
        # For that moment a process of the slot's user could set our priority and our CPUs.
        if os.getpriority(os.PRIO_PROCESS, 0) != self.priority or os.sched_getaffinity(0) != self.affinity:
            raise Dirty("a program changed the agent's priority")

    def stop_program(self, slot: Slot, end: int) -> None:
        if slot.end is None:
            slot.end = end
            slot.kill_until = time.monotonic() + KILL_TRIES_SECONDS
        self.kill_all(slot.uid)

    def reap(self) -> None:
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            pid, status, usage = os.wait4(found.si_pid, 0)
            for slot in self.busy.values():
                if slot.helper == pid:
                    slot.helper = 0
                elif slot.uid == found.si_uid or slot.pid == pid:
                    slot.cpu += usage.ru_utime + usage.ru_stime
                    slot.peak = max(slot.peak, usage.ru_maxrss * 1024)
                    if slot.pid == pid:
                        slot.pid = 0
                        slot.status = status
                        slot.ended = time.monotonic()

    # -- a program's life --

    def start(self, run: tuple[Any, ...]) -> None:
        slot = self.free.pop()
        scratch = "/tmp/" + os.urandom(8).hex()
        nonce = os.urandom(16)
        pipes = [os.pipe(), os.pipe(), os.pipe()]
        oom = oom_kills(self.oom_counter) if self.oom_counter else 0
        pid = os.fork()
        if pid == 0:
            child(run, slot.uid, scratch, nonce, self.null, *(write for _, write in pipes))
        for read, write in pipes:
            os.close(write)
            os.set_blocking(read, False)
            self.poll.register(read, select.POLLIN)
            self.readers[read] = slot
        slot.begin(run, pid, scratch, nonce, [read for read, _ in pipes], oom)
        slot.next_cpu_check = slot.started + run[2] / self.cpus
        self.busy[run[1]] = slot

    def read_pipe(self, fd: int) -> bool:
        """Reads once; False when there is nothing (more) to read now."""
        slot = self.readers[fd]
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return False
        index = slot.pipes[fd]
        room = (MAX_REPORT if index == 2 else KEPT_OUTPUT) - len(slot.kept[index])
        slot.kept[index] += data[:room]
        if index != 2:
            slot.written += len(data)
            if slot.written > slot.run[5] and slot.end is None:
                self.stop_program(slot, OUTPUT_LIMIT)
        if not data:
            self.close_pipe(fd)
        return bool(data)

    def close_pipe(self, fd: int) -> None:
        self.poll.unregister(fd)
        del self.readers[fd].pipes[fd]
        del self.readers[fd]
        os.close(fd)

    def watch(self, slot: Slot, now: float) -> None:
        """Holds a running program to its times."""
        if slot.end is not None:
            if now > slot.kill_until:
                raise Dirty("a program can't be killed")
            self.kill_all(slot.uid)
        elif now - slot.started >= slot.run[3]:
            self.stop_program(slot, WALL_LIMIT)
        elif now >= slot.next_cpu_check:
            used = slot.cpu + sum(cpu_seconds_of(pid, self.ticks) for pid in processes_of(slot.uid))
            if used >= slot.run[2]:
                self.stop_program(slot, CPU_LIMIT)
            # Not on all CPUs at once could it reach its limit sooner.
            slot.next_cpu_check = now + max(0.02, (slot.run[2] - used) / self.cpus)

    def next_look(self, slot: Slot, now: float) -> float:
        if slot.end is not None or not slot.pid:
            return 0.01
        due: float = min(slot.next_cpu_check, slot.started + slot.run[3])
        return max(0.0, due - now)

    def settle(self, slot: Slot, now: float) -> bool:
        """Cleans up after a program whose process has ended. True once the slot is clean."""
        if slot.helper:
            return False
        if self.has_processes(slot.uid):
            if not slot.kill_until:
                slot.kill_until = now + KILL_TRIES_SECONDS
            if now > slot.kill_until:
                raise Dirty("a program's descendants can't be killed")
            self.kill_all(slot.uid)
            return False
        for fd in list(slot.pipes):
            while self.read_pipe(fd):
                pass
            if fd in slot.pipes:
                self.close_pipe(fd)
        if not self.has_files(slot):
            if not self.system_v_closed and system_v_rows():
                raise Dirty("a program left System V segments, semaphores or queues")
            return True
        if slot.helped:
            raise Dirty("a program left files that can't be removed")
        slot.helped = True
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                wipe(slot.uid, self.places)
                status = 0
            finally:
                os._exit(status)
        slot.helper = pid
        return False

    def has_files(self, slot: Slot) -> bool:
        try:
            os.rmdir(slot.scratch)  # empty after most programs
        except FileNotFoundError:
            pass
        except OSError:
            return True
        others = {other.scratch for other in self.busy.values() if other is not slot}
        users = {other.uid for other in self.busy.values() if other is not slot}
        for place in self.places:
            for name in os.listdir(place):
                path = os.path.join(place, name)
                if path in others:
                    continue
                owner = owner_of(path)
                if owner == slot.uid:
                    return True
                if owner not in users and owner != -1:
                    raise Dirty(f"a file of user {owner} lies in {place}")
        return False

    def finish(self, slot: Slot) -> None:
        kind, name, message = NO_REPORT, "", ""
        end, status = EXITED, 0
        if os.WIFSIGNALED(slot.status):
            end, status = SIGNALLED, os.WTERMSIG(slot.status)
        else:
            status = os.WEXITSTATUS(slot.status)
        if slot.end is not None:
            end = slot.end
        elif slot.cpu >= slot.run[2]:
            end = CPU_LIMIT
        elif end == SIGNALLED and status == signal.SIGKILL and self.oom_counter:
            if oom_kills(self.oom_counter) > slot.oom:
                end = OOM_KILLED
        elif slot.kept[2]:
            kind = FORGED
            try:
                reports = Frames().feed(bytes(slot.kept[2]))
                ours = len(reports) == 1 and len(reports[0]) == 4 and reports[0][0] == slot.nonce
                if ours and end == EXITED and status == own_exit_status(slot.nonce):
                    _, kind, name, message = reports[0]
            except ValueError:
                pass
        out, err, _ = slot.kept
        wall = slot.ended - slot.started
        outcome = (end, status, kind, name, message, wall, slot.cpu, slot.peak, bytes(out), bytes(err))
        self.host.sendall(encode(DONE, slot.run[1], *outcome))
        del self.busy[slot.run[1]]
        self.free.append(slot)

    # -- the loop --

    def serve(self) -> None:
        notes = [] if self.system_v_closed else ["System V IPC is watched, not closed"]
        if not self.priority_finds_users:
            notes.append("processes are found by scanning /proc")
        if not self.oom_counter:
            notes.append("no memory counter")
        self.host.sendall(encode(HELLO, PROTOCOL, ".".join(map(str, sys.version_info[:3])), "; ".join(notes)))
        while True:
            now = time.monotonic()
            wait = min((self.next_look(slot, now) for slot in self.busy.values()), default=None)
            for fd, _ in self.poll.poll(None if wait is None else wait * 1000 + 1):
                if fd == self.host.fileno():
                    data = self.host.recv(1 << 20)
                    if not data:
                        return  # the host is gone, and with us goes all that runs here
                    for message in self.frames.feed(data):
                        self.take(message)
                elif fd == self.wake:
                    os.read(self.wake, 4096)
                elif fd in self.readers:
                    self.read_pipe(fd)
            self.reap()
            now = time.monotonic()
            for slot in list(self.busy.values()):
                if slot.pid:
                    self.watch(slot, now)
                    continue
                try:
                    clean = self.settle(slot, now)
                except Dirty:
                    self.finish(slot)  # it has its outcome all the same
                    raise
                if clean:
                    self.finish(slot)

    def take(self, message: tuple[Any, ...]) -> None:
        if message[0] == RUN:
            self.start(message)
        elif message[0] == CANCEL:
            slot = self.busy.get(message[1])
            if slot is not None and slot.pid:
                self.stop_program(slot, CANCELLED)
        else:
            raise Dirty(f"the host sent an unknown message {message[0]!r}")


def main(arguments: list[str]) -> None:
    where, uid_base, slots = arguments[0], int(arguments[1]), int(arguments[2])
    if where.startswith("fd:"):
        host = socket.socket(fileno=int(where[3:]))
    else:
        host = socket.socket(socket.AF_UNIX)
        host.connect(where)
    try:
        for name in PRELOADED:
            try:
                __import__(name)
            except ImportError:
                continue  # a smaller Python; programs that need it will say so
        os.environ.clear()
        os.environ.update(PATH="/usr/local/bin:/usr/bin:/bin", LANG="C.UTF-8")
        sys.path[:] = [path for path in sys.path if path != os.path.dirname(COMPILED)]
        sys.argv[:] = [""]
        agent = Agent(host, uid_base, slots)
        import resource  # noqa: F401  (loaded before the first fork)

        compile("def f(x: int) -> int:\n    return [y for y in range(x)][-1]\n", "", "exec")
        gc.collect()
        gc.freeze()
        agent.serve()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the host is gone
    except BaseException as error:  # noqa: BLE001  (the last word before the cell is given up)
        host.sendall(encode(DIRTY, f"{type(error).__name__}: {error}"))
    os._exit(0)


def restart_compiled(arguments: list[str]) -> None:
    """Becomes the same agent run from byte code: compiling it leaves megabytes that every fork would pay for."""
    import py_compile

    py_compile.compile(__file__, COMPILED, doraise=True)
    os.execv(sys.executable, [sys.executable, "-s", "-B", COMPILED, *arguments])


if __name__ == "__main__":
    if __file__ != COMPILED:
        restart_compiled(sys.argv[1:])
    os.unlink(COMPILED)
    main(sys.argv[1:])
