"""What the agent reads of the kernel: processes, their times, memory kills, System V."""

from __future__ import annotations

import os

OOM_COUNTERS = ("/oom_counter", "/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")


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


def delay_seconds_of(pid: int) -> float:
    """How long a living process could have run but had no CPU; 0 where the kernel doesn't say."""
    try:
        with open(f"/proc/{pid}/schedstat", "rb") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def system_v_is_closed() -> bool:
    """Whether nobody can make a segment, a semaphore or a queue: the cell's list of system calls has none for it."""
    with open("/proc/self/status") as file:
        if "Seccomp:\t2" in file.read():
            return True
    try:
        values = []
        for name in ("shmmni", "msgmni", "sem"):
            with open("/proc/sys/kernel/" + name) as file:
                values.append(int(file.read().split()[-1]))
    except FileNotFoundError:
        return False
    return values == [0, 0, 0]


def find_oom_counter() -> str:
    """The file that says how often memory ran out in this cell; "" where none does."""
    return next((path for path in OOM_COUNTERS if oom_kills(path) >= 0), "")


def oom_kills(path: str) -> int:
    """How often the kernel killed for want of memory in this cell; -1 where `path` doesn't say."""
    if not path:
        return -1
    try:
        with open(path) as file:
            for line in file:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    except OSError:
        pass
    return -1
