"""Jobs that stop problems early: what is made, what is cancelled, what counts, and going on after a crash."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from tests.house import NOW, PROBLEMS, Asked, House, a_house, for_model, generated, judge_by_text, key

from codesieve.server.callers import Quota
from codesieve.server.evaluation.report import TemperatureReport
from codesieve.server.evaluation.sample import MADE, NOT_MADE, PASSED
from codesieve.server.evaluation.stopping import EarlyStop
from codesieve.server.jobs.early import EarlyStopper
from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.jobs.model import (
    Happening,
    Job,
    JobEvent,
    JobKey,
    JobState,
    Progress,
    SampleGenerated,
    SampleJudged,
    planned_requests,
    sample_id,
)
from codesieve.server.jobs.places import places_of
from codesieve.server.pipeline import Pipeline
from codesieve.server.quotas import Quotas
from codesieve.workers.types import Generated, GenerationRequest, Judgement, Program, Sample

TWO = EarlyStop(passes=2)


def asked(n: int, rule: EarlyStop = TWO, ks: tuple[int, ...] = (1,)) -> Asked:
    spec, contents = generated(n, (0.2,))
    assert spec.generation is not None
    return dataclasses.replace(spec, generation=dataclasses.replace(spec.generation, early_stop=rule), ks=ks), contents


async def outcome_of(house: House, job_id: str = "j") -> tuple[Job, TemperatureReport, list[JobEvent]]:
    events = await house.events(job_id)
    job = await house.get(job_id)
    assert job.state is JobState.SUCCEEDED
    assert job.report is not None
    (table,) = job.report.temperatures
    assert job.progress.samples_judged + job.progress.samples_skipped == job.progress.samples_total
    for kind in (SampleGenerated, SampleJudged):
        told = collections.Counter(
            one.sample.sample_id if isinstance(one, SampleGenerated) else one.sample_id
            for one in (event.happening for event in events)
            if isinstance(one, SampleGenerated | SampleJudged) and isinstance(one, kind)
        )
        assert set(told.values()) <= {1}
    return job, table, events


async def right(request: GenerationRequest) -> Generated:
    return Generated(request.work_id, b"right", 3, -1.0)


async def test_a_problem_that_has_stopped_is_asked_for_no_more() -> None:
    made = 0

    async def generate(request: GenerationRequest) -> Generated:
        nonlocal made
        made += 1
        return await right(request)

    async with a_house(generate) as house:
        await house.create("j", for_model(house, asked(n=200)))
        _, table, _ = await outcome_of(house)
    assert (table.samples, table.samples_planned, table.problems_stopped) == (6, 600, 3)
    assert table.samples + table.samples_saved + table.samples_surplus == 600
    assert made < 100
    assert [one.value for one in table.pass_at_k] == [1.0]


async def test_without_a_stop_all_are_made() -> None:
    async with a_house() as house:
        await house.create("j", for_model(house, asked(n=10, rule=EarlyStop(passes=10))))
        job, table, _ = await outcome_of(house)
    assert job.progress == Progress(30, 30, 30, 0, {"PASSED": 15, "FAILED": 15}, 0)
    assert (table.samples, table.samples_saved, table.samples_surplus, table.problems_stopped) == (30, 0, 0, 0)
    assert [one.value for one in table.pass_at_k] == [0.5]


@pytest.mark.parametrize("where", ["engine", "judge"])
async def test_what_is_under_way_of_a_stopped_problem_is_cancelled(where: str) -> None:
    """What hangs for ever holds up no job that needs it no more."""
    cancelled: list[str] = []

    async def hang(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(name)

    async def generate(request: GenerationRequest) -> Generated:
        if where == "engine" and request.index >= 2:
            await hang(request.work_id)
        return Generated(request.work_id, b"right" if request.index < 2 else b"extra", 3, -1.0)

    async def judge(program: Program) -> Judgement:
        if program.completion == b"extra":
            await hang(program.work_id)
        return await judge_by_text(program)

    async with a_house(generate, judge) as house:
        await house.create("j", for_model(house, asked(n=4)))
        async with asyncio.timeout(20):
            _, table, events = await outcome_of(house)
            judged = sum(isinstance(event.happening, SampleJudged) for event in events)
            while where == "engine" and not cancelled:  # noqa: ASYNC110 - the pool tells the worker a moment later
                await asyncio.sleep(0.01)
    assert (table.samples, judged, table.problems_stopped) == (6, 6, 3)
    assert cancelled


async def test_a_slow_sample_is_waited_for_however_many_came_before_it() -> None:
    """Counting those that came first would count the quick ones."""
    slow = asyncio.Event()

    async def generate(request: GenerationRequest) -> Generated:
        if request.index == 0:
            await slow.wait()
            return Generated(request.work_id, b"wrong", 300, -100.0)
        return await right(request)

    async with a_house(generate) as house:
        spec, contents = for_model(house, asked(n=10))
        await house.create("j", (spec, dataclasses.replace(contents, problems=PROBLEMS[:1])))
        await house.judged("j", 9)
        assert (await house.get("j")).progress.samples_skipped == 0
        slow.set()
        _, table, _ = await outcome_of(house)
    assert (table.samples, table.samples_surplus, table.samples_saved) == (3, 7, 0)
    assert table.pass_at_k[0].value == pytest.approx(1 / 2)


async def test_a_job_that_goes_on_elsewhere_comes_to_the_same_stops() -> None:
    passing, held, made = (3, 5, 8, 9), True, list[str]()

    async def generate(request: GenerationRequest) -> Generated:
        if held and request.index in (1, 4):
            await asyncio.Event().wait()
        made.append(sample_id(request.problem_id, request.temperature, request.index))
        return Generated(request.work_id, b"right" if request.index in passing else b"wrong", 3, -1.0)

    store = MemoryStore(8)
    async with a_house(generate, store=store) as first:
        await first.create("j", for_model(first, asked(n=40, ks=(1, 3))))
        await first.judged("j", 5)
    left = await store.get(key("j"))
    assert (left.state, left.progress.samples_skipped) == (JobState.RUNNING, 0)
    held = False
    async with a_house(generate, store=store) as second:
        _, resumed, _ = await outcome_of(second)
    async with a_house(generate) as third:
        await third.create("j", for_model(third, asked(n=40, ks=(1, 3))))
        _, undisturbed, _ = await outcome_of(third)
    assert (resumed.samples, resumed.pass_at_k) == (undisturbed.samples, undisturbed.pass_at_k)
    assert resumed.samples == 3 * 6
    assert resumed.pass_at_k[0].value == pytest.approx(1 / 5)


async def test_a_sample_that_was_made_and_is_not_needed_is_not_judged_by_the_next_front_end() -> None:
    spec, contents = asked(n=4)
    places = places_of(spec, contents)
    passed = np.full(places.total, NOT_MADE, np.int8)
    passed[:3] = PASSED, PASSED, MADE
    sample = Sample(sample_id("p/0", 0.2, 2), "p/0", 0.2, 2, b"right")
    told: list[Happening] = []

    class Never:
        capacity = 4

        async def run(self, work: Program | GenerationRequest, share: object) -> Judgement:
            assert isinstance(work, Program)
            told.append(SampleGenerated(sample))
            return await judge_by_text(work)

    async def emit(happening: Happening) -> None:
        told.append(happening)

    job = Job(JobKey("me", "j"), spec, b"", JobState.RUNNING, NOW, Progress(12))
    one_problem = dataclasses.replace(contents, problems=PROBLEMS[:1])
    stopper = EarlyStopper(places, TWO, passed)
    assert stopper.skipped == 2
    await Pipeline(job, one_problem, None, Never(), emit, Quotas(lambda caller: Quota()), stopper).run(
        lambda name: False, (sample,)
    )
    assert told == []


def indices(n: int, rule: EarlyStop) -> Sequence[tuple[str, int]]:
    return [(one.problem_id, one.index) for _, one in planned_requests("j", *asked(n, rule))]


def test_problems_take_turns_so_that_little_is_under_way_when_one_stops() -> None:
    order = indices(20, EarlyStop(passes=5))
    assert sorted(order) == [(problem.problem_id, index) for problem in PROBLEMS for index in range(20)]
    assert [order[i] for i in (0, 4, 5, 15, 22, 23)] == [
        ("p/0", 0),
        ("p/0", 4),
        ("p/1", 0),
        ("p/0", 5),
        ("p/0", 12),
        ("p/1", 5),
    ]
    assert indices(3, EarlyStop(passes=5)) == [(problem.problem_id, i) for problem in PROBLEMS for i in range(3)]
    assert indices(30, EarlyStop(interval_width=0.3, min_samples=20))[:21][-1] == ("p/1", 0)
