"""The calls of both clients against a real gRPC server: results, reconnecting, retrying, errors."""

from __future__ import annotations

import asyncio
import functools
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import grpc.aio
import pytest

from codesieve.client import (
    AlreadyExists,
    AsyncClient,
    Client,
    CodesieveError,
    FunctionTests,
    Generation,
    InvalidRequest,
    JobCancelled,
    JobFailed,
    JobState,
    JudgeItem,
    ModelState,
    NotAllowed,
    NotFound,
    Overloaded,
    PauseMode,
    PreconditionFailed,
    Problem,
    RecordedSample,
    Retry,
    SampleJudged,
    ServerError,
    Unauthenticated,
    Unavailable,
    Verdict,
)
from codesieve.client.errors import from_rpc_error
from codesieve.v1 import job_pb2

QUICK = Retry(give_up_after_seconds=20.0, first_delay_seconds=0.001, longest_delay_seconds=0.01)
NEVER = Retry(give_up_after_seconds=0.0)
TWO_EACH = Generation(model="m", temperatures=(0.2,), samples_per_problem=2)


class Both:
    """Runs the same calls through either client, so that each test is about both."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self, fake: Any, call: Callable[[Any], Any], retry: Retry = QUICK) -> Any:
        """`call` gets a client; a list comes back for what is iterated."""
        if self.kind == "sync":
            with Client(fake.target, retry=retry) as client:
                answer = call(client)
                return list(answer) if isinstance(answer, Iterator) else answer

        async def run() -> Any:
            async with AsyncClient(fake.target, retry=retry) as client:
                answer = call(client)
                return [each async for each in answer] if isinstance(answer, AsyncIterator) else await answer

        return asyncio.run(run())


@pytest.fixture(params=["sync", "async"])
def both(request: pytest.FixtureRequest) -> Both:
    return Both(request.param)


def items(count: int) -> list[JudgeItem]:
    return [JudgeItem(f"i{number}", "HumanEval/0", b"pass" if number % 2 else b"no") for number in range(count)]


def test_run_brings_samples_with_judgements_and_the_report(fake: Any, both: Both) -> None:
    events: list[object] = []
    result = both(fake, lambda client: client.run("humaneval", TWO_EACH, k=(1, 2), limit=5, on_event=events.append))
    assert [(each.problem_id, each.judgement.verdict) for each in result.samples] == [
        ("HumanEval/0", Verdict.PASSED),
        ("HumanEval/0", Verdict.FAILED),
        ("HumanEval/1", Verdict.PASSED),
        ("HumanEval/1", Verdict.FAILED),
    ]
    first = result.samples[0]
    assert (first.sample_id, first.temperature, first.token_count) == ("HumanEval/0@0.2#0", 0.2, 3)
    assert (first.judgement.passed, first.judgement.stdout) == (True, b"\xff\x00out")
    assert result.job.state is JobState.SUCCEEDED
    (told,) = result.report.temperatures
    assert (told.pass_at_k[0].value, told.pass_at_k[0].interval) == (0.5, (0.1, 0.9))
    assert (told.ranking.mean_logprob, told.ranking.sum_logprob) == (0.5, None)
    assert result.report.judge.sandbox == "docker"
    assert len(events) == 10
    sent = fake.requests[0].job
    assert (sent.problems.dataset, sent.problems.limit, list(sent.k)) == ("humaneval", 5, [1, 2])


def test_evaluate_sends_recorded_samples_and_own_problems(fake: Any, both: Both) -> None:
    problem = Problem("mine/0", "def f():\n", FunctionTests("def check(candidate): pass\n"), entry_point="f")
    samples = [RecordedSample("mine/0", b"pass \x00\xff", 0.8, 7, -2.5), RecordedSample("mine/0", b"outage")]
    result = both(fake, lambda client: client.evaluate(samples, [problem]))
    assert [each.judgement.passed for each in result.samples] == [True, None]
    assert result.samples[1].judgement.unjudged.reason == "SANDBOX_UNAVAILABLE"
    assert result.samples[1].temperature is None
    sent = fake.requests[0].job
    assert sent.problems.inline.problems[0].check_function == b"def check(candidate): pass\n"
    assert (sent.recorded.samples[0].completion, sent.recorded.samples[0].token_count) == (b"pass \x00\xff", 7)
    assert not sent.recorded.samples[1].HasField("cumulative_logprob")


def test_watch_rejoins_after_every_outage_and_sees_each_event_once(fake: Any, both: Both) -> None:
    job = both(fake, lambda client: client.jobs.create("humaneval", TWO_EACH))
    fake.watch_breaks = [3, 0, 4, 2]
    events = both(fake, lambda client: client.watch(job))
    assert [each.sequence for each in events] == list(range(1, 11))
    assert fake.watched_after == [0, 3, 3, 7, 9]


def test_watch_begins_after_the_sequence_that_was_seen(fake: Any, both: Both) -> None:
    job = both(fake, lambda client: client.jobs.create("humaneval", TWO_EACH))
    events = both(fake, lambda client: client.watch(job.job_id, after_sequence=8))
    assert [type(each) for each in events[:1]] == [SampleJudged]
    assert [each.sequence for each in events] == [9, 10]


def test_watch_notices_a_missing_event(fake: Any, both: Both) -> None:
    job = both(fake, lambda client: client.jobs.create("humaneval", TWO_EACH))
    fake.skip_sequence = 4
    with pytest.raises(ServerError, match="events 4 to 4"):
        both(fake, lambda client: client.watch(job))


def test_watch_gives_up_when_its_time_is_spent_without_progress(fake: Any, both: Both) -> None:
    job = both(fake, lambda client: client.jobs.create("humaneval", TWO_EACH))
    fake.watch_breaks = [0]
    with pytest.raises(Unavailable, match="draining"):
        both(fake, lambda client: client.watch(job), NEVER)


def test_create_is_sent_again_with_the_same_job_id(fake: Any, both: Both) -> None:
    fake.refuse("UNAVAILABLE")
    fake.refuse("RESOURCE_EXHAUSTED", retry_after=0.01)
    job = both(fake, lambda client: client.jobs.create("humaneval", TWO_EACH))
    assert fake.calls == ["CreateJob"] * 3
    assert {request.job_id for request in fake.requests} == {job.job_id}
    assert len(fake.jobs) == 1


def test_the_same_job_id_comes_back_to_the_same_job(fake: Any, both: Both) -> None:
    first = both(fake, lambda client: client.run("humaneval", TWO_EACH, job_id="step-1"))
    assert both(fake, lambda client: client.run("humaneval", TWO_EACH, job_id="step-1")) == first
    with pytest.raises(AlreadyExists, match="something else"):
        both(fake, lambda client: client.run("humaneval", TWO_EACH, k=(1,), job_id="step-1"))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("INVALID_ARGUMENT", InvalidRequest),
        ("OUT_OF_RANGE", InvalidRequest),
        ("NOT_FOUND", NotFound),
        ("ALREADY_EXISTS", AlreadyExists),
        ("FAILED_PRECONDITION", PreconditionFailed),
        ("UNAUTHENTICATED", Unauthenticated),
        ("PERMISSION_DENIED", NotAllowed),
        ("INTERNAL", ServerError),
        ("UNIMPLEMENTED", ServerError),
    ],
)
def test_what_no_retry_mends_is_raised_at_once(fake: Any, both: Both, code: str, kind: type[CodesieveError]) -> None:
    fake.refuse(code, reason="WHY")
    with pytest.raises(kind, match="the reason in words") as raised:
        both(fake, lambda client: client.jobs.get("x"))
    assert type(raised.value) is kind
    assert len(fake.calls) == 1


def test_violations_and_reason_come_from_the_details(fake: Any, both: Both) -> None:
    wrong = (("job.k[0]", "must be at least 1"), ("job.generation.temperatures[1]", "is there twice"))
    fake.refuse("INVALID_ARGUMENT", reason="INVALID", violations=wrong)
    with pytest.raises(InvalidRequest) as raised:
        both(fake, lambda client: client.jobs.create("humaneval", TWO_EACH))
    assert raised.value.violations == wrong
    assert raised.value.reason == "INVALID"


def test_overloaded_carries_when_to_come_back(fake: Any, both: Both) -> None:
    fake.refuse("RESOURCE_EXHAUSTED", retry_after=12.5)
    with pytest.raises(Overloaded) as raised:
        both(fake, lambda client: client.jobs.create("humaneval", TWO_EACH), Retry(give_up_after_seconds=10.0))
    assert raised.value.retry_after == 12.5
    assert len(fake.calls) == 1


def test_a_job_that_failed_is_an_error_with_what_was_finished(fake: Any, both: Both) -> None:
    fake.end_state = job_pb2.Job.FAILED
    with pytest.raises(JobFailed, match="no sandbox") as raised:
        both(fake, lambda client: client.run("humaneval", TWO_EACH))
    assert raised.value.reason == "NOTHING_JUDGED"
    assert len(raised.value.result.samples) == 4


def test_a_cancelled_job_is_an_error_of_its_own(fake: Any, both: Both) -> None:
    fake.end_state = job_pb2.Job.CANCELLED
    with pytest.raises(JobCancelled):
        both(fake, lambda client: client.run("humaneval", TWO_EACH))


def test_samples_that_no_engine_made_are_told_apart(fake: Any, both: Both) -> None:
    fake.unmade = 1
    result = both(fake, lambda client: client.run("humaneval", TWO_EACH))
    assert len(result.samples) == 3
    assert [(name, lost.reason) for name, lost in result.unmade] == [("HumanEval/1@0.2#1", "SANDBOX_UNAVAILABLE")]


def create(name: str, client: Any) -> Any:
    return client.jobs.create("humaneval", TWO_EACH, job_id=name)


def test_jobs_are_listed_shown_and_cancelled(fake: Any, both: Both) -> None:
    fake.hold = True
    for name in ("one", "two", "three"):
        both(fake, functools.partial(create, name))
    page = both(fake, lambda client: client.jobs.list(page_size=2))
    assert [each.job_id for each in page.jobs] == ["three", "two"]
    rest = both(fake, lambda client: client.jobs.list(page_size=2, page_token=page.next_page_token))
    assert ([each.job_id for each in rest.jobs], rest.next_page_token) == (["one"], "")
    assert both(fake, lambda client: client.jobs.cancel("jobs/two")).state is JobState.CANCELLED
    assert both(fake, lambda client: client.jobs.get("one")).state is JobState.RUNNING
    with pytest.raises(NotFound, match="jobs/four"):
        both(fake, lambda client: client.jobs.get("four"))


def test_models_are_listed_and_loaded(fake: Any, both: Both) -> None:
    (model,) = both(fake, lambda client: client.models.list())
    assert (model.name, model.engine) == ("models/m", "vllm")
    assert both(fake, lambda client: client.models.load("http://h/v1")).name == "models/loaded"
    with pytest.raises(NotFound, match="nothing is at"):
        both(fake, lambda client: client.models.load("/nothing"))


def test_what_is_done_to_a_models_weights_is_asked_as_it_was_said(fake: Any, both: Both) -> None:
    asked: list[tuple[Callable[[Any], Any], dict[str, Any]]] = [
        (lambda m: m.load_weights("m", "/w", version="step-1"), {"directory": "/w", "weights_version": "step-1"}),
        (lambda m: m.pause("models/m"), {"mode": 1}),
        (lambda m: m.pause("m", PauseMode.KEEP), {"mode": 3}),
        (lambda m: m.resume("m"), {}),
        (lambda m: m.sleep("m", 2), {"level": 2}),
        (lambda m: m.wake_up("m", ["weights"]), {"tags": ["weights"]}),
        (lambda m: m.load_adapter("m", "a", "/a"), {"adapter": "a", "directory": "/a"}),
        (lambda m: m.unload_adapter("m", "a"), {"adapter": "a"}),
    ]
    for ask, fields in asked:
        model = both(fake, lambda client, ask=ask: ask(client.models))  # type: ignore[misc]
        assert (model.model_id, model.state, model.weights_version) == ("m", ModelState.PAUSED, "step-1")
        assert model.adapters == (("a", "/a"),)
        assert {field.name: value for field, value in fake.requests[-1].ListFields()} == {"name": "models/m", **fields}
    updates: list[tuple[Callable[[Any], Any], dict[str, Any], str]] = [
        (lambda m: m.init_weight_transfer("m", {"rank_offset": 1}), {"init_info": {"rank_offset": 1}}, "0"),
        (lambda m: m.start_weight_update("m"), {}, "0"),
        (lambda m: m.update_weights("m", {"names": ["a"]}), {"update_info": {"names": ["a"]}}, "0"),
        (lambda m: m.finish_weight_update("m", "step-2"), {}, "step-2"),
    ]
    for ask, options, version in updates:
        told = both(fake, lambda client, ask=ask: ask(client.models))  # type: ignore[misc]
        assert told == version
        assert json.loads(fake.requests[-1].options_json) == options
    with pytest.raises(NotFound, match="there is no model none"):
        both(fake, lambda client: client.models.resume("none"))


def test_judge_answers_every_item(fake: Any, both: Both) -> None:
    answers = both(fake, lambda client: client.judge(iter(items(50)), "humaneval"))
    assert {each.id: each.judgement.passed for each in answers} == {f"i{n}": n % 2 == 1 for n in range(50)}


def test_judge_sends_only_unanswered_items_again(fake: Any, both: Both) -> None:
    fake.judge_breaks = [3, 0, 10]
    answers = both(fake, lambda client: client.judge(items(40), "humaneval"))
    assert sorted(each.id for each in answers) == sorted(each.id for each in items(40))
    assert len(fake.judged_ids) == 4
    assert not {"i0", "i1", "i2"} & set(fake.judged_ids[1] + fake.judged_ids[2] + fake.judged_ids[3])


def test_judge_reads_items_only_as_they_come(fake: Any) -> None:
    """A trainer that waits for an answer before it makes its next item isn't held up, not even by an outage."""
    fake.judge_breaks = [2]
    answered = threading.Semaphore(1)

    def one_by_one() -> Iterator[JudgeItem]:
        for item in items(6):
            assert answered.acquire(timeout=20)
            yield item

    with Client(fake.target, retry=QUICK) as client:
        seen = []
        for judged in client.judge(one_by_one(), "humaneval"):
            seen.append(judged.id)
            answered.release()
    assert seen == [f"i{number}" for number in range(6)]


