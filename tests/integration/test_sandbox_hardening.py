"""System calls that no program may make, and what honest ones do with the rest, in real cells of every kind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from codesieve.workers.sandbox.choose import choose_backend
from codesieve.workers.sandbox.worker import SandboxWorker
from codesieve.workers.types import FunctionTests, Judgement, Limits, Problem, Program, Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")

KINDS = [
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("namespaces", marks=pytest.mark.namespaces),
    pytest.param("runsc", marks=pytest.mark.gvisor),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=KINDS)
async def worker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SandboxWorker]:
    backend, runtime = ("docker", "runsc") if request.param == "runsc" else (request.param, None)
    worker = SandboxWorker(choose_backend(backend, None, runtime, tmp_path_factory.mktemp("runtime")), cells=1)
    await worker.start()
    yield worker
    await worker.stop()


async def judged(worker: SandboxWorker, source: str) -> Judgement:
    problem = Problem("p", "", "check_it", FunctionTests("def check(candidate):\n    assert candidate() is True\n"))
    limits = Limits(cpu_time_seconds=10, wall_time_seconds=40)
    await worker.submit([Program("w", problem, source.encode(), limits)])
    while not (found := await worker.collect(60)):
        continue
    (result,) = found
    assert isinstance(result, Judgement), result
    return result


def function(body: str) -> str:
    return "def check_it():\n" + "".join(f"    {line}\n" for line in body.strip().splitlines()) + "    return True\n"


# x86_64's numbers: name, number, arguments, and what may be the answer besides EPERM and ENOSYS.
REFUSED = [
    ("ptrace(PTRACE_TRACEME)", 101, (0,)),
    ("process_vm_readv", 310, (1, 0, 0, 0, 0, 0)),
    ("process_vm_writev", 311, (1, 0, 0, 0, 0, 0)),
    ("kcmp", 312, (1, 1, 0, 0, 0)),
    ("bpf", 321, (0, 0, 0)),
    ("perf_event_open", 298, (0, 0, -1, -1, 0)),
    ("userfaultfd", 323, (1,)),
    ("memfd_secret", 447, (0,)),
    ("io_uring_setup", 425, (1, 0)),
    ("io_setup", 206, (1, 0)),
    ("add_key", 248, (0, 0, 0, 0, -4)),
    ("request_key", 249, (0, 0, 0, -4)),
    ("keyctl", 250, (0, -4, 1)),
    ("mount", 165, (0, 0, 0, 0, 0)),
    ("umount2", 166, (0, 0)),
    ("pivot_root", 155, (0, 0)),
    ("chroot", 161, (0,)),
    ("fsopen", 430, (0, 0)),
    ("move_mount", 429, (0, 0, 0, 0, 0)),
    ("open_tree", 428, (0, 0, 0)),
    ("unshare(CLONE_NEWUSER)", 272, (0x10000000,)),
    ("setns", 308, (0, 0)),
    ("clone(CLONE_NEWUSER)", 56, (0x10000000 | 17, 0, 0, 0, 0)),
    ("open_by_handle_at", 304, (0, 0, 0)),
    ("name_to_handle_at", 303, (0, 0, 0, 0, 0)),
    ("init_module", 175, (0, 0, 0)),
    ("finit_module", 313, (0, 0, 0)),
    ("delete_module", 176, (0, 0)),
    ("kexec_load", 246, (0, 0, 0, 0)),
    ("reboot", 169, (0, 0, 0, 0)),
    ("swapon", 167, (0, 0)),
    ("acct", 163, (0,)),
    ("quotactl", 179, (0, 0, 0, 0)),
    ("clock_settime", 227, (0, 0)),
    ("adjtimex", 159, (0,)),
    ("sethostname", 170, (0, 0)),
    ("syslog", 103, (0, 0, 0)),
    ("vhangup", 153, ()),
    ("iopl", 172, (3,)),
    ("fanotify_init", 300, (0, 0)),
    ("shmget", 29, (4242, 4096, 0o1666)),
    ("semget", 64, (4242, 1, 0o1666)),
    ("msgget", 68, (4242, 0o1666)),
    ("mq_open", 240, (0, 0o102, 0o666, 0)),
    ("setpriority", 141, (0, 0, 5)),
    ("sched_setaffinity", 203, (0, 0, 0)),
    ("sched_setscheduler", 144, (0, 0, 0)),
    ("ioprio_set", 251, (1, 0, 0)),
    ("seccomp", 317, (0, 0, 0)),
    ("personality(ADDR_NO_RANDOMIZE)", 135, (0x40000,)),
    ("ioctl(TIOCSTI)", 16, (0, 0x5412, 0)),
    ("a call from the future", 471, ()),
    ("socket(AF_INET)", 41, (2, 1, 0)),
    ("socket(AF_NETLINK)", 41, (16, 3, 0)),
    ("socket(AF_ALG)", 41, (38, 5, 0)),
    ("socket(AF_VSOCK)", 41, (40, 1, 0)),
    ("socket(AF_PACKET)", 41, (17, 3, 0)),
]
CALL = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
allowed = []
for name, number, arguments in {calls!r}:
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(argument) for argument in arguments])
    error = ctypes.get_errno()
    if result != -1 or error not in (errno.EPERM, errno.ENOSYS, errno.EAFNOSUPPORT):
        allowed.append((name, result, errno.errorcode.get(error, error)))
assert not allowed, allowed
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are x86_64's")
async def test_system_calls_that_are_refused(worker: SandboxWorker) -> None:
    judgement = await judged(worker, function(CALL.format(calls=REFUSED)))
    assert judgement.verdict is Verdict.PASSED, judgement


HONEST = {
    "threads": """
