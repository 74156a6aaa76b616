"""Jobs in this process: the walk of the samples, the events, the states, cancelling and draining."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime

import pytest
from tests.house import (
    MINE,
    NOW,
    House,
    a_house,
    a_job,
    for_model,
    generate_right_for_even,
    generated,
    judge_by_text,
    key,
    recorded,
)

from codesieve.server.callers import Caller, Scope
from codesieve.server.errors import AlreadyExists, Draining, NotFound, OutOfRange, PreconditionFailed
from codesieve.server.evaluation.stopping import EarlyStop
from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.jobs.model import (
    JobChanged,
    JobKey,
    JobState,
    Progress,
    SampleGenerated,
    SampleJudged,
    planned_requests,
    sample_id,
)
from codesieve.workers.types import (
    Generated,
    GenerationRequest,
    Integrity,
    Judgement,
    Program,
    Verdict,
    WorkFailed,
)


async def test_a_job_generates_judges_and_reports() -> None:
    async with a_house() as house:
        await house.create("j", for_model(house, generated()))
        events = await house.events("j")
        job = await house.get("j")
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert len(events) == 1 + 1 + 12 + 12 + 1  # made, runs, generated, judged, ended
    assert job.state is JobState.SUCCEEDED
    assert job.progress == Progress(12, 12, 12, 0, {"PASSED": 6, "FAILED": 6})
    assert job.report is not None
    assert [one.temperature for one in job.report.temperatures] == [0.2, 0.8]
    assert [one.pass_at_k[0].value for one in job.report.temperatures] == [0.5, 0.5]
    assert job.report.temperatures[0].ranking is not None
    assert job.report.temperatures[0].ranking.mean_logprob == 1.0


async def test_generating_and_judging_overlap() -> None:
    first_judged = asyncio.Event()

    async def the_last_waits_for_a_verdict(request: GenerationRequest) -> Generated:
        if request.problem_id == "p/2":
            await asyncio.wait_for(first_judged.wait(), 10)
        return Generated(request.work_id, b"right")

    async def judge(program: Program) -> Judgement:
        first_judged.set()
        return await judge_by_text(program)

    async with a_house(the_last_waits_for_a_verdict, judge) as house:
        await house.create("j", for_model(house, generated()))
        await house.events("j")
        assert (await house.get("j")).progress.verdicts == {"PASSED": 12}


async def test_what_is_in_flight_is_bounded_and_a_slow_judge_slows_the_engine() -> None:
    generated_so_far = 0
    release = asyncio.Event()

    async def generate(request: GenerationRequest) -> Generated:
        nonlocal generated_so_far
        generated_so_far += 1
        return Generated(request.work_id, b"right")

    async def judge(program: Program) -> Judgement:
        await release.wait()
        return await judge_by_text(program)

    async with a_house(generate, judge) as house:
        await house.create("j", for_model(house, generated(n=100)))
        await asyncio.sleep(0.2)
        assert 0 < generated_so_far <= 2 * (4 + 4)
        release.set()
        await house.events("j")
        assert generated_so_far == 600


async def test_an_outage_is_never_a_verdict() -> None:
    async def judge(program: Program) -> Judgement | WorkFailed:
        if program.completion == b"unlucky":
            return WorkFailed(program.work_id, "CELL_LOST", "the cell died", retryable=False)
        return await judge_by_text(program)

    async with a_house(judge=judge) as house:
        await house.create("j", recorded([b"right", b"unlucky"]))
        events = await house.events("j")
        job = await house.get("j")
    assert job.state is JobState.SUCCEEDED
    assert job.progress.verdicts == {"PASSED": 1}
    assert job.progress.samples_unjudged == 1
    assert job.report is not None
    assert job.report.temperatures[0].pass_at_k[0].value == 1.0
    outcomes = [event.happening.outcome for event in events if isinstance(event.happening, SampleJudged)]
    assert sum(isinstance(outcome, WorkFailed) for outcome in outcomes) == 1


async def test_a_job_of_which_nothing_could_be_judged_has_failed_and_says_why() -> None:
    async def judge(program: Program) -> WorkFailed:
        return WorkFailed(program.work_id, "CELL_LOST", "the cell died", retryable=False)

    async with a_house(judge=judge) as house:
        await house.create("j", recorded([b"right"]))
        await house.events("j")
        job = await house.get("j")
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert (job.failure.reason, "the cell died" in job.failure.message) == ("NOTHING_JUDGED", True)


async def test_cancelling_keeps_what_was_finished() -> None:
    async def judge(program: Program) -> Judgement:
        if program.completion == b"slow":
            await asyncio.sleep(3600)
        return await judge_by_text(program)

    async with a_house(judge=judge) as house:
        await house.create("j", recorded([b"right", b"slow"]))
        async for event in house.jobs.watch(key("j"), 0):
            if isinstance(event.happening, SampleJudged):
                break
        job = await house.jobs.cancel(key("j"))
        assert job.state is JobState.CANCELLED
        assert job.progress.verdicts == {"PASSED": 1}
        assert (await house.jobs.cancel(key("j"))) == job
        assert (await house.events("j"))[-1].happening == JobChanged(job)


async def test_the_same_request_again_is_the_same_job_and_another_is_refused() -> None:
    async with a_house() as house:
        first = await house.create("j", recorded([b"right"]))
        await house.events("j")
        again = await house.create("j", recorded([b"right"]))
        assert again.job_id == first.job_id
        assert again.state is JobState.SUCCEEDED
        assert len([e for e in await house.events("j") if isinstance(e.happening, SampleGenerated)]) == 1
        with pytest.raises(AlreadyExists, match="choose another"):
            await house.create("j", recorded([b"other"]))


async def test_a_model_that_is_not_loaded_makes_no_job() -> None:
    async with a_house() as house:
        with pytest.raises(PreconditionFailed, match="no model 'replay'"):
            await house.create("j", generated())
        with pytest.raises(NotFound):
            await house.get("j")


async def test_watching_can_be_left_and_rejoined() -> None:
    async with a_house() as house:
        await house.create("j", recorded([b"right"] * 5))
        everything = await house.events("j")
        for seen in range(len(everything) + 1):
            assert await house.events("j", seen) == everything[seen:]
        with pytest.raises(OutOfRange):
            await house.events("j", len(everything) + 1)
        with pytest.raises(NotFound):
            await house.events("unknown")


async def test_draining_lets_running_jobs_end_and_takes_no_more() -> None:
    async def judge(program: Program) -> Judgement:
        await asyncio.sleep(0.1 if program.completion == b"right" else 3600)
        return await judge_by_text(program)

    async with a_house(judge=judge) as house:
        await house.create("quick", recorded([b"right"]))
        await house.create("endless", recorded([b"slow"]))
        await house.runs("endless")
        await house.jobs.drain(1.0)
        assert (await house.get("quick")).state is JobState.SUCCEEDED
        assert (await house.get("endless")).state is JobState.RUNNING  # it is given back, for another to go on with
        with pytest.raises(Draining):
            await house.create("late", recorded([b"right"]))


def test_states_only_move_forward() -> None:
    job, _ = a_job("j")
    with pytest.raises(ValueError, match="can't go"):
        job.moved(JobState.SUCCEEDED, NOW)
    ended = job.moved(JobState.RUNNING, NOW).moved(JobState.SUCCEEDED, NOW)
    assert (ended.start_time, ended.end_time) == (NOW, NOW)
    for state in JobState:
        with pytest.raises(ValueError, match="can't go"):
            ended.moved(state, NOW)


def test_planned_requests_have_their_own_seeds_and_stand_by_problem() -> None:
    plan = [request for _, request in planned_requests("j", *generated(n=3))]
    assert len({request.work_id for request in plan}) == len(plan) == 18
    assert len({request.seed for request in plan}) == 18
    assert [request.problem_id for request in plan] == sorted(request.problem_id for request in plan)
    again = [request for _, request in planned_requests("other", *generated(n=3))]
    assert [request.seed for request in again] == [request.seed for request in plan]


def running_jobs(house: House) -> float | None:
    value: float | None = house.registry.get_sample_value("codesieve_jobs", {"state": "RUNNING"})
    return value


async def test_a_job_goes_on_where_the_front_end_before_left_it() -> None:
    judged: list[str] = []
    hold = asyncio.Event()

    async def judge(program: Program) -> Judgement:
        if program.completion == b"slow":
            await hold.wait()
        judged.append(program.work_id.rpartition("/")[2])
        return await judge_by_text(program)

    store = MemoryStore(8)
    completions = [b"right", b"wrong", b"slow", b"right"]
    async with a_house(judge=judge, store=store) as first:
        await first.create("j", recorded(completions))
        await first.judged("j", 3)
    left = await store.get(key("j"))
    assert (left.state, left.progress.samples_judged) == (JobState.RUNNING, 3)
    assert running_jobs(first) == 0
    hold.set()
    async with a_house(judge=judge, store=store) as second:
        events = await second.events("j")
        job = await second.get("j")
    assert running_jobs(second) == 0
    assert sorted(judged) == [sample_id("p/0", None, i).rpartition("/")[2] for i in range(4)]  # none of them twice
    assert (job.state, job.progress.verdicts) == (JobState.SUCCEEDED, {"PASSED": 2, "FAILED": 2})
    assert [event.sequence for event in events] == list(range(1, 1 + 1 + 1 + 4 + 4 + 1))
    assert job.report is not None
    assert job.report.temperatures[0].pass_at_k[0].value == 0.5


async def test_samples_that_were_made_are_not_made_again() -> None:
    made: list[str] = []
    hold = asyncio.Event()

    async def generate(request: GenerationRequest) -> Generated:
        made.append(request.work_id)
        return await generate_right_for_even(request)

    async def judge(program: Program) -> Judgement:
        await hold.wait()
        return await judge_by_text(program)

    store = MemoryStore(8)
    async with a_house(generate, judge, store) as first:
        await first.create("j", for_model(first, generated()))
        async for event in first.jobs.watch(key("j"), 0):
            if event.sequence == 2 + 12:  # all are made, none is judged
                break
    hold.set()
    async with a_house(generate, judge, store) as second:
        await second.events("j")
        job = await second.get("j")
    assert len(made) == len(set(made)) == 12
    assert job.progress.verdicts == {"PASSED": 6, "FAILED": 6}


async def test_a_front_end_whose_lease_was_lost_writes_nothing_more() -> None:
    hold = asyncio.Event()

    async def judge(program: Program) -> Judgement:
        await hold.wait()
        return await judge_by_text(program)

    store = MemoryStore(8)
    async with a_house(judge=judge, store=store) as house:
        await house.create("j", recorded([b"right"]))
        await house.runs("j")
        later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
        ((_, lease),) = await store.claim("another", later, later + datetime.timedelta(minutes=1), [], 1)
        before = await store.last_sequence(key("j"))
        hold.set()
        await asyncio.sleep(0.1)
        assert await store.last_sequence(key("j")) == before
        assert lease.epoch == 2


async def test_a_job_that_takes_longer_than_its_timeout_fails_and_keeps_what_was_finished() -> None:
    async def judge(program: Program) -> Judgement:
        await asyncio.sleep(3600 if program.completion == b"slow" else 0)
        return await judge_by_text(program)

    async with a_house(judge=judge) as house:
        spec, contents = recorded([b"right", b"slow"])
        await house.create("j", (dataclasses.replace(spec, timeout_seconds=0.3), contents))
        await house.events("j")
        job = await house.get("j")
    assert job.failure is not None
    assert (job.state, job.failure.reason) == (JobState.FAILED, "DEADLINE_EXCEEDED")
    assert job.progress.verdicts == {"PASSED": 1}
    assert job.report is not None


async def test_judging_again_takes_the_samples_of_an_ended_job() -> None:
    today = "right"

    async def judge(program: Program) -> Judgement:
        verdict = Verdict.PASSED if today.encode() in program.completion else Verdict.FAILED
        return Judgement(program.work_id, verdict, Integrity.SPLIT)

    async with a_house(judge=judge) as house:
        await house.create("j", for_model(house, generated()))
        with pytest.raises(PreconditionFailed, match="has not ended"):
            await house.jobs.rejudge(MINE, "j", "again")
        events = await house.events("j")
        today = "wrong"
        job = await house.jobs.rejudge(MINE, "j", "again")
        again = await house.events("again")
        assert job.spec.rejudge_of == "j"
        assert await house.jobs.rejudge(MINE, "j", "again") == await house.get("again")
    verdicts = [
        {
            event.happening.sample_id: event.happening.outcome.verdict
            for event in one
            if isinstance(event.happening, SampleJudged) and isinstance(event.happening.outcome, Judgement)
        }
        for one in (events, again)
    ]
    assert verdicts[0].keys() == verdicts[1].keys()
    assert len(verdicts[0]) == 12
    assert all(verdicts[0][name] != verdicts[1][name] for name in verdicts[0])


async def test_of_samples_that_were_stopped_early_only_the_first_count_when_they_are_judged_again() -> None:
    async with a_house() as house:
        spec, contents = for_model(house, generated(n=8))
        assert spec.generation is not None
        stopping = dataclasses.replace(spec.generation, early_stop=EarlyStop(passes=2))
        await house.create("j", (dataclasses.replace(spec, generation=stopping), contents))
        await house.events("j")
        for name, source in (("again", "j"), ("and-again", "again")):
            await house.jobs.rejudge(MINE, source, name)
            await house.events(name)
            job = await house.get(name)
            assert job.spec.counted_samples_per_problem == 2
            assert job.report is not None
            assert job.progress.samples_judged >= 18
            assert [one.samples for one in job.report.temperatures] == [6, 6]


async def test_a_caller_sees_its_own_jobs_only() -> None:
    async with a_house() as house:
        await house.create("j", recorded([b"right"]))
        await house.events("j")
        theirs = JobKey("another", "j")
        for call in (house.jobs.get, house.jobs.cancel, house.jobs.delete):
            with pytest.raises(NotFound):
                await call(theirs)
        assert await house.jobs.list("another", 10, None) == []
        await house.jobs.create(Caller("another", frozenset(Scope)), "j", *recorded([b"wrong"]))
        assert (await house.get("j")).progress.verdicts == {"PASSED": 1}
        await house.jobs.delete(key("j"))
        with pytest.raises(NotFound):
            await house.get("j")
