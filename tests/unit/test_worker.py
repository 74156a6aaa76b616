"""The bookkeeping of a worker: every piece is answered exactly once, whatever becomes of it."""

from __future__ import annotations

import asyncio
import dataclasses
import pickle

import pytest

from codesieve.workers import errors
from codesieve.workers.types import WorkFailed
from codesieve.workers.worker import TaskWorker


@dataclasses.dataclass(frozen=True)
class Piece:
    work_id: str
    trace: str = ""


async def do(piece: Piece) -> Piece:
    if piece.work_id == "endless":
        await asyncio.sleep(3600)
    if piece.work_id == "lost":
        raise errors.CellLost("the cell died")
    if piece.work_id == "refused":
        raise errors.EngineRequestRefused("too long")
    if piece.work_id == "defect":
        raise ZeroDivisionError("division by zero")
    return piece


async def test_results_and_failures() -> None:
    worker = TaskWorker(do)
    await worker.submit([Piece("a"), Piece("lost"), Piece("refused"), Piece("defect")])
    answers: dict[str, object] = {}
    while len(answers) < 4:
        answers.update({answer.work_id: answer for answer in await worker.collect(5)})
    assert answers["a"] == Piece("a")
    assert answers["lost"] == WorkFailed("lost", "CELL_LOST", "the cell died", retryable=True)
    assert answers["refused"] == WorkFailed("refused", "ENGINE_REQUEST_REFUSED", "too long", retryable=False)
    assert answers["defect"] == WorkFailed("defect", "INTERNAL", "ZeroDivisionError: division by zero")
    assert await worker.collect(0.01) == ()


async def test_a_defect_is_logged_with_the_trace_of_its_piece_and_with_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker = TaskWorker(do)
    for trace in ("00-0123456789abcdef0123456789abcdef-fedcba9876543210-01", ""):
        await worker.submit([Piece("defect", trace)])
        await worker.collect(5)
    assert [(record.getMessage(), getattr(record, "trace_id", None)) for record in caplog.records] == [
        ("a piece of work failed unexpectedly", "0123456789abcdef0123456789abcdef"),
        ("a piece of work failed unexpectedly", None),
    ]


@pytest.mark.parametrize("after", [0.0, 0.02])
async def test_cancelled_work_is_answered_even_before_it_began(after: float) -> None:
    worker = TaskWorker(do)
    await worker.submit([Piece("endless")])
    if after:
        await asyncio.sleep(after)
    await worker.cancel(["endless", "unknown"])
    (answer,) = await worker.collect(5)
    assert isinstance(answer, WorkFailed)
    assert (answer.reason, answer.retryable) == ("CANCELLED", False)


async def test_stopping_cancels_what_runs() -> None:
    worker = TaskWorker(do)
    await worker.submit([Piece("endless")])
    await asyncio.wait_for(worker.stop_tasks(), 5)
    assert len(await worker.collect(1)) == 1


def test_errors_survive_pickling() -> None:
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.WorkerError):
            error = pickle.loads(pickle.dumps(kind("why")))
            assert (type(error), error.message, str(error)) == (kind, "why", "why")
            assert kind.reason.isupper()


@pytest.mark.parametrize("turns", range(8))
async def test_collecting_can_be_cancelled_in_any_turn_after_something_finishes(turns: int) -> None:
    finish = asyncio.Event()

    async def do_when_told(piece: Piece) -> Piece:
        await finish.wait()
        return piece

    worker = TaskWorker(do_when_told)
    await worker.submit([Piece("a")])
    collecting = asyncio.create_task(worker.collect(60))
    await asyncio.sleep(0.01)
    finish.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    too_late = collecting.done()
    collecting.cancel()
    await asyncio.wait({collecting}, timeout=5)
    assert collecting.cancelled() is not too_late


async def test_work_cancelled_twice_tidies_up_undisturbed() -> None:
    tidied = asyncio.Event()

    async def tidy_up(piece: Piece) -> Piece:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.02)
            tidied.set()
        return piece

    worker = TaskWorker(tidy_up)
    await worker.submit([Piece("a")])
    await asyncio.sleep(0)
    for _ in range(3):
        await worker.cancel(["a"])
        await asyncio.sleep(0)
    await worker.stop_tasks()
    assert tidied.is_set()
    assert [answer.work_id for answer in await worker.collect(1)] == ["a"]
