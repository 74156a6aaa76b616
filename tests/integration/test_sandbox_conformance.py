"""What every sandbox backend must hold to, with real cells: verdicts, limits, cleanliness, what a program can see and do.

How cells begin and end is in ``test_sandbox_conformance_cells.py``, what becomes of each form of tests in
``test_sandbox_tests.py``. One suite, both backends.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

import pytest
from tests.integration.programs import DAEMON, NO_TESTS, PROCESSES, program

from codesieve.workers.sandbox import probes
from codesieve.workers.types import Integrity, Judgement, Program, Verdict

pytestmark = pytest.mark.asyncio(loop_scope="module")

Judged = Callable[[Program], Awaitable[Judgement]]

FAILING = "def check(candidate):\n    assert candidate(1) == 2, 'one is one'\n"
EATING = "def check(candidate):\n    assert candidate(bytearray(2**30))\n"


@pytest.mark.parametrize(
    ("source", "test", "entry", "verdict", "detail"),
    [
        ("def f(x): return x", "def check(c):\n    assert c(1) == 1", "f", Verdict.PASSED, ""),
        ("def f(x): return x", FAILING, "f", Verdict.FAILED, "AssertionError: one is one"),
        ("def f(x): return 1 / 0", FAILING, "f", Verdict.RAISED, "ZeroDivisionError: division by zero"),
        ("def f(x): assert False", FAILING, "f", Verdict.RAISED, "AssertionError"),
        ("assert False", NO_TESTS, "None", Verdict.RAISED, "AssertionError"),
        ("pass", FAILING, "f", Verdict.RAISED, "NameError: name 'f' is not defined"),
        ("def f(): f()\nf()", NO_TESTS, "None", Verdict.RAISED, "RecursionError"),
        ("raise KeyboardInterrupt", NO_TESTS, "None", Verdict.RAISED, "KeyboardInterrupt"),
        ("def f(:", NO_TESTS, "None", Verdict.SYNTAX_ERROR, "SyntaxError"),
        ("def f():\n  return", NO_TESTS, "f", Verdict.PASSED, ""),
        (b"x = '\x00'", NO_TESTS, "None", Verdict.SYNTAX_ERROR, "null bytes"),
        (b"x = '\xed\xa0\x80'", NO_TESTS, "None", Verdict.SYNTAX_ERROR, "UnicodeDecodeError"),
        (b"x = '\xff'", NO_TESTS, "None", Verdict.SYNTAX_ERROR, "UnicodeDecodeError"),
        ("(" * 5000 + ")" * 5000, NO_TESTS, "None", Verdict.SYNTAX_ERROR, "too many nested"),
        ("x = bytearray(2**30)", NO_TESTS, "None", Verdict.OUT_OF_MEMORY, "MemoryError"),
        ("x = []\nwhile True: x.append(bytearray(2**16))", NO_TESTS, "None", Verdict.OUT_OF_MEMORY, "MemoryError"),
        ("def f(x): return x", EATING, "f", Verdict.OUT_OF_MEMORY, "MemoryError"),
        ("if __name__ == '__main__': x = 1\nx", NO_TESTS, "None", Verdict.PASSED, ""),
        ("import os\nif os.fork(): os.wait()", NO_TESTS, "None", Verdict.PASSED, ""),
        ("import sys\nprint('\\udfff', file=sys.stderr)\nclass E(Exception):\n  def __str__(self): 1/0\nraise E",
         NO_TESTS, "None", Verdict.RAISED, "E"),
    ],
)  # fmt: skip
async def test_verdicts(
    judged: Judged, source: str | bytes, test: str, entry: str, verdict: Verdict, detail: str
) -> None:
    judgement = await judged(program(source, test=test, entry=entry))
    assert (judgement.verdict, judgement.integrity) == (verdict, Integrity.SPLIT), judgement
    assert detail in judgement.detail


@pytest.mark.parametrize(
    ("source", "limits", "verdict", "detail"),
    [
        ("while True: pass", {"cpu_time_seconds": 0.3}, Verdict.TIMED_OUT, "0.3 s of CPU"),
        ("while True: pass", {"cpu_time_seconds": 1.0}, Verdict.TIMED_OUT, "1 s of CPU"),
        ("import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass", {"cpu_time_seconds": 1.0},
         Verdict.TIMED_OUT, "1 s of CPU"),
        ("import os\nos.fork(); os.fork()\nwhile True: pass", {"cpu_time_seconds": 0.5}, Verdict.TIMED_OUT, "CPU"),
        ("import os\nfor _ in range(40):\n  if os.fork() == 0:\n    for _ in range(10**7): pass\n    os._exit(0)\n"
         "  os.wait()", {"cpu_time_seconds": 0.5}, Verdict.TIMED_OUT, "CPU"),
        ("import time\ntime.sleep(60)", {"wall_time_seconds": 0.4}, Verdict.TIMED_OUT, "wall"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", {"wall_time_seconds": 0.4}, Verdict.TIMED_OUT, "wall"),
        ("print('x' * 10**6)", {"output_bytes": 1000}, Verdict.OUTPUT_LIMIT, "1000"),
        ("import os\nwhile True: os.write(2, b'x' * 10**5)", {}, Verdict.OUTPUT_LIMIT, "1048576"),
        ("open('f', 'wb').write(bytes(2**21))", {"file_size_bytes": 2**20}, Verdict.RAISED, "File too large"),
        ("import os\nwhile True: os.fork()", {}, Verdict.RAISED, "BlockingIOError"),
        ("import threading, time\nfor _ in range(99): threading.Thread(target=time.sleep, args=(9,)).start()", {},
         Verdict.RAISED, "can't start new thread"),
        ("x = 2**30 * 'x'", {"memory_bytes": 2**31}, Verdict.OUT_OF_MEMORY, "its cell ran out of memory"),
    ],
)  # fmt: skip
async def test_limits(judged: Judged, source: str, limits: dict[str, float], verdict: Verdict, detail: str) -> None:
    judgement = await judged(program(source, **limits))  # type: ignore[arg-type]
    assert judgement.verdict is verdict, judgement
    assert detail in judgement.detail


FORGERIES = {
    "sys.exit": "import sys\nsys.exit(0)",
    "exit": "exit()",
    "os._exit": "import os\nos._exit(0)",
    "our exit status": "import os\nos._exit(100)",
    "SIGKILL": "import os\nos.kill(os.getpid(), 9)",
    "kill everyone": "import os\nos.kill(0, 9)",
    "closes everything": "import os\nos.closerange(0, 65536)",
    "prints markers": "import os\nprint('PASSED', 'ok', 1, flush=True)\nos._exit(0)",
    "writes answers to every descriptor": """
