"""The life of cells: fresh ones, what a killed worker leaves, and an engine that goes away and comes back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import pytest
from tests.groups import groups_of
from tests.mounts import unmount_below

from codesieve.workers.errors import SandboxUnavailable
from codesieve.workers.sandbox.choose import choose_backend
from codesieve.workers.sandbox.docker_images import OWN_PYTHON
from codesieve.workers.sandbox.image import roots_directory
from codesieve.workers.sandbox.uids import identity_of
from codesieve.workers.sandbox.worker import SandboxWorker
from codesieve.workers.types import FunctionTests, Judgement, Limits, Problem, Program, Verdict, WorkFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

BACKENDS = [
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("namespaces", marks=pytest.mark.namespaces),
]


def program(work_id: str, body: str) -> Program:
    source = "import os, time\ndef do():\n" + "".join(f"    {line}\n" for line in body.splitlines())
    tests = FunctionTests("def check(candidate):\n    candidate()\n")
    return Program(work_id, Problem("p", "", "do", tests), source.encode(), Limits(10, 60))


async def results(worker: SandboxWorker, programs: Sequence[Program]) -> dict[str, Judgement | WorkFailed]:
    await worker.submit(programs)
    found: dict[str, Judgement | WorkFailed] = {}
    while len(found) < len(programs):
        found.update({result.work_id: result for result in await worker.collect(60)})
    return found


def left_by(runtime_dir: Path, backend: str) -> list[str]:
    """Containers, control groups, directories and locks' holders of this runtime directory's workers."""
    identity = identity_of(runtime_dir)
    found = [str(path) for path in groups_of(identity)]
    found += [str(path) for path in (runtime_dir / "cells").glob("*")]
    if backend == "docker":
        command = ["docker", "ps", "-aq", "--filter", f"label=codesieve.worker={identity}"]
        found += subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return found


# Where the cell is a new one, its first process is another.
WHO = "print(os.readlink('/proc/self/ns/pid'), open('/proc/1/stat').read().rpartition(')')[2].split()[19])"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("fresh", [False, True])
async def test_a_fresh_cell_holds_one_program(backend: str, fresh: bool, tmp_path: Path) -> None:
    worker = SandboxWorker(choose_backend(backend, None, None, tmp_path), cells=1, fresh=fresh)
    await worker.start()
    try:
        cells = []
        for number in range(4):
            (outcome,) = (await results(worker, [program(str(number), WHO)])).values()
            assert isinstance(outcome, Judgement), outcome
            assert outcome.verdict is Verdict.PASSED, outcome
            cells.append(outcome.stdout)
        assert len(set(cells)) == (4 if fresh else 1), cells
    finally:
        await worker.stop()
    assert left_by(tmp_path, backend) == []


KILLED = """
import asyncio, sys
from pathlib import Path
from codesieve.workers.sandbox.choose import choose_backend
from codesieve.workers.sandbox.worker import SandboxWorker
async def main():
    worker = SandboxWorker(choose_backend(sys.argv[1], None, None, Path(sys.argv[2])), cells=2)
    await worker.start()
    print("started", flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.mark.parametrize("backend", BACKENDS)
async def test_what_a_killed_worker_leaves_goes_while_another_runs(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"codesieve.workers.sandbox.{backend}.SWEEP_SECONDS", 0.2)
    living = SandboxWorker(choose_backend(backend, None, None, tmp_path), cells=1)
    await living.start()
    try:
        mine = left_by(tmp_path, backend)
        assert mine or backend == "namespaces"  # without control groups a namespace leaves nothing to see
        doomed = await asyncio.create_subprocess_exec(
            sys.executable, "-c", KILLED, backend, str(tmp_path), stdout=asyncio.subprocess.PIPE
        )
        assert doomed.stdout is not None
        assert await doomed.stdout.readline() == b"started\n"
        if mine:
            assert len(left_by(tmp_path, backend)) > len(mine)
        doomed.kill()
        await doomed.wait()
        async with asyncio.timeout(60):
            while sorted(left_by(tmp_path, backend)) != sorted(mine):  # noqa: ASYNC110  (files set no event)
                await asyncio.sleep(0.1)
        # The living one's cells are its own still.
        (outcome,) = (await results(living, [program("after", "pass")])).values()
        assert isinstance(outcome, Judgement), outcome
    finally:
        await living.stop()
    assert left_by(tmp_path, backend) == []


@pytest.mark.docker
async def test_containers_whose_agent_hangs_are_reaped_too(tmp_path: Path) -> None:
    """A container that doesn't end with its worker, as one that is paused."""
    doomed = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, "docker", str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert doomed.stdout is not None
    assert await doomed.stdout.readline() == b"started\n"
    containers = [name for name in left_by(tmp_path, "docker") if "/" not in name]
    pause = await asyncio.create_subprocess_exec("docker", "pause", *containers, stdout=asyncio.subprocess.DEVNULL)
    assert await pause.wait() == 0
    doomed.kill()
    await doomed.wait()
    assert set(containers) <= set(left_by(tmp_path, "docker"))
    heir = choose_backend("docker", None, None, tmp_path)
    await heir.start()
    assert left_by(tmp_path, "docker") == []
    await heir.stop()


@contextlib.asynccontextmanager
async def private_engine(place: Path) -> AsyncIterator[PrivateEngine]:
    engine = PrivateEngine(place)
    try:
        await engine.start()
        yield engine
    finally:
        await engine.stop()
        unmount_below(place)


class PrivateEngine:
    """A dockerd of the test's own. It has a network namespace of its own: dockerd tidies up bridges that it finds."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.host = f"unix://{place}/sock"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        places = {"data-root": "data", "exec-root": "exec", "pidfile": "pid"}
        options = [f"--{name}={self.place}/{value}" for name, value in places.items()]
        (self.place / "json").write_text("{}")
        with (self.place / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *("unshare", "--net", "dockerd", "--config-file", f"{self.place}/json", "--host", self.host),
                *("--bridge=none", "--iptables=false", *options),
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(60):
            while not await asyncio.to_thread(self.answers):
                assert self._process.returncode is None, (self.place / "log").read_text()[-2000:]
                await asyncio.sleep(0.2)

    def answers(self) -> bool:
        command = ["docker", "--host", self.host, "version"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    async def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        await self._process.wait()
        # Its containerd ends with it. Their pidfiles stay, and the next dockerd believes them, zombies included.
        for pidfile in ("pid", "exec/containerd/containerd.pid"):
            (self.place / pidfile).unlink(missing_ok=True)

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            await self._process.wait()
        containerd = self.place / "exec/containerd/containerd.pid"
        if containerd.exists():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(containerd.read_text()), signal.SIGTERM)


@pytest.mark.docker
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("dockerd") is None, reason="needs root and dockerd")
async def test_an_engine_that_restarts_costs_no_verdict(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime_dir = tmp_path_factory.mktemp("runtime")
    async with private_engine(tmp_path_factory.mktemp("engine")) as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.host)
        worker = SandboxWorker(choose_backend("docker", None, None, runtime_dir), cells=2)
        await worker.start()
        try:
            await worker.submit([program(f"long {number}", "time.sleep(6)") for number in range(2)])
            await asyncio.sleep(1)
            await engine.kill()
            await engine.start()  # it ends the containers that it finds
            found: dict[str, Judgement | WorkFailed] = {}
            while len(found) < 2:
                found.update({result.work_id: result for result in await worker.collect(90)})
            # Judged on new cells, or given back to be judged elsewhere: never a verdict of ours on them.
            for outcome in found.values():
                if isinstance(outcome, WorkFailed):
                    assert outcome.retryable, outcome
                    assert outcome.reason in ("SANDBOX_UNAVAILABLE", "CELL_LOST"), outcome
                else:
                    assert outcome.verdict is Verdict.PASSED, outcome
            async with asyncio.timeout(90):
                while True:
                    (after,) = (await results(worker, [program("after", "pass")])).values()
                    if isinstance(after, Judgement):
                        break
                    await asyncio.sleep(0.5)
            assert after.verdict is Verdict.PASSED
        finally:
            await worker.stop()
        assert left_by(runtime_dir, "docker") == []


@pytest.mark.docker
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("dockerd") is None, reason="needs root and dockerd")
async def test_a_stop_without_an_engine_ends_and_the_next_worker_tidies_up(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime_dir = tmp_path_factory.mktemp("runtime")
    async with private_engine(tmp_path_factory.mktemp("engine")) as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.host)
        worker = SandboxWorker(choose_backend("docker", None, None, runtime_dir), cells=1)
        await worker.start()
        await engine.kill()
        await asyncio.wait_for(worker.stop(), 60)
        with pytest.raises(SandboxUnavailable, match="no Docker engine answers"):
            await choose_backend("docker", None, None, runtime_dir).start()
        await engine.start()
        heir = choose_backend("docker", None, None, runtime_dir)
        await heir.start()
        assert left_by(runtime_dir, "docker") == []
        # An image that is tidied away while a worker runs is made again when it is needed.
        client = docker.from_env()
        for image in client.images.list(name=OWN_PYTHON):
            client.images.remove(image.id, force=True)
        client.close()
        worker = SandboxWorker(heir, cells=1)
        await worker.start()
        await worker.stop()


@pytest.mark.namespaces
async def test_a_root_in_use_outlives_a_worker_that_collects(tmp_path: Path) -> None:
    first, second = (choose_backend("namespaces", None, None, tmp_path) for _ in range(2))
    await first.start()
    (lock,) = roots_directory(tmp_path).glob("*.lock")
    os.utime(lock, (0, 0))
    await second.start()
    assert lock.with_suffix("").is_dir()
    await first.stop()
    await second.stop()