async def test_async_judge_survives_an_outage_while_it_waits_for_items(fake: Any) -> None:
    fake.judge_breaks = [2]
    answered: asyncio.Queue[None] = asyncio.Queue()
    answered.put_nowait(None)

    async def one_by_one() -> AsyncIterator[JudgeItem]:
        for item in items(6):
            await answered.get()
            yield item

    async with AsyncClient(fake.target, retry=QUICK) as client:
        seen = []
        async for judged in client.judge(one_by_one(), "humaneval"):
            seen.append(judged.id)
            answered.put_nowait(None)
    assert seen == [f"i{number}" for number in range(6)]


def test_what_the_items_raise_is_raised_after_the_answers(fake: Any) -> None:
    def broken() -> Iterator[JudgeItem]:
        yield from items(3)
        raise ZeroDivisionError("mine")

    seen = []
    with Client(fake.target, retry=QUICK) as client, pytest.raises(ZeroDivisionError, match="mine"):  # noqa: PT012
        for judged in client.judge(broken(), "humaneval"):
            seen.append(judged.id)  # noqa: PERF401
    assert len(seen) == 3


def test_an_item_id_that_is_there_twice_is_refused(fake: Any, both: Both) -> None:
    twice = [JudgeItem("a", "HumanEval/0", b""), JudgeItem("a", "HumanEval/1", b"")]
    with pytest.raises(InvalidRequest, match="'a' is there twice"):
        both(fake, lambda client: client.judge(twice, "humaneval"))


