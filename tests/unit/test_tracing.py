"""What spans say of work, of its failures and of its being given up; and how they leave a process."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from tests.fake_cells import FakeBackend, FakeCell
from tests.unit.sandbox.test_worker import PROGRAM, SEEN

from codesieve.server.tracing import Samples
from codesieve.workers.errors import CellLost
from codesieve.workers.sandbox.worker import SandboxWorker
from codesieve.workers.tracing import Tracing
from codesieve.workers.types import Generated, GenerationRequest, Integrity, Judgement, Program, Verdict, WorkFailed

PARENT = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
TRACED = Program("w", PROGRAM.problem, b"", PROGRAM.limits, "owner", trace=PARENT)
SECRET = "text of a program"


class Sent:
    """Spans that a process sent."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracing = Tracing("http://nowhere:1", "sandbox", self.exporter)

    async def spans(self) -> list[ReadableSpan]:
        await self.tracing.stop()
        return list(self.exporter.get_finished_spans())


async def passed(program: Program) -> Judgement:
    return Judgement(program.work_id, Verdict.PASSED, Integrity.SPLIT, SECRET, 1.5, 0.5, stdout=SECRET.encode())


async def test_a_piece_of_work_tells_how_it_ended_and_no_text() -> None:
    sent = Sent()
    outcome = await sent.tracing.traced("program", passed)(TRACED)
    assert outcome.verdict is Verdict.PASSED
    (span,) = await sent.spans()
    assert span.attributes == {
        "codesieve.verdict": "PASSED",
        "codesieve.integrity": "SPLIT",
        "codesieve.cached": False,
        "codesieve.wall_seconds": 1.5,
        "codesieve.cpu_seconds": 0.5,
        "codesieve.peak_memory_bytes": 0,
        "codesieve.tests": 0,
    }


async def test_work_that_is_not_traced_is_handed_on_as_it_is() -> None:
    sent = Sent()
    given: list[Program] = []

    async def do(program: Program) -> None:
        given.append(program)

    await sent.tracing.traced("program", do)(PROGRAM)
    assert given[0] is PROGRAM
    assert await sent.spans() == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [(CellLost(SECRET), "CELL_LOST"), (ValueError(SECRET), "ValueError"), (KeyError(SECRET), "KeyError")],
)
async def test_what_was_raised_goes_on_and_its_message_stays_out(error: Exception, reason: str) -> None:
    sent = Sent()

    async def fail(program: Program) -> None:
        raise error

    with pytest.raises(type(error)):
        await sent.tracing.traced("program", fail)(TRACED)
    (span,) = await sent.spans()
    assert span.attributes == {"error.type": reason}
    assert span.status.status_code is StatusCode.ERROR
    assert SECRET not in span.to_json()


async def test_a_failure_without_a_verdict_is_an_error_with_its_reason() -> None:
    sent = Sent()

    async def fail(program: Program) -> WorkFailed:
        return WorkFailed(program.work_id, "WORKER_LOST", SECRET)

    await sent.tracing.traced("program", fail)(TRACED)
    (span,) = await sent.spans()
    assert span.attributes == {"error.type": "WORKER_LOST"}
    assert SECRET not in span.to_json()


async def test_what_is_cancelled_is_sent_and_is_no_error() -> None:
    sent = Sent()

    async def never(program: Program) -> None:
        await asyncio.Event().wait()

    doing = asyncio.ensure_future(sent.tracing.traced("program", never)(TRACED))
    await asyncio.sleep(0)
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing
    (span,) = await sent.spans()
    assert span.attributes == {"codesieve.cancelled": True}
    assert span.status.is_unset


