"""What every store of jobs does, asked of each: in memory, in SQLite and in PostgreSQL."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.store_jobs import ANY, NOW, PROBLEMS, a_job, at, ended, happened, judged, leased, running, sample

from codesieve.server.errors import AlreadyExists, NotFound, Overloaded, PreconditionFailed
from codesieve.server.jobs.model import (
    Failure,
    Happening,
    Job,
    JobChanged,
    JobContents,
    JobEvent,
    JobKey,
    JobSpec,
    JobState,
    JudgeReport,
    Progress,
    Report,
    SampleGenerated,
    SampleJudged,
    request_digest,
)
from codesieve.server.jobs.provenance import Cells, Change, Engine, Provenance
from codesieve.server.jobs.store import Admission, JobStore, Lease, LeaseLost, Waiting
from codesieve.server.jobs.stores import open_store
from codesieve.server.sharing import Priority
from codesieve.workers.origin import Setting
from codesieve.workers.types import FunctionTests, Integrity, Judgement, Limits, Problem, Sample, Verdict, WorkFailed


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        fresh: str = request.getfixturevalue("postgres").fresh()
        return fresh
    return "memory" if request.param == "memory" else str(tmp_path / "jobs.db")


@pytest_asyncio.fixture
async def store(url: str) -> AsyncIterator[JobStore]:
    store = await open_store(url)
    yield store
    await store.close()


# Making a job


async def test_how_a_job_came_about_is_kept_with_it(store: JobStore) -> None:
    job, lease = await running(store)
    engine = Engine("vllm", "vLLM 1", "/m\udcff", "0", "w1", (Setting("dtype", "bfloat16"), Setting("a\0", "\ud800")))
    told = Provenance("1.0", "d", engine, Cells("docker", "j1"), (Change("cells.judge_version", "j0"),))
    moved = dataclasses.replace(job, provenance=told)
    await store.append(lease, 2, happened(JobChanged(moved)), moved.progress)
    assert (await store.get(job.key)).provenance == told
    assert [one.provenance for one in await store.list("mine", 10, None)] == [told]
    (event,) = await store.events(job.key, 2, 10)
    assert event.happening == JobChanged(moved)


async def test_a_new_job_is_kept_with_its_first_event(store: JobStore) -> None:
    job, contents = a_job("j", completion=b"\0\xff")
    assert await store.create(job, contents, ANY) == (job, True)
    assert await store.get(job.key) == job
    assert await store.contents(job.key) == contents
    (event,) = await store.events(job.key, 0, 10)
    assert (event.sequence, event.time, event.happening) == (1, NOW, JobChanged(job))
    assert await store.last_sequence(job.key) == 1


async def test_the_same_request_again_is_the_same_job_and_another_is_refused(store: JobStore) -> None:
    job, contents = a_job("j")
    await store.create(job, contents, ANY)
    later = dataclasses.replace(job, create_time=at(60))
    nothing_more = Admission(open_jobs=0, caller_open_jobs=0, caller_samples_per_day=0)
    assert await store.create(later, contents, nothing_more) == (job, False)
    with pytest.raises(AlreadyExists, match="choose another job_id"):
        await store.create(*a_job("j", completion=b"y"), ANY)
    assert (await store.create(*a_job("j", "another", completion=b"y"), ANY))[1]
    assert await store.last_sequence(job.key) == 1


async def test_a_jobs_trace_is_kept_until_its_end_and_is_no_part_of_the_request(store: JobStore) -> None:
    job, contents = a_job("j")
    traced = dataclasses.replace(job, trace="00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")
    await store.create(traced, contents, ANY)
    assert await store.create(job, contents, ANY) == (traced, False)
    assert await store.create(dataclasses.replace(job, trace="another"), contents, ANY) == (traced, False)
    ((claimed, lease),) = await store.claim("front", NOW, at(10), [], 1)
    assert claimed.trace == traced.trace
    running = claimed.moved(JobState.RUNNING, NOW)
    await store.append(lease, 1, happened(JobChanged(running)), running.progress)
    ((claimed, _),) = await store.claim("another", at(11), at(20), [], 1)
    assert claimed.trace == traced.trace


async def test_of_many_equal_requests_at_once_one_makes_the_job(store: JobStore) -> None:
    made = await asyncio.gather(*(store.create(*a_job("j"), ANY) for _ in range(20)))
    assert sorted(new for _, new in made) == [False] * 19 + [True]
    assert len(await store.list("mine", 10, None)) == 1


async def test_how_many_jobs_are_open_is_bounded(store: JobStore) -> None:
    two = Admission(open_jobs=2)
    await store.create(*a_job("a"), two)
    await store.create(*a_job("b", "another"), two)
    with pytest.raises(Overloaded) as refused:
        await store.create(*a_job("c"), two)
    assert (refused.value.reason, refused.value.retry_after_seconds) == ("TOO_MANY_JOBS", 10)
    await store.request_cancel(JobKey("mine", "a"), NOW)
    await store.create(*a_job("c"), two)


async def test_how_many_jobs_of_a_caller_are_open_is_bounded(store: JobStore) -> None:
    one = Admission(caller_open_jobs=1)
    await store.create(*a_job("a"), one)
    with pytest.raises(Overloaded) as refused:
        await store.create(*a_job("b"), one)
    assert refused.value.reason == "JOB_QUOTA"
    await store.create(*a_job("b", "another"), one)


async def test_the_bounds_hold_for_many_at_once(store: JobStore) -> None:
    bounds = Admission(open_jobs=5, caller_samples_per_day=1000)
    made = await asyncio.gather(*(store.create(*a_job(f"j{i}"), bounds) for i in range(20)), return_exceptions=True)
    assert sum(not isinstance(one, BaseException) for one in made) == 5
    assert {one.reason for one in made if isinstance(one, Overloaded)} == {"TOO_MANY_JOBS"}


async def test_a_days_samples_are_counted(store: JobStore) -> None:
    hundred = Admission(caller_samples_per_day=100)
    await store.create(*a_job("a", total=60), hundred)
    with pytest.raises(Overloaded) as refused:
        await store.create(*a_job("b", total=41), hundred)
    assert refused.value.reason == "SAMPLE_QUOTA"
    assert refused.value.retry_after_seconds == pytest.approx(1.876544)
    with pytest.raises(NotFound):
        await store.get(JobKey("mine", "b"))
    await store.create(*a_job("b", total=40), hundred)
    await store.create(*a_job("c", total=100, created=at(2)), hundred)  # a new day
    assert not await store.charge("mine", at(2).date(), 1, 100)
    assert await store.charge("mine", at(2).date(), -30, 100)
    assert await store.charge("mine", at(2).date(), 30, 100)
    assert not await store.charge("mine", at(2).date(), 1, 100)
    assert await store.charge("another", at(2).date(), 100, 100)
    assert await store.charge("another", at(2).date(), -1000, 100)
    assert not await store.charge("another", at(2).date(), 101, 100)


# Looking


async def test_what_is_not_there_is_not_found(store: JobStore) -> None:
    await store.create(*a_job("j", "another"), ANY)
    key = JobKey("mine", "j")
    for call in (store.get, store.contents, store.last_sequence, store.delete):
        with pytest.raises(NotFound, match="there is no job j"):
            await call(key)
    with pytest.raises(NotFound):
        await store.events(key, 0, 10)
    with pytest.raises(NotFound):
        await store.request_cancel(key, NOW)
    with pytest.raises(NotFound):
        await store.list("mine", 10, "j")
    assert list(await store.list("mine", 10, None)) == []


async def test_jobs_are_listed_in_pages_the_newest_first(store: JobStore) -> None:
    for i in range(7):
        await store.create(*a_job(f"j{i}", created=at(-i)), ANY)
        await store.create(*a_job(f"j{i}", "another"), ANY)
    seen: list[str] = []
    before = None
    while page := await store.list("mine", 3, before):
        seen += [job.job_id for job in page]
        before = seen[-1]
    assert seen == [f"j{i}" for i in reversed(range(7))]


async def test_events_are_read_in_pages(store: JobStore) -> None:
    job, lease = await running(store)
    happenings = [SampleGenerated(sample(i, f"c{i}".encode())) for i in range(30)]
    await store.append(lease, 2, happened(*happenings, time=at(1)), Progress(30, 30))
    seen: list[JobEvent] = []
    after = 2
    while page := await store.events(job.key, after, 7):
        assert len(page) <= 7
        seen += page
        after = page[-1].sequence
    assert [event.sequence for event in seen] == list(range(3, 33))
    assert [event.happening for event in seen] == happenings
    assert {event.time for event in seen} == {at(1)}
    assert list(await store.events(job.key, 1000, 7)) == []


# Leases


async def test_a_job_is_claimed_by_one_of_many(store: JobStore) -> None:
    for i in range(30):
        await store.create(*a_job(f"j{i}", f"c{i % 3}"), ANY)

    async def take(front_end: str) -> list[str]:
        mine: list[str] = []
        while got := await store.claim(front_end, NOW, at(10), [], 2):
            mine += [str(job.key) for job, _ in got]
        return mine

    taken = [key for mine in await asyncio.gather(*(take(f"f{i}") for i in range(6))) for key in mine]
    # Two that reach for the same jobs may both go away with fewer; whoever comes last gets what is left.
    taken += [key for mine in await asyncio.gather(take("last")) for key in mine]
    assert len(taken) == len(set(taken)) == 30


async def test_the_order_of_claims(store: JobStore) -> None:
    for name, caller, priority in (
        ("a1", "a", Priority.BATCH),
        ("a2", "a", Priority.BATCH),
        ("b1", "b", Priority.BATCH),
        ("a3", "a", Priority.INTERACTIVE),
        ("c1", "c", Priority.BATCH),
    ):
        await store.create(*a_job(name, caller, priority=priority), ANY)
    claims = [await store.claim("front", NOW, at(10), [], 2) for _ in range(4)]
    assert [[job.job_id for job, _ in claim] for claim in claims] == [["a3", "b1"], ["c1", "a1"], ["a2"], []]


async def test_jobs_of_models_that_are_not_here_are_left_to_others(store: JobStore) -> None:
    await store.create(*a_job("m", model="m"), ANY)
    await store.create(*a_job("n", model="n\0\\"), ANY)
    await store.create(*a_job("r"), ANY)
    assert [job.job_id for job, _ in await store.claim("f", NOW, at(10), ["n\0\\"], 9)] == ["n", "r"]
    assert [job.job_id for job, _ in await store.claim("g", NOW, at(10), ["m"], 9)] == ["m"]


async def test_what_waits_is_told_in_the_order_of_claims_whatever_its_model(store: JobStore) -> None:
    assert await store.waiting(NOW, 5) == Waiting(0, None, ())
    made: dict[str, Job] = {}
    for name, caller, model, created, priority in (
        ("held", "a", None, -9, Priority.INTERACTIVE),
        ("a1", "a", "not here", 7, Priority.BATCH),
        ("b1", "b", None, 5, Priority.BATCH),  # the oldest by its time
        ("b2", "b", None, 6, Priority.BATCH),
        ("a2", "a", None, 8, Priority.INTERACTIVE),
    ):
        job, contents = a_job(name, caller, model=model, created=at(created), priority=priority)
        made[name], _ = await store.create(job, contents, ANY)
        if name == "held":
            await store.claim("front", at(0), at(10), [], 1)
    assert await store.waiting(at(9), 9) == Waiting(4, at(5), tuple(made[one] for one in ("a2", "b1", "b2", "a1")))
    assert await store.waiting(at(9), 2) == Waiting(4, at(5), (made["a2"], made["b1"]))
    assert await store.waiting(at(9), 0) == Waiting(4, at(5), ())
    assert (await store.waiting(at(10), 1)) == Waiting(5, at(-9), (made["held"],))  # nobody holds it now
    await store.request_cancel(made["b1"].key, at(9))
    assert (await store.waiting(at(9), 1)).oldest == at(6)
    claimed = await store.claim("other", at(9), at(20), ["not here"], 9)
    assert await store.waiting(at(9), 9) == Waiting(0, None, ())
    await store.release(claimed[0][1])
    assert await store.waiting(at(9), 9) == Waiting(1, at(8), (made["a2"],))


async def test_a_job_that_has_begun_waits_again_where_it_was_given_back(store: JobStore) -> None:
    await ended(store, "another")
    job, lease = await running(store)
    assert (await store.waiting(at(9), 9)).count == 0
    progress = Progress(2, 1, 1, 0, {"PASSED": 1})
    await store.append(lease, 2, happened(judged(0)), progress)
    await store.release(lease)
    assert await store.waiting(at(9), 9) == Waiting(1, NOW, (dataclasses.replace(job, progress=progress),))


async def test_a_lease_that_ran_out_is_anothers_and_the_first_writes_nothing_more(store: JobStore) -> None:
    job, first = await running(store)
    assert list(await store.claim("other", at(9.9), at(20), [], 1)) == []
    ((claimed, second),) = await store.claim("other", at(10), at(20), [], 1)
    assert (claimed, second.epoch) == (job, first.epoch + 1)
    with pytest.raises(LeaseLost):
        await store.append(first, 2, happened(judged(0)), Progress(1))
    await store.release(first)
    assert list(await store.claim("third", at(11), at(20), [], 1)) == []
    await store.append(second, 2, happened(SampleGenerated(sample(0))), Progress(1, 1))
    assert await store.last_sequence(job.key) == 3


async def test_a_lease_that_was_given_back_is_free_at_once(store: JobStore) -> None:
    _, lease = await running(store)
    await store.release(lease)
    with pytest.raises(LeaseLost):
        await store.append(lease, 2, happened(judged(0)), Progress(1))
    ((_, again),) = await store.claim("other", NOW, at(10), [], 1)
    assert again.epoch == lease.epoch + 1


async def test_leases_are_prolonged_those_that_ran_out_too(store: JobStore) -> None:
    keys = [(await leased(store, name))[0].key for name in ("a", "b", "c", "d")]
    await store.create(*a_job("e"), ANY)
    await store.claim("other", NOW, at(10), [], 1)
    await store.release(Lease(keys[2], 1))
    # "c" was given back, and that it has "d" it doesn't know.
    assert list(await store.renew("front", [*keys[:3], JobKey("mine", "e"), JobKey("mine", "none")], at(30))) == []
    assert list(await store.renew("front", [], at(30))) == []
    assert [job.job_id for job, _ in await store.claim("third", at(29), at(40), [], 9)] == ["c", "d", "e"]


async def test_a_front_end_learns_which_of_its_jobs_are_to_be_cancelled(store: JobStore) -> None:
    job, lease = await running(store, "a")
    keys = [(await running(store, "b"))[0].key, job.key]
    assert (await store.request_cancel(job.key, NOW)).state is JobState.RUNNING
    assert list(await store.renew("front", keys, at(10))) == [job.key]
    assert list(await store.renew("other", keys, at(10))) == []
    moved = job.moved(JobState.CANCELLED, at(1))
    await store.append(lease, 2, happened(JobChanged(moved)), moved.progress)
    assert list(await store.renew("front", keys, at(10))) == []


# The record


async def test_the_snapshot_and_the_progress_move_with_the_events(store: JobStore) -> None:
    job, lease = await running(store)
    progress = Progress(2, 2, 1, 0, {"PASSED": 1})
    await store.append(lease, 2, happened(SampleGenerated(sample(0)), SampleGenerated(sample(1)), judged(0)), progress)
    assert await store.get(job.key) == dataclasses.replace(job, progress=progress)
    done = dataclasses.replace(
        job, progress=progress, report=Report((), JudgeReport(1.5, 2.0, "local")), failure=Failure("R", "m\ud800\0")
    ).moved(JobState.FAILED, at(3))
    await store.append(lease, 5, happened(JobChanged(done)), progress)
    assert await store.get(job.key) == done
    assert (await store.events(job.key, 5, 9))[0].happening == JobChanged(done)
    with pytest.raises(LeaseLost):  # it was given back with the job's end
        await store.append(lease, 6, happened(judged(1)), progress)


async def test_a_step_whose_answer_was_lost_can_be_repeated(store: JobStore) -> None:
    job, lease = await running(store)
    batch, progress = happened(SampleGenerated(sample(0)), judged(0)), Progress(1, 1, 1)
    await store.append(lease, 2, batch, progress)
    await store.append(lease, 2, batch, progress)
    assert await store.last_sequence(job.key) == 4
    with pytest.raises(RuntimeError, match="4 events; none can be added after 3"):
        await store.append(lease, 3, happened(judged(1), judged(2)), progress)
    end = happened(JobChanged(job.moved(JobState.SUCCEEDED, NOW)))
    await store.append(lease, 4, end, progress)
    await store.append(lease, 4, end, progress)  # which gave the lease back
    assert await store.last_sequence(job.key) == 5


async def test_a_batch_is_written_whole_or_not_at_all(store: JobStore) -> None:
    job, lease = await running(store)
    await store.claim("other", at(10), at(20), [], 1)
    with pytest.raises(LeaseLost):
        await store.append(lease, 2, happened(*(SampleGenerated(sample(i)) for i in range(10))), Progress(10, 10))
    assert await store.last_sequence(job.key) == 2
    assert await store.get(job.key) == job


async def test_hostile_text_comes_back_as_it_was(store: JobStore) -> None:
    text = "\0\ud800 \udcff\\u0000 é 𝄞 \ud834\udd1e"
    problem = Problem(f"p/{text}", text, text, FunctionTests(text), text)
    spec = JobSpec(None, Limits(), (1,), text, 0)
    given = Sample(text, problem.problem_id, None, 0, b"\0\xff\xed\xa0\x80")
    contents = JobContents((problem,), (given,))
    job = Job(JobKey(text, text), spec, request_digest(spec, contents), JobState.PENDING, NOW, Progress(1))
    await store.create(job, contents, ANY)
    ((claimed, lease),) = await store.claim("f", NOW, at(10), [], 1)
    assert (claimed, lease.key) == (job, job.key)
    happenings: list[Happening] = [
        SampleGenerated(given),
        SampleJudged(text, Judgement(text, Verdict.RAISED, Integrity.SHARED, text, stdout=b"\0")),
        SampleJudged("other", WorkFailed("w", "R", text, retryable=False)),
    ]
    await store.append(lease, 1, happened(*happenings), Progress(1, 1, 1, 0, {"RAISED": 1}))
    assert await store.contents(job.key) == contents
    assert [event.happening for event in await store.events(job.key, 1, 9)] == happenings
    assert [one.key for one in await store.list(text, 9, None)] == [job.key]
    assert await store.charge(text, NOW.date(), 1, 1)
    assert not await store.charge(text, NOW.date(), 1, 1)


async def test_contents_may_be_large(store: JobStore) -> None:
    job, _ = a_job("j")
    recorded = tuple(sample(i, bytes([i % 251]) * 1000 + b"%d" % i) for i in range(70_000))
    contents = JobContents(PROBLEMS, recorded)
    await store.create(job, contents, ANY)
    assert await store.contents(job.key) == contents


async def test_no_recorded_samples_are_not_none(store: JobStore) -> None:
    job, _ = a_job("j")
    await store.create(job, JobContents(PROBLEMS, ()), ANY)
    assert await store.contents(job.key) == JobContents(PROBLEMS, ())


# Cancelling and deleting


async def test_a_job_that_waits_is_cancelled_at_once(store: JobStore) -> None:
    job, _ = a_job("j")
    await store.create(*a_job("j"), ANY)
    cancelled = await store.request_cancel(job.key, at(1))
    assert cancelled == job.moved(JobState.CANCELLED, at(1))
    assert await store.get(job.key) == cancelled
    assert (await store.events(job.key, 1, 9))[0].happening == JobChanged(cancelled)
    assert await store.request_cancel(job.key, at(2)) == cancelled
    assert await store.last_sequence(job.key) == 2
    assert list(await store.claim("f", at(3), at(4), [], 1)) == []


async def test_who_held_a_job_that_was_cancelled_meanwhile_writes_nothing_more(store: JobStore) -> None:
    job, lease = await leased(store)
    assert (await store.request_cancel(job.key, at(9))).state is JobState.PENDING  # its holder is to do it
    assert (await store.request_cancel(job.key, at(10))).state is JobState.CANCELLED
    with pytest.raises(LeaseLost):
        await store.append(lease, 1, happened(JobChanged(job.moved(JobState.RUNNING, at(11)))), job.progress)
    assert (await store.get(job.key)).state is JobState.CANCELLED


async def test_a_job_is_deleted_when_it_has_ended(store: JobStore) -> None:
    job, lease = await running(store)
    with pytest.raises(PreconditionFailed, match="cancel it first"):
        await store.delete(job.key)
    await store.append(lease, 2, happened(*(SampleGenerated(sample(i)) for i in range(9000))), Progress(9000))
    await store.append(lease, 9002, happened(JobChanged(job.moved(JobState.SUCCEEDED, NOW))), Progress(9000))
    await store.delete(job.key)
    for call in (store.get, store.contents, store.last_sequence, store.delete):
        with pytest.raises(NotFound):
            await call(job.key)
    assert list(await store.list("mine", 9, None)) == []
    assert (await store.create(*a_job("j", completion=b"other"), ANY))[1]
    assert await store.last_sequence(job.key) == 1


async def test_jobs_that_ended_long_ago_are_deleted(store: JobStore) -> None:
    for i in range(5):
        await ended(store, f"j{i}", at(i))
    await store.create(*a_job("open"), ANY)
    assert await store.delete_ended_before(at(3)) == 3
    assert [job.job_id for job in await store.list("mine", 9, None)] == ["open", "j4", "j3"]
    assert await store.delete_ended_before(at(3)) == 0
