"""The list of system calls: its numbers, what the compiled filter answers, and that it says no to what it must."""

from __future__ import annotations

import errno
import json
import re
import struct
from pathlib import Path

import pytest

from codesieve.workers.errors import SandboxUnavailable
from codesieve.workers.sandbox.seccomp import (
    ALLOW,
    AUDIT,
    CONDITIONS,
    KILL_PROCESS,
    REFUSE,
    compile_filter,
    docker_profile,
    numbers,
    parse,
)

EPERM, ENOSYS, EAFNOSUPPORT = (REFUSE | error for error in (errno.EPERM, errno.ENOSYS, errno.EAFNOSUPPORT))
NEVER = """
    ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd bpf perf_event_open userfaultfd memfd_secret io_uring_setup
    io_uring_enter io_uring_register keyctl add_key request_key mount umount2 pivot_root chroot open_tree move_mount fsopen
    fsconfig fsmount fspick mount_setattr unshare setns open_by_handle_at name_to_handle_at init_module finit_module
    delete_module kexec_load kexec_file_load swapon swapoff reboot acct quotactl settimeofday clock_settime clock_adjtime
    adjtimex vhangup sethostname setdomainname syslog fanotify_init shmget shmat shmctl semget semop semctl msgget msgsnd
    msgrcv msgctl mq_open mq_unlink setpriority sched_setaffinity sched_setscheduler sched_setparam sched_setattr ioprio_set
    io_setup io_submit vmsplice splice tee mbind migrate_pages move_pages seccomp landlock_create_ruleset process_madvise
    nfsservctl lookup_dcookie sync
"""
CALLED = {  # headers of the two machines, as Linux installs them
    "x86_64": ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"),
    "aarch64": ("/usr/include/asm-generic/unistd.h",),
}


def answer(program: bytes, audit: int, number: int, arguments: tuple[int, ...] = ()) -> int:
    """What the kernel would answer: an interpreter of as much BPF as the filter uses."""
    padded = (*arguments, *(0,) * (6 - len(arguments)))
    data = struct.pack("=IIQ6Q", number, audit, 0, *padded)
    statements = list(struct.iter_unpack("=HBBI", program))
    accumulator, at = 0, 0
    while True:
        code, true, false, constant = statements[at]
        at += 1
        if code == 0x20:
            accumulator = struct.unpack_from("=I", data, constant)[0]
        elif code == 0x54:
            accumulator &= constant
        elif code == 0x05:
            at += constant
        elif code == 0x15:
            at += true if accumulator == constant else false
        elif code == 0x35:
            at += true if accumulator >= constant else false
        else:
            assert code == 0x06
            return int(constant)


def system_numbers(machine: str) -> dict[str, int]:
    for path in map(Path, CALLED[machine]):
        if path.exists():
            names = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", path.read_text())
            return {"newfstatat" if machine == "aarch64" and name == "fstatat" else name: int(number)
                    for name, number in names}  # fmt: skip
    pytest.skip("the kernel's headers aren't installed (linux-libc-dev)")


@pytest.mark.parametrize("machine", AUDIT)
def test_the_numbers_are_the_kernels(machine: str) -> None:
    known = system_numbers(machine)
    conditions = dict(found for condition in CONDITIONS if (found := parse(condition.call, machine)))
    ours = numbers(machine) | conditions
    assert len(set(ours.values())) == len(ours)
    wrong = {name: number for name, number in ours.items() if name in known and known[name] != number}
    assert not wrong
    # Older headers lack only what came after them.
    assert all(number > max(known.values()) for name, number in ours.items() if name not in known)


@pytest.mark.parametrize("machine", AUDIT)
def test_exactly_what_is_listed_is_allowed(machine: str) -> None:
    program, audit = compile_filter(machine), AUDIT[machine]
    allowed = set(numbers(machine).values())
    conditional = {found[1] for condition in CONDITIONS if (found := parse(condition.call, machine))}
    newest = max(allowed)
    for number in set(range(newest + 1)) - conditional:
        assert answer(program, audit, number) == (ALLOW if number in allowed else EPERM), number
    for number in (newest + 1, 600, 2**30 - 1):
        assert answer(program, audit, number) == ENOSYS
    known = system_numbers(machine)
    for name in NEVER.split():
        if name in known:
            assert answer(program, audit, known[name]) == EPERM, name


def test_other_ways_to_the_same_calls_end_the_process() -> None:
    program = compile_filter("x86_64")
    assert answer(program, 0x40000003, 1) == KILL_PROCESS  # i386
    assert answer(program, AUDIT["x86_64"], 0x40000000 + 39) == KILL_PROCESS  # x32


@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("clone", (17,), ALLOW),
        ("clone", (0x3D0F00,), ALLOW),  # a thread
        ("clone", (0x10000000 | 17,), EPERM),
        ("clone", (0x40000000,), EPERM),
        ("clone", (0x02000000,), EPERM),
        ("clone3", (), ENOSYS),
        ("socket", (1, 1), ALLOW),
        ("socket", (2, 1), EAFNOSUPPORT),
        ("socket", (10, 2), EAFNOSUPPORT),
        ("socket", (16, 3), EAFNOSUPPORT),  # netlink
        ("socket", (38, 5), EAFNOSUPPORT),  # the kernel's ciphers
        ("socketpair", (1, 1), ALLOW),
        ("socketpair", (2, 1), EAFNOSUPPORT),
        ("personality", (0,), ALLOW),
        ("personality", (0xFFFFFFFF,), ALLOW),
        ("personality", (0x40000,), EPERM),
        ("ioctl", (0, 0x5401), ALLOW),
        ("ioctl", (0, 0x5412), EPERM),  # TIOCSTI
        ("ioctl", (0, 0x541C), EPERM),  # TIOCLINUX
        ("ioctl", (0, (1 << 32) | 0x5412), EPERM),  # the kernel looks at the lower half
    ],
)
@pytest.mark.parametrize("machine", AUDIT)
def test_conditions(machine: str, call: str, arguments: tuple[int, ...], expected: int) -> None:
    found = [parse(condition.call, machine) for condition in CONDITIONS]
    number = dict(each for each in found if each)[call]
    assert answer(compile_filter(machine), AUDIT[machine], number, arguments) == expected


def test_a_machine_that_is_not_listed_is_refused() -> None:
    with pytest.raises(SandboxUnavailable, match="riscv64"):
        compile_filter("riscv64")


def test_docker_gets_the_same_list() -> None:
    profile = json.loads(docker_profile(gvisor=False))
    assert (profile["defaultAction"], profile["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", errno.EPERM)
    assert [entry["subArchitectures"] for entry in profile["archMap"]] == [[], []]
    free = {name for rule in profile["syscalls"] if "args" not in rule for name in rule["names"]}
    assert free == set(numbers("x86_64")) | set(numbers("aarch64"))
    refused = {rule["names"][0]: rule["errnoRet"] for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ERRNO"}
    assert refused == {
        "clone3": errno.ENOSYS,
        "socket": errno.EAFNOSUPPORT,
        "socketpair": errno.EAFNOSUPPORT,
    }
    conditional = {rule["names"][0] for rule in profile["syscalls"] if rule.get("args")}
    assert conditional == {"clone", "socket", "socketpair", "personality", "ioctl"}


def test_gvisor_answers_clone3_itself() -> None:
    profile = json.loads(docker_profile(gvisor=True))
    assert "clone3" in profile["syscalls"][0]["names"]
    assert all(rule["action"] == "SCMP_ACT_ALLOW" for rule in profile["syscalls"])