import os
body = b''.join(len(part).to_bytes(4, 'big') + part for part in (b'T', b'', b'bool'))
for fd in range(3, 256):
    for number in range(1, 9):
        try:
            os.write(fd, (len(body) + 5).to_bytes(4, 'big') + b'\\x01' + number.to_bytes(4, 'big') + body)
        except OSError:
            pass
os._exit(0)
""",
    "at exit": "import atexit, os\natexit.register(os._exit, 0)\nraise SystemExit",
    "from a thread": "import os, threading\nthreading.Thread(target=os._exit, args=(0,)).start()\nwhile True: pass",
    "exec": "import os, sys\nos.execv(sys.executable or '/usr/local/bin/python3', ['python3', '-c', 'pass'])",
}


@pytest.mark.parametrize("name", FORGERIES)
@pytest.mark.parametrize("where", ["top level", "in the test"])
async def test_leaving_early_is_never_a_pass(judged: Judged, name: str, where: str) -> None:
    source = FORGERIES[name]
    if where == "in the test":
        source = "def f():\n" + "".join(f"    {line}\n" for line in source.splitlines())
    piece = program(
        source, test="def check(c):\n    c()\n    assert False", entry="f" if where == "in the test" else "int"
    )
    judgement = await judged(piece)
    assert judgement.verdict in (Verdict.CRASHED, Verdict.TAMPERED, Verdict.RAISED, Verdict.FAILED), judgement
    if name not in ("closes everything", "exec"):
        assert judgement.verdict in (Verdict.CRASHED, Verdict.TAMPERED), judgement


async def test_output_is_kept_up_to_a_bound(judged: Judged) -> None:
    judgement = await judged(program("import sys\nprint('x' * 10**5, file=sys.stderr)\nprint('\\x00é', end='')"))
    assert judgement.stdout == b"\x00\xc3\xa9"
    assert judgement.stderr == b"x" * 65536
    assert judgement.wall_seconds > 0
    assert judgement.cpu_seconds > 0
    assert judgement.peak_memory_bytes > 2**20


LEFTOVERS = {
    "files": "import os\n"
    "for d in ('/tmp', '/dev/shm'):\n  open(d + '/left', 'w').write('x'); os.makedirs(d + '/deep/er/and/er')",
    "a closed directory": "import os\n"
    "os.makedirs('a/b'); open('a/b/c', 'w'); os.chmod('a/b', 0); os.chmod('a', 0); os.chmod('.', 0)",
    "a deep directory": "import os\nfor _ in range(3000):\n  os.mkdir('d'); os.chdir('d')",
    "many files": "for i in range(2000): open(str(i), 'w')",
    "odd names": "import os\n"
    "os.mkdir(b'/tmp/\\xff\\n'); open(b'/tmp/\\xff\\n/\\xfe', 'w'); os.symlink('/proc', '/tmp/link')",
    "a sticky scratch": "import os\nos.chmod('.', 0o1777); os.mkfifo('/tmp/fifo')",
}


@pytest.mark.parametrize("name", LEFTOVERS)
async def test_files_are_gone_for_the_next_program(judged: Judged, name: str) -> None:
    left = await judged(program(LEFTOVERS[name]))
    assert left.verdict is Verdict.PASSED, left
    look = "import os\nassert os.listdir('/tmp') == [os.path.basename(os.getcwd())], os.listdir('/tmp')\n"
    look += "assert os.listdir('/dev/shm') == os.listdir('.') == []\nprint(os.getcwd(), os.getuid())"
    after = await judged(program(look))
    assert after.verdict is Verdict.PASSED, after


FORKING = """
import os
if os.fork() == 0:
    while True:
        try:
            if os.fork():
                os._exit(0)
        except OSError:
            pass
