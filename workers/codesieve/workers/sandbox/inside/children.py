"""What the agent's forks do first: take their descriptors, limits and user id, and become a candidate or a judge."""

from __future__ import annotations

import fcntl
import os
import resource
import signal

from . import candidate, judge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_FILES = 256
JUDGE_MEMORY = 1 << 30
JUDGE_FILE = 16 * 2**20
JUDGE_PROCESSES = 32


def drop_to(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    # Changing the user id also makes the process undumpable: its memory can't be read by others of its user id.
    os.setresuid(uid, uid, uid)


def set_limit(which: int, soft: int, hard: int) -> None:
    ceiling = resource.getrlimit(which)[1]
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(which, (soft, hard))


def prepare() -> None:
    """What every child is to inherit from the agent, so that it needn't be set in each."""
    set_limit(resource.RLIMIT_CORE, 0, 0)
    set_limit(resource.RLIMIT_NOFILE, 2 * MAX_FILES, 2 * MAX_FILES)
    try:
        # Linux's number: Python has no name for it everywhere. A queue can be made by opening a file in /dev/mqueue.
        set_limit(getattr(resource, "RLIMIT_MSGQUEUE", 12), 0, 0)
    except (OSError, ValueError):
        pass  # gVisor knows no such limit; a queue that a program leaves is found as a file


def set_limits(memory: int, file_size: int, processes: int) -> None:
    set_limit(resource.RLIMIT_AS, memory, memory)
    set_limit(resource.RLIMIT_FSIZE, file_size, file_size)
    set_limit(resource.RLIMIT_NPROC, processes, processes)
    set_limit(resource.RLIMIT_NOFILE, MAX_FILES, MAX_FILES)


def arrange(fds: list[int], places: list[int]) -> None:
    """Puts each descriptor in its place and closes every other. Places from 3 on are not inherited."""
    copies = [fcntl.fcntl(fd, fcntl.F_DUPFD, MAX_FILES) for fd in fds]  # where none lies in the way of a place
    for fd, place in zip(copies, places):
        os.dup2(fd, place, inheritable=place < 3)
    at = 0
    for place in sorted(places):
        if at < place:  # os.closerange(0, 0) closes everything
            os.closerange(at, place)
        at = place + 1
    os.closerange(at, 2 * MAX_FILES)


def begin_child() -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()


def become_candidate(uid: int, scratch: str, place: int, limits: Sequence[float], fds: list[int]) -> None:
    """stdin, stdout, stderr and, at `place`, the channel. Never returns."""
    cpu, memory, file_size, processes = limits
    try:
        begin_child()
        arrange(fds, [0, 1, 2, place])
        os.umask(0o077)
        score = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(score, b"1000")  # before the judge and the agent
        os.close(score)
        drop_to(uid)
        os.mkdir(scratch, 0o700)
        os.chdir(scratch)
        os.environ["HOME"] = os.environ["TMPDIR"] = scratch
        whole = -int(-cpu // 1)
        set_limit(resource.RLIMIT_CPU, whole, whole + 1)
        set_limits(int(memory), int(file_size), int(processes))
        candidate.run(place)
    finally:
        os._exit(1)  # not ready: the judge sees that, and the host retries elsewhere


def become_judge(uid: int, fds: list[int], announce: bool) -> None:
    """Nothing at 0 to 2, the host at 3, the agent at 4. Never returns."""
    try:
        begin_child()
        arrange(fds, [0, 1, 2, 3, 4])
        drop_to(uid)
        set_limits(JUDGE_MEMORY, JUDGE_FILE, JUDGE_PROCESSES)
        judge.main(3, 4, announce)
    finally:
        os._exit(1)