import threading
found = []
threads = [threading.Thread(target=found.append, args=(number,)) for number in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert sorted(found) == [0, 1, 2, 3]
""",
    "a thread pool": """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as pool:
    assert list(pool.map(abs, [-1, 2])) == [1, 2]
""",
    "a queue between processes": """
import multiprocessing
context = multiprocessing.get_context("fork")
queue = context.Queue()
process = context.Process(target=queue.put, args=(42,))
process.start()
assert queue.get(timeout=20) == 42
process.join()
""",
    "a process pool": """
import multiprocessing
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(abs, [-1, 2]) == [1, 2]
""",
    "Python in Python": """
import subprocess
done = subprocess.run(["python3", "-c", "print(6 * 7)"], stdout=subprocess.PIPE, timeout=20)
assert done.stdout == b"42\\n"
""",
    "asyncio": """
import asyncio
async def main():
    process = await asyncio.create_subprocess_exec("python3", "-c", "print(7)", stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return out, await asyncio.wait_for(asyncio.gather(asyncio.sleep(0.01, 1), asyncio.to_thread(abs, -2)), 20)
assert asyncio.run(main()) == (b"7\\n", [1, 2])
""",
    "selectors and socket pairs": """
import selectors, socket
one, other = socket.socketpair()
with selectors.DefaultSelector() as selector, one, other:
    selector.register(one, selectors.EVENT_READ)
    other.send(b"x")
    assert selector.select(5)[0][0].fileobj is one
""",
    "a Unix server": """
import os, socket, threading
path = os.path.join(os.environ["TMPDIR"], "server")
with socket.socket(socket.AF_UNIX) as server:
    server.bind(path)
    server.listen()
    thread = threading.Thread(target=lambda: server.accept()[0].sendall(b"hello"))
    thread.start()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        assert client.recv(10) == b"hello"
    thread.join()
""",
    "files of every sort": """
import mmap, os, pathlib, shutil, tempfile
with tempfile.TemporaryDirectory() as place:
    path = pathlib.Path(place, "a")
    path.write_bytes(b"hello" * 1000)
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[:5] = b"HELLO"
    shutil.copy2(path, path.with_name("b"))
    shutil.copytree(place, place + "-copy")
    os.link(path, place + "/c"); os.symlink("c", place + "/d"); os.mkfifo(place + "/e")
    os.utime(path, (1, 1)); os.chmod(path, 0o600); os.truncate(path, 3)
    shutil.move(str(path), place + "/moved")
    assert sorted(os.listdir(place)) == ["b", "c", "d", "e", "moved"]
    assert pathlib.Path(place, "b").read_bytes()[:6] == b"HELLOh"
""",
    "sqlite": """
import sqlite3
connection = sqlite3.connect("data.db")
connection.execute("create table t (x)")
connection.execute("insert into t values (42)")
connection.commit()
assert connection.execute("select x from t").fetchall() == [(42,)]
connection.close()
""",
    "shared memory": """
from multiprocessing import shared_memory
block = shared_memory.SharedMemory(create=True, size=4096)
block.buf[:3] = b"abc"
other = shared_memory.SharedMemory(block.name)
assert bytes(other.buf[:3]) == b"abc"
other.close(); block.close(); block.unlink()
""",
    "signals and timers": """
import signal, time
seen = []
signal.signal(signal.SIGALRM, lambda number, frame: seen.append(number))
signal.setitimer(signal.ITIMER_REAL, 0.01)
until = time.monotonic() + 20
while not seen and time.monotonic() < until:
    time.sleep(0.005)
assert seen == [signal.SIGALRM]
""",
    "looking around": """
import getpass, locale, os, platform, resource, sys, time, uuid
assert os.cpu_count() and os.getpid() and os.getuid() and platform.machine() and uuid.uuid4()
os.sched_getaffinity(0); os.getloadavg; os.times(); resource.getrusage(resource.RUSAGE_SELF); os.statvfs("/tmp")
sys.stdout.isatty(); time.get_clock_info("monotonic"); os.urandom(3); os.get_terminal_size
""",
    "an Internet socket is a plain error": """
import socket
try:
    socket.socket(socket.AF_INET)
except OSError:
    pass
else:
    assert False
""",
}


@pytest.mark.parametrize("name", HONEST)
async def test_what_honest_programs_do(worker: SandboxWorker, name: str) -> None:
    judgement = await judged(worker, function(HONEST[name]))
    assert judgement.verdict is Verdict.PASSED, judgement
