"""Which system calls a cell may make: a list of what is allowed, the same for both backends.

Everything that isn't listed is refused with EPERM: ptrace, bpf, perf_event_open, io_uring, userfaultfd, keyrings, mounts,
namespaces, modules, kexec, chroot, clocks, System V IPC, POSIX queues, handles of files, other processes' memory. Calls
newer than the newest in the list get ENOSYS, so that a C library of tomorrow falls back to what it did before; runc does
the same for Docker. Calls by the machine's 32-bit or x32 numbers end the process.

A cell has no network, so sockets are Unix ones only: socket(AF_INET) says EAFNOSUPPORT, as on a kernel without it. Even the
loopback would carry something from one program to the next (ports in TIME_WAIT), and the network code is large.

Docker gets the list as a profile (`docker_profile`), the namespace launcher as a program for the kernel
(`compile_filter`). Linux 5.11 and newer keep a table of the calls that a filter always allows, so that those cost nothing
more; for older ones the program searches in about seven comparisons.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import struct

from codesieve.workers.errors import SandboxUnavailable

# Groups of calls by name, each with its number on x86_64 and on aarch64 ("-" where that machine has none).
ALLOWED = (
    # Reading and writing what is open. close_range and openat2 are what newer C libraries and Pythons call.
    "read:0:63 write:1:64 readv:19:65 writev:20:66 pread64:17:67 pwrite64:18:68 preadv:295:69 pwritev:296:70 "
    "preadv2:327:286 pwritev2:328:287 open:2:- openat:257:56 openat2:437:437 creat:85:- close:3:57 "
    "close_range:436:436 lseek:8:62 dup:32:23 dup2:33:- dup3:292:24 fcntl:72:25 flock:73:32 sendfile:40:71 "
    "copy_file_range:326:285",
    # Looking at files and directories. Left out: inotify and fanotify, which hold kernel memory for each user.
    "stat:4:- fstat:5:80 lstat:6:- newfstatat:262:79 statx:332:291 access:21:- faccessat:269:48 faccessat2:439:439 "
    "readlink:89:- readlinkat:267:78 getdents:78:- getdents64:217:61 getcwd:79:17 chdir:80:49 fchdir:81:50 "
    "statfs:137:43 fstatfs:138:44 fadvise64:221:223 readahead:187:213",
    # Changing files: the scratch directories are all that can be written. mknod makes pipes; devices need a
    # capability.
    "mkdir:83:- mkdirat:258:34 rmdir:84:- unlink:87:- unlinkat:263:35 rename:82:- renameat:264:38 renameat2:316:276 "
    "link:86:- linkat:265:37 symlink:88:- symlinkat:266:36 mknod:133:- mknodat:259:33 umask:95:166 chmod:90:- "
    "fchmod:91:52 fchmodat:268:53 fchmodat2:452:452 chown:92:- fchown:93:55 lchown:94:- fchownat:260:54 utime:132:- "
    "utimes:235:- utimensat:280:88 futimesat:261:- truncate:76:45 ftruncate:77:46 fallocate:285:47 fsync:74:82 "
    "fdatasync:75:83 sync_file_range:277:84 memfd_create:319:279",
    # Extended attributes: shutil.copy2 asks for them, and takes EPERM for a failure. They go with their file.
    "getxattr:191:8 lgetxattr:192:9 fgetxattr:193:10 listxattr:194:11 llistxattr:195:12 flistxattr:196:13 "
    "setxattr:188:5 lsetxattr:189:6 fsetxattr:190:7 removexattr:197:14 lremovexattr:198:15 fremovexattr:199:16",
    # Pipes and waiting: select, selectors, asyncio, subprocess. Left out: splice, tee, vmsplice, POSIX queues,
    # both AIOs.
    "pipe:22:- pipe2:293:59 poll:7:- ppoll:271:73 select:23:- pselect6:270:72 epoll_create:213:- epoll_create1:291:20 "
    "epoll_ctl:233:21 epoll_wait:232:- epoll_pwait:281:22 epoll_pwait2:441:441 eventfd:284:- eventfd2:290:19 "
    "signalfd:282:- signalfd4:289:74 timerfd_create:283:85 timerfd_settime:286:86 timerfd_gettime:287:87",
    # Memory. Left out: locking it, NUMA policies, protection keys, userfaultfd, memfd_secret, other processes'
    # memory.
    "brk:12:214 mmap:9:222 munmap:11:215 mprotect:10:226 mremap:25:216 madvise:28:233 mincore:27:232 msync:26:227 "
    "membarrier:324:283",
    # Threads and locks. Looking at scheduling is allowed; changing it isn't, nor setpriority: for the moment in
    # which the agent is a program's user to kill all that user runs, the program could change the agent's.
    "futex:202:98 futex_waitv:449:449 futex_wake:454:454 futex_wait:455:455 futex_requeue:456:456 "
    "set_robust_list:273:99 get_robust_list:274:100 set_tid_address:218:96 rseq:334:293 arch_prctl:158:- "
    "gettid:186:178 tgkill:234:131 tkill:200:130 sched_yield:24:124 sched_getaffinity:204:123 sched_getparam:143:121 "
    "sched_getscheduler:145:120 sched_get_priority_max:146:125 sched_get_priority_min:147:126 "
    "sched_rr_get_interval:148:127 sched_getattr:315:275 getpriority:140:141 getcpu:309:168",
    # Processes. clone and personality stand in CONDITIONS. Left out: ptrace, kcmp, pidfd_getfd, unshare, setns.
    "fork:57:- vfork:58:- execve:59:221 execveat:322:281 exit:60:93 exit_group:231:94 wait4:61:260 waitid:247:95 "
    "kill:62:129 pidfd_open:434:434 pidfd_send_signal:424:424 getpid:39:172 getppid:110:173 getpgid:121:155 "
    "setpgid:109:154 getpgrp:111:- getsid:124:156 setsid:112:157 prctl:157:167 uname:63:160 sysinfo:99:179 "
    "times:100:153 getrusage:98:165 getrlimit:97:163 setrlimit:160:164 prlimit64:302:261",
    # User ids: how the agent becomes a program's user. For programs the kernel refuses all that changes
    # anything.
    "getuid:102:174 geteuid:107:175 getgid:104:176 getegid:108:177 getresuid:118:148 getresgid:120:150 "
    "getgroups:115:158 setuid:105:146 setgid:106:144 setreuid:113:145 setregid:114:143 setresuid:117:147 "
    "setresgid:119:149 setgroups:116:159 setfsuid:122:151 setfsgid:123:152 capget:125:90 capset:126:91",
    # Signals.
    "rt_sigaction:13:134 rt_sigprocmask:14:135 rt_sigreturn:15:139 rt_sigpending:127:136 rt_sigtimedwait:128:137 "
    "rt_sigqueueinfo:129:138 rt_tgsigqueueinfo:297:240 rt_sigsuspend:130:133 sigaltstack:131:132 pause:34:- "
    "restart_syscall:219:128",
    # Time, read and waited for. Left out: setting it.
    "clock_gettime:228:113 clock_getres:229:114 clock_nanosleep:230:115 nanosleep:35:101 gettimeofday:96:169 "
    "time:201:- alarm:37:- getitimer:36:102 setitimer:38:103 timer_create:222:107 timer_settime:223:110 "
    "timer_gettime:224:108 timer_getoverrun:225:109 timer_delete:226:111 getrandom:318:278",
    # Sockets that there are: socket and socketpair stand in CONDITIONS and make Unix ones only.
    "bind:49:200 connect:42:203 listen:50:201 accept:43:202 accept4:288:242 getsockname:51:204 getpeername:52:205 "
    "getsockopt:55:209 setsockopt:54:208 shutdown:48:210 sendto:44:206 recvfrom:45:207 sendmsg:46:211 recvmsg:47:212 "
    "sendmmsg:307:269 recvmmsg:299:243",
)

# <sched.h>: all CLONE_NEW flags that clone() takes.
NAMESPACES = 0x7E020000
# <sys/personality.h>
LINUX, ASK = 0, 0xFFFFFFFF
# <asm/ioctls.h>, <linux/fs.h>: is it a terminal and how large, which descriptors are inherited and block, how much is
# there to read; pseudo terminals; copies by reference, as pathlib tries first. Not TIOCSTI, which types for others.
IOCTLS = (
    *(0x5401, 0x5413, 0x5450, 0x5451, 0x5421, 0x541B, 0x5452, 0x5411),
    *(0x5402, 0x5403, 0x5404, 0x540E, 0x540F, 0x5410, 0x5414, 0x5422, 0x5441, 0x80045430, 0x40045431),
    *(0x40049409,),
)
EVERY_BIT = 0xFFFFFFFF


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """A call that is allowed if one argument, under `mask`, is one of `values`. Else it fails with `otherwise`."""

    call: str
    """As in `ALLOWED`."""
    argument: int = 0
    mask: int = EVERY_BIT
    values: tuple[int, ...] = ()
    otherwise: int = errno.EPERM


CONDITIONS = (
    Condition("clone:56:220", mask=NAMESPACES, values=(0,)),
    # Its flags lie in memory, where no filter can look. The C library then uses clone.
    Condition("clone3:435:435", otherwise=errno.ENOSYS),
    Condition("socket:41:198", values=(1,), otherwise=errno.EAFNOSUPPORT),  # AF_UNIX
    Condition("socketpair:53:199", values=(1,), otherwise=errno.EAFNOSUPPORT),
    Condition("personality:135:92", values=(LINUX, ASK)),
    Condition("ioctl:16:29", argument=1, values=IOCTLS),
)

# <linux/seccomp.h>, <linux/audit.h>, <linux/bpf_common.h>
KILL_PROCESS, REFUSE, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
LOAD, AND, JUMP, JUMP_EQUAL, JUMP_AT_LEAST, GIVE = 0x20, 0x54, 0x05, 0x15, 0x35, 0x06
X32 = 0x40000000

Statement = tuple[int, int, int, int]
"""Code, how far to jump if true and if false, and the constant, as in `struct sock_filter`."""


def numbers(machine: str) -> dict[str, int]:
    """The allowed calls of a machine, by name. Those with conditions are not among them."""
    return dict(found for row in " ".join(ALLOWED).split() if (found := parse(row, machine)) is not None)


def parse(row: str, machine: str) -> tuple[str, int] | None:
    name, *found = row.split(":")
    number = found[list(AUDIT).index(machine)]
    return None if number == "-" else (name, int(number))


def docker_profile(gvisor: bool) -> str:
    """The list in the form of Docker's --security-opt seccomp=FILE, as JSON text.

    gVisor knows no error but EPERM, which the C library takes for clone3's last word; it has its own answer to clone3.
    """
    names = [row.partition(":")[0] for row in " ".join(ALLOWED).split()]
    rules: list[dict[str, object]] = [{"names": names, "action": "SCMP_ACT_ALLOW"}]
    for condition in CONDITIONS:
        name = condition.call.partition(":")[0]
        if gvisor and condition.otherwise == errno.ENOSYS:
            names.append(name)
            continue
        for value in condition.values:
            allowed = {"index": condition.argument, "value": condition.mask, "valueTwo": value}
            rules.append(
                {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [{**allowed, "op": "SCMP_CMP_MASKED_EQ"}]}
            )
        if condition.otherwise != errno.EPERM and not gvisor:
            differs = [{"index": condition.argument, "op": "SCMP_CMP_NE", "value": value} for value in condition.values]
            rules.append(
                {"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": condition.otherwise, "args": differs}
            )
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": errno.EPERM,
        "archMap": [{"architecture": f"SCMP_ARCH_{machine.upper()}", "subArchitectures": []} for machine in AUDIT],
        "syscalls": rules,
    }
    return json.dumps(profile)


def compile_filter(machine: str) -> bytes:
    """The list as an array of `struct sock_filter`, for a process of that machine (`os.uname().machine`).

    Raises SandboxUnavailable for a machine that isn't in the list.
    """
    if machine not in AUDIT:
        raise SandboxUnavailable(f"there is no list of system calls for {machine}; use the Docker backend")
    answers: dict[int, list[Statement]] = {number: [give(ALLOW)] for number in numbers(machine).values()}
    newest = max(answers)
    for condition in CONDITIONS:
        found = parse(condition.call, machine)
        assert found is not None
        answers[found[1]] = decide(condition)
    statements = [
        (LOAD, 0, 0, 4),  # seccomp_data.arch
        (JUMP_EQUAL, 1, 0, AUDIT[machine]),
        give(KILL_PROCESS),
        (LOAD, 0, 0, 0),  # seccomp_data.nr
    ]
    if machine == "x86_64":
        statements += [(JUMP_AT_LEAST, 0, 1, X32), give(KILL_PROCESS)]
    statements += search(ranges(answers, newest))
    return b"".join(struct.pack("=HBBI", *statement) for statement in statements)


def give(answer: int) -> Statement:
    return (GIVE, 0, 0, answer)


def decide(condition: Condition) -> list[Statement]:
    if not condition.values:
        return [give(REFUSE | condition.otherwise)]
    # The lower half of the argument, the one that the kernel looks at: both machines put it first.
    statements: list[Statement] = [(LOAD, 0, 0, 16 + 8 * condition.argument)]
    if condition.mask != EVERY_BIT:
        statements.append((AND, 0, 0, condition.mask))
    for value in condition.values:
        statements += [(JUMP_EQUAL, 0, 1, value), give(ALLOW)]
    return [*statements, give(REFUSE | condition.otherwise)]


def ranges(answers: dict[int, list[Statement]], newest: int) -> list[tuple[int, list[Statement]]]:
    """The numbers from 0 on as ranges of one answer each: the first number and the answer."""
    found: list[tuple[int, list[Statement]]] = []
    for number in range(newest + 1):
        answer = answers.get(number, [give(REFUSE | errno.EPERM)])
        if not found or found[-1][1] != answer:
            found.append((number, answer))
    return [*found, (newest + 1, [give(REFUSE | errno.ENOSYS)])]


def search(places: list[tuple[int, list[Statement]]]) -> list[Statement]:
    """A binary search by the first numbers of the ranges."""
    if len(places) == 1:
        return places[0][1]
    middle = len(places) // 2
    lower, upper = search(places[:middle]), search(places[middle:])
    # A conditional jump reaches 255 statements far, an unconditional one all of them.
    return [(JUMP_AT_LEAST, 0, 1, places[middle][0]), (JUMP, 0, 0, len(lower)), *lower, *upper]
