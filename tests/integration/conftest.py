"""Real cells for the sandbox's tests, each of which runs on both backends, and an endpoint for the engines'."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from tests.integration.endpoint import Endpoint, serving

from codesieve.workers.sandbox.choose import choose_backend
from codesieve.workers.sandbox.worker import SandboxWorker
from codesieve.workers.types import Judgement, Program, WorkFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    Results = dict[str, Judgement | WorkFailed]


@pytest.fixture(scope="module")
def runtime_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runtime")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("namespaces", marks=pytest.mark.namespaces),
    ],
)
def backend_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(backend_name: str, runtime_dir: Path) -> AsyncIterator[SandboxWorker]:
    """One cell: each program runs where the one before it ran."""
    worker = SandboxWorker(choose_backend(backend_name, None, None, runtime_dir), cells=1)
    info = await worker.start()
    assert info.kind == backend_name
    yield worker
    await worker.stop()


@pytest.fixture(scope="module")
def run_all(worker: SandboxWorker) -> Callable[[Sequence[Program]], Awaitable[Results]]:
    """Has `worker` judge all of some programs. Gives what became of each by its work id."""

    async def run(programs: Sequence[Program]) -> Results:
        found: Results = {}
        async with asyncio.timeout(50):
            await worker.submit(programs)
            while len(found) < len(programs):
                for result in await worker.collect(60):
                    assert result.work_id not in found
                    found[result.work_id] = result
        return found

    return run


@pytest.fixture(scope="module")
def judged(run_all: Callable[[Sequence[Program]], Awaitable[Results]]) -> Callable[[Program], Awaitable[Judgement]]:
    """Has `worker` judge one program, which has to get a verdict."""

    async def run(program: Program) -> Judgement:
        result = (await run_all([program]))[program.work_id]
        assert isinstance(result, Judgement), result
        return result

    return run


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """An OpenAI-compatible endpoint of its own for each test."""
    with serving() as seen:
        yield seen
