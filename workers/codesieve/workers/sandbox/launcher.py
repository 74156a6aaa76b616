"""Makes a cell out of Linux namespaces and starts the agent in it. Run by the host's own Python, standard library only.

    python -I -S launcher.py '{"root": ..., "agent_directory": ..., ...}'   with the agent's socket inherited

It is single threaded, as unshare() wants it. The outer process unshares everything but the pid namespace's first
process, which it forks: that one builds the cell's root from read-only bind mounts, drops every capability but SETUID
and SETGID, and becomes the agent. The outer process waits for it and dies with the worker (PDEATHSIG), as the agent dies
with the outer process. What can't be done is said on stderr, in one line, with exit status 1.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import struct
import subprocess
import sys
from typing import Any

# <sched.h>
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
# <sys/mount.h>
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
# <sys/prctl.h>, <linux/capability.h>, <linux/seccomp.h>
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 22, 24, 38
CAP_SETGID, CAP_SETUID, CAP_LAST = 6, 7, 63
CAPABILITY_VERSION_3 = 0x20080522
SECCOMP_MODE_FILTER = 2

# <asm/unistd.h>
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
CLONE_NAMESPACES = (
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET
)

libc = ctypes.CDLL(None, use_errno=True)


class CannotMake(Exception):
    """The cell can't be made here; the message says what is refused."""


def check(result: int, what: str) -> None:
    if result != 0:
        raise CannotMake(f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    result = libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())
    check(result, f"mount {kind or source} on {target}")


def bind(source: str, target: str, flags: int) -> None:
    mount(source, target, "", MS_BIND)
    mount("", target, "", MS_BIND | MS_REMOUNT | flags)


def prctl(option: int, value: int) -> None:
    check(libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl {option}")


def map_ids(pid: int, spec: dict[str, Any]) -> None:
    """Maps the cell's ids 0.. onto the block of this host's ids that is the cell's alone."""
    first, count = spec["first_uid"], spec["uid_count"]
    if os.geteuid() == 0:
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{pid}/{name}", "w") as file:
                file.write(f"0 {first} {count}")
        return
    for command in ("newuidmap", "newgidmap"):
        done = subprocess.run([command, str(pid), "0", str(first), str(count)], capture_output=True, text=True)
        if done.returncode != 0:
            raise CannotMake(f"{command}: {done.stderr.strip()}")


def unshare_all(spec: dict[str, Any]) -> None:
    ready_read, ready_write = os.pipe()
    us = os.getpid()
    mapper = os.fork()
    if mapper == 0:
        # Maps must be written by a process that is still outside.
        os.close(ready_write)
        status = 1
        try:
            if os.read(ready_read, 1):
                map_ids(us, spec)
                status = 0
        except (CannotMake, OSError) as error:
            os.write(2, f"user ids can't be mapped: {error}\n".encode())
        finally:
            os._exit(status)
    os.close(ready_read)
    check(libc.unshare(CLONE_NAMESPACES), "unshare")
    os.write(ready_write, b"u")
    os.close(ready_write)
    if os.waitpid(mapper, 0)[1] != 0:
        raise CannotMake("the mapping of user ids failed")


def build_root(spec: dict[str, Any]) -> None:
    """Mounts the cell's root, becomes the cell's root user, and makes the mount the root of this process."""
    root = spec["root"]
    mount("", "/", "", MS_REC | MS_PRIVATE)
    # These paths may be readable for the worker's own user only, which this process still is on the outside.
    bind(root, root, MS_RDONLY | MS_NOSUID | MS_NODEV)
    os.chdir(root)
    bind(spec["agent_directory"], "codesieve", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
    if spec["oom_counter"]:
        bind(spec["oom_counter"], "oom_counter", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    # No System V segment, semaphore or queue can be made: they would outlive the program, and nobody else's could be
    # removed without CAP_SYS_ADMIN. No further user namespaces either.
    for name, value in (
        ("kernel/shmmni", "0"),
        ("kernel/msgmni", "0"),
        ("kernel/sem", "32000 1024000000 500 0"),
        ("user/max_user_namespaces", "0"),
    ):
        with open(f"proc/sys/{name}", "w") as file:
            file.write(value)
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    mount("tmpfs", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, f"mode=1777,size={spec['scratch_bytes']},nr_inodes=16384")
    mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k")
    for name in ("null", "zero", "full", "random", "urandom"):
        os.close(os.open(f"dev/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
        bind(f"/dev/{name}", f"dev/{name}", MS_NOSUID | MS_NOEXEC)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(target, f"dev/{name}")
    os.mkdir("dev/shm")
    mount("tmpfs", "dev/shm", "tmpfs", flags, f"mode=1777,size={spec['scratch_bytes']},nr_inodes=4096")
    mount("", "dev", "", MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NOEXEC)
    check(libc.pivot_root(b".", b".") if hasattr(libc, "pivot_root") else pivot_root(), "pivot_root")
    check(libc.umount2(b".", MNT_DETACH), "leaving the old root")
    os.chdir("/")


def pivot_root() -> int:
    return int(libc.syscall(ctypes.c_long(PIVOT_ROOT[os.uname().machine]), b".", b"."))


def drop_capabilities() -> None:
    keep = (CAP_SETGID, CAP_SETUID)
    for capability in range(CAP_LAST + 1):
        if capability not in keep and libc.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) != 0:
            break  # past the last that this kernel has
    mask = sum(1 << capability for capability in keep)
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    data = struct.pack("=IIIIII", mask, mask, 0, 0, 0, 0)
    check(libc.capset(header, data), "capset")


def filter_system_calls(statements: bytes) -> None:
    """Installs a filter: `statements` are an array of struct sock_filter, eight bytes each."""
    code = ctypes.create_string_buffer(statements)
    program = struct.pack("@HxxxxxxP", len(statements) // 8, ctypes.addressof(code))
    check(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(program), 0, 0), "seccomp")


def run_inside(spec: dict[str, Any]) -> None:
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    build_root(spec)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # changing the user id has unset it
    os.sched_setaffinity(0, {spec["cpu"]})
    drop_capabilities()
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    filter_system_calls(bytes.fromhex(spec["filter"]))
    os.umask(0o022)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)
    os.set_inheritable(spec["socket"], True)
    os.set_inheritable(spec["lock"], False)  # the outer process holds on to the user ids, the agent needn't
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
    arguments = ["python3", "-s", "-B", "-m", "inside.start", f"fd:{spec['socket']}", "0"]
    os.chdir("/codesieve")
    os.execve("/usr/local/bin/python3", arguments, environment)


def main() -> None:
    spec = json.loads(sys.argv[1])
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        for path in spec["cgroup_procs"]:
            with open(path, "w") as file:
                file.write(str(os.getpid()))
        unshare_all(spec)
        pid = os.fork()
        if pid == 0:
            run_inside(spec)
    except (CannotMake, OSError) as error:
        os.write(2, f"{error}\n".encode())
        os._exit(1)
    os.close(spec["socket"])
    _, status = os.waitpid(pid, 0)
    os._exit(1 if status else 0)


if __name__ == "__main__":
    main()
