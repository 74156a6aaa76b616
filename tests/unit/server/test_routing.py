"""Prefix-aware routing: samples of a prompt go to the member that has it in its cache."""

from __future__ import annotations

import asyncio
import collections
import dataclasses

import pytest

from codesieve.server import routing
from codesieve.server.fair import FairQueue
from codesieve.server.pools import Pool
from codesieve.server.routing import Routes
from codesieve.server.sharing import Share
from codesieve.workers.errors import WorkerLost
from codesieve.workers.types import GenerationRequest, WorkerInfo, WorkFailed
from codesieve.workers.worker import TaskWorker

SHARE = Share("caller", "flow")


@dataclasses.dataclass(frozen=True)
class Piece:
    work_id: str
    prefix: str
    trace: str = ""


@dataclasses.dataclass(frozen=True)
class Unprefixed:
    work_id: str


@dataclasses.dataclass(frozen=True)
class Done:
    work_id: str
    by: int


class Replica(TaskWorker[Piece, Done]):
    """Does eight pieces at a time, and remembers what it was given."""

    def __init__(self, number: int) -> None:
        super().__init__(self._work)
        self.number = number
        self.given: list[str] = []
        self.in_hand: set[str] = set()
        self.dead = False
        self._places = asyncio.Semaphore(8)

    async def _work(self, piece: Piece) -> Done:
        self.given.append(piece.work_id)
        self.in_hand.add(piece.work_id)
        async with self._places:
            await asyncio.sleep(0.002)
        return Done(piece.work_id, self.number)

    async def start(self) -> WorkerInfo:
        return WorkerInfo("replica", capacity=8)

    async def collect(self, max_wait_seconds: float) -> list[Done | WorkFailed]:
        finished = list(await super().collect(min(max_wait_seconds, 0.01)))
        if self.dead:
            raise WorkerLost("it was killed")
        self.in_hand -= {one.work_id for one in finished}
        return finished

    async def stop(self) -> None:
        await self.stop_tasks()


class Replicas:
    """A pool of replicas, those included that were made when others were lost."""

    def __init__(self, size: int) -> None:
        self.made: list[Replica] = []
        self.pool: Pool[Piece, Done] = Pool("test", self._make, size)

    def _make(self) -> Replica:
        self.made.append(Replica(len(self.made)))
        return self.made[-1]


async def _met(prompts: int, samples: int) -> list[set[str]]:
    """Which replicas were given each prompt's samples, where four prompts' worth waits at a time as a pipeline has it."""
    replicas = Replicas(3)
    await replicas.pool.start()
    places = asyncio.Semaphore(4 * samples)
    met: collections.defaultdict[str, set[str]] = collections.defaultdict(set)

    async def one(piece: Piece) -> None:
        async with places:
            made = await replicas.pool.run(piece, SHARE)
        assert isinstance(made, Done), made
        met[piece.prefix].add(str(made.by))

    async with asyncio.timeout(30):
        await asyncio.gather(*(one(Piece(f"{p}/{s}", str(p))) for p in range(prompts) for s in range(samples)))
    await replicas.pool.stop()
    return list(met.values())


async def test_a_prompts_samples_share_a_replica_and_none_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    met = await _met(prompts=60, samples=24)
    routed = sum(len(one) for one in met)
    assert len(set().union(*met)) == 3
    assert routed <= 60 * 1.5, met  # 1 is the least; who would be idle takes what isn't its own
    monkeypatch.setattr(Routes, "suits", lambda *_: True)
    assert sum(len(one) for one in await _met(prompts=60, samples=24)) > routed * 1.2


async def test_a_replica_killed_has_only_what_it_had_in_hand_done_again() -> None:
    replicas = Replicas(2)
    await replicas.pool.start()
    finished: set[str] = set()

    async def one(piece: Piece) -> None:
        made = await replicas.pool.run(piece, SHARE)
        assert isinstance(made, Done), made
        finished.add(piece.work_id)
        if len(finished) == 60 and not replicas.made[0].dead:
            replicas.made[0].dead = True

    pieces = [Piece(f"{p}/{s}", str(p)) for p in range(20) for s in range(10)]
    async with asyncio.timeout(30):
        await asyncio.gather(*(one(piece) for piece in pieces))
    await replicas.pool.stop()
    times = collections.Counter(name for replica in replicas.made for name in replica.given)
    again = {name for name, count in times.items() if count > 1}
    assert set(times) == finished == {piece.work_id for piece in pieces}
    assert again
    assert again <= replicas.made[0].in_hand
    assert replicas.pool.restarts == 1


def test_what_a_lost_member_had_in_its_cache_suits_everybody() -> None:
    routes = Routes()
    routes.note(Piece("1", "a"), "first")
    assert routes.suits(Piece("2", "a"), "first")
    assert not routes.suits(Piece("2", "a"), "second")
    routes.note(Piece("2", "a"), "second")  # it took it all the same, and has it now
    assert routes.suits(Piece("3", "a"), "second")
    routes.forget("first")
    assert not routes.suits(Piece("3", "a"), "first")
    routes.forget("second")
    assert routes.suits(Piece("3", "a"), "first")


def test_work_without_a_prefix_suits_everybody() -> None:
    routes = Routes()
    routes.note(Unprefixed("1"), "first")
    assert routes.suits(Unprefixed("1"), "second")
    assert isinstance(GenerationRequest("1", "p", "prompt", 0.2, 0, 0), routing.Prefixed)


def test_only_so_many_prefixes_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "KEPT_PREFIXES", 2)
    routes = Routes()
    for prefix in "abac":
        routes.note(Piece("1", prefix), "first")
    assert [routes.suits(Piece("1", prefix), "second") for prefix in "abc"] == [False, True, False]


def test_who_is_choosy_takes_what_suits_or_nothing() -> None:
    queue: FairQueue[int] = FairQueue()
    for item in range(5):
        queue.push(item, SHARE)
    assert queue.pop(suits=lambda item: item % 2 == 1) == 1
    with pytest.raises(IndexError):
        queue.pop(suits=lambda item: item > 4, choosy=True)
    assert queue.pop(suits=lambda item: item > 4) == 0
    assert [queue.pop() for _ in range(3)] == [2, 3, 4]
