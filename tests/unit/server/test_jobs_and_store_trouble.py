"""Jobs while their store can't be reached, or did what it was asked and couldn't say so."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import pytest
from tests.house import a_house, for_model, generated, judge_by_text, key, recorded

from codesieve.server.errors import StoreUnavailable
from codesieve.server.jobs import manager, recorder, runner
from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.jobs.model import JobState, SampleGenerated, SampleJudged
from codesieve.workers.types import Judgement, Program


class TroubledStore:
    """A `MemoryStore` that fails as it is told: before it does something, or after."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.before: Counter[str] = Counter()
        """How often a method is to fail without having done anything."""
        self.after: Counter[str] = Counter()
        """How often a method is to fail when all is done."""
        self.chance = 0.0
        """How likely each call is to fail, before or after."""
        self.down = False
        self.dice = random.Random(7)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(0)
            if self.down or self._is_next(self.before, name) or self.dice.random() < self.chance:
                raise StoreUnavailable("down for a test")
            result = await method(*args, **kwargs)
            if self._is_next(self.after, name) or self.dice.random() < self.chance:
                raise StoreUnavailable("the answer is lost, for a test")
            return result

        return call

    def _is_next(self, failures: Counter[str], name: str) -> bool:
        failures[name] -= 1
        return failures[name] >= 0


async def until_it_ended(store: TroubledStore) -> None:
    """Looked at past all troubles, by which a watcher would be sent away."""
    while not (await store.store.get(key("j"))).state.ended:  # noqa: ASYNC110 - nothing announces it
        await asyncio.sleep(0.05)


async def test_a_job_that_cannot_be_read_is_tried_again_at_once() -> None:
    store = TroubledStore()
    store.before.update(contents=2, events=1)
    async with a_house(store=store) as house, asyncio.timeout(manager.LEASE_SECONDS):
        await house.create("j", recorded([b"right"]))
        await until_it_ended(store)


async def test_what_waits_is_not_known_while_the_store_is_away_or_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "MAX_RUNNING", 0)
    store = TroubledStore()
    async with a_house(store=store) as house, asyncio.timeout(30):
        await house.create("j", recorded([b"right"]))
        waiting = await house.jobs.waiting()
        assert waiting is not None
        assert (waiting.count, [job.job_id for job in waiting.first]) == (1, ["j"])
        store.down = True
        assert await house.jobs.waiting() is None
        store.down = False
        asked = 0
        go_on = asyncio.Event()

        async def hangs(*arguments: Any) -> Any:
            nonlocal asked
            asked += 1
            await go_on.wait()
            raise StoreUnavailable("it did not answer in time")

        monkeypatch.setattr(manager, "WAITING_SECONDS", 0.01)
        monkeypatch.setattr(store.store, "waiting", hangs)
        for _ in range(3):
            assert await asyncio.gather(*(house.jobs.waiting() for _ in range(3))) == [None] * 3
        assert asked == 1  # whoever looks waits for the same answer
        go_on.set()
        await asyncio.sleep(0.01)
        monkeypatch.undo()
        assert await house.jobs.waiting() == waiting


async def test_a_claim_whose_answer_was_lost_is_not_held_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "LEASE_SECONDS", 1.0)
    store = TroubledStore()

    async def judge(program: Program) -> Judgement:
        if program.completion == b"slow":
            await asyncio.sleep(3600)
        return await judge_by_text(program)

    async with a_house(judge=judge, store=store) as house, asyncio.timeout(30):
        await house.create("other", recorded([b"slow"]))
        await house.runs("other")  # while it runs, leases are renewed
        store.after.update(claim=1)
        await house.create("j", recorded([b"right"]))
        await house.events("j")
        assert (await house.get("j")).state is JobState.SUCCEEDED


async def test_every_sample_is_recorded_once_through_all_troubles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(recorder, "LONGEST_PAUSE_SECONDS", 0.05)
    store = TroubledStore()
    async with a_house(store=store) as house:
        asked = for_model(house, generated(n=20))
        await house.create("j", asked)
        store.chance = 0.2
        async with asyncio.timeout(120):
            await until_it_ended(store)
        store.chance = 0.0
        events = await house.events("j")
        job = await house.get("j")
    assert [event.sequence for event in events] == list(range(1, 1 + 1 + 1 + 120 + 120 + 1))
    made = [event.happening.sample.sample_id for event in events if isinstance(event.happening, SampleGenerated)]
    judged = [event.happening.sample_id for event in events if isinstance(event.happening, SampleJudged)]
    assert len(set(made)) == len(made) == len(set(judged)) == len(judged) == 120
    assert (job.state, job.progress.verdicts) == (JobState.SUCCEEDED, {"PASSED": 60, "FAILED": 60})


async def test_a_server_stops_though_its_store_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "GIVE_BACK_SECONDS", 0.2)
    monkeypatch.setattr(runner, "FLUSH_SECONDS", 0.1)
    store = TroubledStore()
    hold = asyncio.Event()

    async def judge(program: Program) -> Judgement:
        await hold.wait()
        return await judge_by_text(program)

    async with a_house(judge=judge, store=store) as house:
        for name in ("ends", "goes on"):
            await house.create(name, recorded([b"right"] if name == "ends" else [b"right", b"wrong"]))
            await house.runs(name)
        await house.create("cancelled", recorded([b"wrong"]))
        await house.runs("cancelled")
        store.down = True
        house.jobs._runners[key("cancelled")].stop(runner.Stop.CANCELLED)
        hold.set()
        await asyncio.sleep(0.2)
        async with asyncio.timeout(20):
            await house.jobs.drain(0)
        store.down = False
    assert {(await store.store.get(key(name))).state for name in ("ends", "goes on")} == {JobState.RUNNING}


async def test_nothing_is_kept_of_followers_that_left() -> None:
    async with a_house() as house:
        await house.create("j", recorded([b"right"]))
        await asyncio.gather(*(house.events("j") for _ in range(5)))
        left = house.jobs.watch(key("j"), 0)
        await anext(left)
        await left.aclose()  # type: ignore[attr-defined]
        assert house.jobs._stream._followers == {}