async def test_each_go_at_a_program_in_a_cell_has_a_span_of_its_own() -> None:
    sent = Sent()
    cell = FakeCell(CellLost(SECRET), SEEN, SEEN)
    worker = SandboxWorker(FakeBackend(cell), 1, tracing=sent.tracing)  # type: ignore[arg-type]
    await worker._pool.start()
    await worker.submit([TRACED])
    (result,) = await worker.collect(5)
    await worker.submit([PROGRAM])  # and of this one nothing is said
    (other,) = await worker.collect(5)
    await worker.stop()
    assert isinstance(result, Judgement)
    assert isinstance(other, Judgement)
    first, second, program = await sent.spans()
    assert [one.name for one in (first, second, program)] == ["cell", "cell", "program"]
    assert program.context is not None
    for one in (first, second):
        assert one.parent is not None
        assert one.parent.span_id == program.context.span_id
    assert first.attributes is not None
    assert first.attributes["error.type"] == "CELL_LOST"
    assert second.status.is_unset


async def test_the_first_token_is_an_event_where_the_engine_tells_it() -> None:
    sent = Sent()
    request = GenerationRequest("w", "p/0", "def f():", 0.5, 0, seed=0, trace=PARENT)
    for first in (1_234_567_890, None):

        async def made(request: GenerationRequest, first: int | None = first) -> Generated:
            return Generated(request.work_id, SECRET.encode(), 3, first_token_ns=first)

        assert (await sent.tracing.traced("engine", made)(request)).token_count == 3
    told, other = await sent.spans()
    assert [(event.name, event.timestamp, dict(event.attributes or {})) for event in told.events] == [
        ("first_token", 1_234_567_890, {})
    ]
    assert other.events == ()


async def test_samples_are_chosen_by_their_ids_alone() -> None:
    sent = Sent()
    names = [f"HumanEval/{i}@0.8#{j}" for i in range(50) for j in range(40)]

    def chosen(ratio: float, parent: str = PARENT) -> set[str]:
        samples = Samples(sent.tracing, parent, ratio, "j")
        return {name for name in names if samples.chosen(name)}

    assert chosen(0.0) == set()
    assert chosen(1.0) == set(names)
    assert 120 < len(chosen(0.1)) < 280
    assert chosen(0.1) == chosen(0.1) < chosen(0.2)
    assert chosen(0.1) != chosen(0.1, PARENT.replace("0123456789abcdef", "fedcba9876543210"))
    await sent.tracing.stop()


class Away(SpanExporter):
    """A collector that takes spans when it is told to, and holds on to them until then."""

    def __init__(self, result: SpanExportResult, *, hold: bool = False) -> None:
        self.result = result
        self.released = threading.Event()
        self.taken: list[str] = []
        if not hold:
            self.released.set()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.released.wait(60)
        self.taken += [span.name for span in spans]
        return self.result

    def shutdown(self) -> None:
        self.released.set()


async def until_taken(away: Away, name: str) -> None:
    async with asyncio.timeout(30):
        while name not in away.taken:  # noqa: ASYNC110 - another thread's
            await asyncio.sleep(0.01)


async def test_an_outage_of_the_collector_is_logged_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    away = Away(SpanExportResult.FAILURE)
    tracing = Tracing("http://collector:4317", "sandbox", away)
    for number in range(2):
        tracing.begin(f"lost {number}").end()
        await until_taken(away, f"lost {number}")
    away.result = SpanExportResult.SUCCESS
    tracing.begin("sent").end()
    await until_taken(away, "sent")
    await tracing.stop()
    assert [record.getMessage() for record in caplog.records] == [
        "the collector takes no spans; they are thrown away until it does",
        "the collector takes spans again",
    ]
    assert {vars(record)["endpoint"] for record in caplog.records} == {"http://collector:4317"}


async def test_more_spans_than_a_collector_takes_are_dropped_and_stopping_breaks_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    away = Away(SpanExportResult.SUCCESS, hold=True)
    tracing = Tracing("http://collector:4317", "sandbox", away)
    for number in range(20_000):
        tracing.begin(f"{number}").end()
    await tracing.stop()
    await tracing.stop()  # once more does no harm
    assert away.released.is_set()
    assert len(away.taken) < 6000  # the queue and a batch
    assert caplog.records == []