"""


@pytest.mark.parametrize("source", [DAEMON, FORKING], ids=["daemon", "ever forking"])
async def test_processes_are_gone_for_the_next_program(judged: Judged, source: str) -> None:
    assert (await judged(program(source))).verdict is Verdict.PASSED
    look = f"import os\n{PROCESSES}ours = [p for p in found if os.stat('/proc/' + p).st_uid == os.getuid()]\n"
    look += "assert len(found) == 3 and ours == [str(os.getpid())], found"
    after = await judged(program(look))
    assert after.verdict is Verdict.PASSED, after


@pytest.mark.parametrize(
    "call",
    [
        "libc.shmget(4242, 4096, 0o1666)",
        "libc.semget(4242, 1, 0o1666)",
        "libc.msgget(4242, 0o1666)",
        "libc.mq_open(b'/codesieve', os.O_CREAT | os.O_RDWR, 0o666, None)",
        "libc.syscall(248, b'user', b'name', b'data', 4, -4)",  # add_key to the user's keyring, on x86_64
    ],
)
async def test_what_outlives_processes_cannot_be_made(judged: Judged, call: str) -> None:
    if "syscall" in call and os.uname().machine != "x86_64":
        pytest.skip("the number is x86_64's")
    judgement = await judged(program(f"import ctypes, os\nlibc = ctypes.CDLL(None)\nassert {call} == -1"))
    assert judgement.verdict is Verdict.PASSED, judgement


JUDGE = f"import os\n{PROCESSES}(judge,) = set(found) - {{'1', str(os.getpid())}}\n"


@pytest.mark.parametrize(
    "source",
    [
        "import os\nassert not os.path.exists('/work') and not os.path.exists('/home')",
        "import os\nassert 'root' not in os.listdir('/') or not os.access('/root/.pyenv', os.F_OK)",
        "assert [line.split(':')[0].strip() for line in open('/proc/net/dev')][2:] == ['lo']",
        f"import os\n{PROCESSES}assert len(found) == 3 and {{'1', str(os.getpid())}} < set(found), found",
        JUDGE + probes.refused("open(f'/proc/{judge}/mem', 'rb')", "EACCES", "EPERM"),
        JUDGE + probes.refused("open(f'/proc/{judge}/environ', 'rb')", "EACCES", "EPERM"),
        JUDGE + probes.refused("os.listdir(f'/proc/{judge}/fd')", "EACCES", "EPERM"),
        JUDGE + probes.refused("os.kill(int(judge), 9)", "EPERM"),
        probes.refused("open('/proc/1/mem', 'rb')"),
        probes.refused("os.listdir('/proc/1/fd')"),
        probes.refused("os.kill(1, 0)", "EPERM"),
        probes.refused("os.setuid(0)", "EPERM"),
        probes.refused("os.chown('.', 0, 0)", "EPERM"),
        probes.refused("os.mknod('disk', 0o060600, os.makedev(8, 0))", "EPERM"),
        probes.refused("socket.socket(socket.AF_UNIX).connect('/codesieve/socket')", "ENOENT"),
        probes.refused("open('/codesieve/inside/judge.py', 'a')", "EROFS", "EACCES"),
        probes.refused("open('/usr/local/bin/python3', 'a')", "EROFS", "EACCES"),
        "import os\nassert set(os.environ) == {'PATH', 'HOME', 'TMPDIR', 'LANG'}",
        "import os, stat\nassert os.read(0, 1) == b''\n"
        "def is_open(fd):\n  try: os.fstat(fd)\n  except OSError: return False\n  return True\n"
        "found = [fd for fd in range(3, 65536) if is_open(fd)]\n"
        "assert len(found) == 1 and found[0] >= 128 and stat.S_ISSOCK(os.fstat(found[0]).st_mode), found",
        "import ctypes\nlibc = ctypes.CDLL(None)\nassert libc.unshare(0x10000000) == -1\n"
        "assert libc.prctl(39, 0, 0, 0, 0) == 1  # no new privileges",
        "assert 'CapEff:\\t0000000000000000' in open('/proc/thread-self/status').read()",
        "status = open('/proc/1/status').read()\n"
        "assert [line.split()[1] for line in status.splitlines() if line.startswith(('CapPrm', 'CapEff', 'CapBnd'))]"
        " == ['00000000000000c0'] * 3, status  # SETUID and SETGID",
        "assert ['ro' in line.split()[3].split(',') for line in open('/proc/mounts') if line.split()[1] == '/'] == [True]",
        "assert 'Seccomp:\\t2' in open('/proc/thread-self/status').read()",
        "import json, os\nwritten = open(json.__cached__, 'rb').read(12)[8:]  # or every import would compile\n"
        "assert int.from_bytes(written, 'little') == int(os.stat(json.__file__).st_mtime)",
        "import typing, json, hashlib, ctypes, sqlite3, decimal, asyncio, unittest",
        "import subprocess\n"
        "assert subprocess.run(['python3', '-c', 'print(6 * 7)'], capture_output=True).stdout == b'42\\n'",
        "import multiprocessing as m\nassert m.get_context('fork').Pool(2).map(abs, [-1, 2]) == [1, 2]",
        "import tempfile\ntempfile.NamedTemporaryFile().write(b'x')\nopen('/tmp/mine', 'w')",
    ],
)
async def test_what_a_program_can_see_and_do(judged: Judged, source: str) -> None:
    judgement = await judged(program(source))
    assert judgement.verdict is Verdict.PASSED, judgement


async def test_hash_order_is_the_same_every_time(judged: Judged) -> None:
    first = await judged(program("print(hash('codesieve'))"))
    other = await judged(program("print(hash('codesieve'))"))
    assert first.stdout == other.stdout != b""