def test_judge_passes_on_what_the_server_refuses(fake: Any, both: Both) -> None:
    others = [JudgeItem(f"other{number}", "HumanEval/0", b"") for number in range(200)]
    with pytest.raises(InvalidRequest) as raised:
        both(fake, lambda client: client.judge([*items(9), JudgeItem("a", "unknown", b""), *others], "humaneval"))
    assert raised.value.violations[0][0] == "items[0].problem_id"


def test_items_that_the_server_leaves_unanswered_are_an_error(fake: Any, both: Both) -> None:
    fake.judge_unanswered = frozenset({"i1"})
    with pytest.raises(ServerError, match="1 items unanswered"):
        both(fake, lambda client: client.judge(items(3), "humaneval"))


def test_a_reader_may_leave_early(fake: Any) -> None:
    with Client(fake.target) as client:
        answers = client.judge(items(1000), "humaneval")
        next(answers)
        answers.close()
        assert client.jobs.list().jobs == ()


def test_no_server_is_a_clear_line(both: Both) -> None:
    class Nowhere:
        target = "127.0.0.1:1"

    with pytest.raises(Unavailable, match=r"no codesieve server answers at 127\.0\.0\.1:1 \(waited 0\.2 s\)"):
        both(Nowhere, lambda client: client.wait_until_ready(0.2))
    with pytest.raises(Unavailable, match=r"no answer from the server at 127\.0\.0\.1:1"):
        both(Nowhere, lambda client: client.jobs.list(), NEVER)


def test_a_server_that_is_there_is_ready(fake: Any, both: Both) -> None:
    assert both(fake, lambda client: client.wait_until_ready(10)) is None


def test_a_status_that_grpc_aio_has_lost_is_tried_again() -> None:
    """grpc.aio makes up this status when a write fails before the true one is read."""
    metadata = grpc.aio.Metadata()
    made_up = grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL, metadata, metadata, details="Internal error from Core")
    honest = grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL, metadata, metadata, details="the engine fell over")
    assert type(from_rpc_error(made_up, "here")) is Unavailable
    assert type(from_rpc_error(honest, "here")) is ServerError
