"""What the calls do, once for the sync and the async client, without doing any I/O.

A flow is a generator. It yields a `Command` for each thing that takes time, gets the answer sent in (or a
`CodesieveError` thrown in), and yields `Emit` for each value that the caller is to see. `sync_client` and
`async_client` are the two drivers: all they know is how to carry out a command. Reconnecting, retrying, matching and
checking is here.
"""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from codesieve.client import convert, requests, types, uploads
from codesieve.client.errors import CodesieveError, JobCancelled, JobFailed, NotFound, ServerError
from codesieve.client.retry import Backoff, Retry
from codesieve.v1 import job_pb2

if TYPE_CHECKING:
    import random

    from google.protobuf.message import Message

    from codesieve.v1 import judge_pb2

ValueT = TypeVar("ValueT")

UNARY_TIMEOUT_SECONDS = 60.0
LOAD_MODEL_TIMEOUT_SECONDS = 3600.0
UPLOAD_TIMEOUT_SECONDS = 1800.0
STOOD_SECONDS = 60.0
"""A stream that stood for longer had a server at its other end, even if that had nothing to say: connecting to a machine
that is gone fails sooner."""


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """Make one call with one answer, and send that in. `method` is "Service.Method"; an `Upload` is sent in its pieces."""

    method: str
    request: Message | Upload
    timeout_seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Open:
    """Open a stream, and send its handle in. `request` is what is sent, or a `Ledger` to feed it from."""

    method: str
    request: Message | Ledger


@dataclasses.dataclass(frozen=True, slots=True)
class Read:
    """Read a message of a stream, and send it in; None at the end."""

    stream: Any


@dataclasses.dataclass(frozen=True, slots=True)
class Sleep:
    """Wait."""

    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Emit(Generic[ValueT]):
    """Give this to the caller."""

    value: ValueT


Command = Call | Open | Read | Sleep | Emit[ValueT]
Flow = Generator[Command[ValueT], Any, None]


OnOutage = Callable[[CodesieveError | None], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Tools:
    """What flows need of the world. `clock` is monotonic, in seconds."""

    retry: Retry
    clock: Callable[[], float]
    rng: random.Random
    on_outage: OnOutage | None = None
    """Told what went wrong each time before it is tried again, and None once the server answers after that."""


class Attempts:
    """The attempts of one call: when to make the next one, and telling of it."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._backoff = Backoff(tools.retry, tools.rng)
        self._out = False
        self._began = 0.0

    def begin(self) -> None:
        """A stream is about to be opened."""
        self._began = self._tools.clock()

    def moved(self) -> None:
        """The call got on, though it has broken: its time begins anew."""
        self._backoff.progress()

    def answered(self) -> None:
        """The server answers."""
        self._backoff.progress()
        if self._out and self._tools.on_outage is not None:
            self._tools.on_outage(None)
        self._out = False

    def broke(self, error: CodesieveError) -> Sleep:
        """How long to wait before a broken stream is opened again; raises `error` where it isn't to be."""
        if self._tools.clock() - self._began > STOOD_SECONDS:
            self.moved()
        return self.failed(error)

    def failed(self, error: CodesieveError) -> Sleep:
        """How long to wait before the call is made again; raises `error` where it isn't to be."""
        wait = Sleep(self._backoff.delay(error, self._tools.clock()))
        self._out = True
        if self._tools.on_outage is not None:
            self._tools.on_outage(error)
        return wait


def unary(
    tools: Tools,
    method: str,
    request: Message,
    convert_answer: Callable[[Any], ValueT],
    timeout_seconds: float = UNARY_TIMEOUT_SECONDS,
) -> Flow[ValueT]:
    """One call, tried again while that may help; emits the converted answer."""
    attempts = Attempts(tools)
    while True:
        try:
            answer = yield Call(method, request, timeout_seconds)
        except CodesieveError as error:
            yield attempts.failed(error)
        else:
            attempts.answered()
            yield Emit(convert_answer(answer))
            return


def create_job(tools: Tools, request: job_pb2.CreateJobRequest) -> Flow[types.Job]:
    """Makes a job; one that is large is sent in pieces."""
    if request.ByteSize() <= uploads.UPLOAD_BEYOND_BYTES:
        yield from unary(tools, "JobService.CreateJob", request, convert.job)
        return
    uploads.check(request)
    upload = Upload(request)
    attempts = Attempts(tools)
    furthest = 0
    while True:
        try:
            answer = yield Call("JobService.UploadJob", upload, UPLOAD_TIMEOUT_SECONDS)
        except CodesieveError as error:
            if upload.taken > furthest:  # so often at most as there are pieces
                furthest = upload.taken
                attempts.moved()
            yield attempts.failed(error)
        else:
            attempts.answered()
            yield Emit(convert.job(answer))
            return


class Upload:
    """A job that is sent in pieces, from the first one in each attempt. `taken` is how many gRPC took in the last."""

    def __init__(self, request: job_pb2.CreateJobRequest) -> None:
        self._request = request
        self.taken = 0

    def open(self) -> Iterator[job_pb2.UploadJobRequest]:
        """The pieces of a new attempt."""
        self.taken = 0
        for piece in uploads.pieces(self._request):
            yield piece
            self.taken += 1


def watch(tools: Tools, name: str, after_sequence: int) -> Flow[types.Event]:
    """Every event of a job after a sequence number, each once, over as many streams as it takes."""
    attempts = Attempts(tools)
    seen = after_sequence
    while True:
        attempts.begin()
        try:
            stream = yield Open("JobService.WatchJob", job_pb2.WatchJobRequest(name=name, after_sequence=seen))
            while (wire := (yield Read(stream))) is not None:
                if wire.sequence <= seen:
                    continue
                if wire.sequence > seen + 1:
                    missing = f"events {seen + 1} to {wire.sequence - 1} of {name} are missing from the server's stream"
                    raise ServerError(missing, reason="EVENTS_MISSING")
                seen = wire.sequence
                attempts.answered()
                event = convert.event(wire)
                if event is not None:
                    yield Emit(event)
            return
        except CodesieveError as error:
            if seen > after_sequence:
                _check_still_there(error, name)
            yield attempts.broke(error)


def _check_still_there(error: CodesieveError, name: str) -> None:
    """Raises what it means that a job whose events were seen is not to be found, or has fewer of them."""
    if isinstance(error, NotFound):
        lost = "it was deleted, or the server has started anew without a store that outlives it"
        raise NotFound(f"{name} is no longer there: {lost}", reason="JOB_LOST") from error
    if error.reason == "SEQUENCE_OUT_OF_RANGE":
        lost = "the server has fewer events of it than it sent before; its store was lost or set back"
        raise ServerError(f"{name} is not what it was: {lost}", reason="EVENTS_LOST") from error


def judge(tools: Tools, ledger: Ledger) -> Flow[types.Judged]:
    """Every item's judgement, once, over as many streams as it takes; unanswered items are sent again."""
    attempts = Attempts(tools)
    while True:
        attempts.begin()
        try:
            stream = yield Open("JudgeService.Judge", ledger)
            while (wire := (yield Read(stream))) is not None:
                attempts.answered()
                if ledger.settle(wire.id):
                    yield Emit(convert.judged(wire))
        except CodesieveError as error:
            yield attempts.broke(error)
        else:
            ledger.check_complete()
            return


class Ledger:
    """Which items of a Judge call are unsent and which unanswered, over its streams.

    The drivers pull items from the caller's iterable and `add` them, and `take` what to send. A stream is known by its
    epoch: a feeder of a stream that has broken gets nothing more, whenever it wakes up. Safe to use from two threads,
    because grpc reads requests in one of its own.
    """

    def __init__(self, setup: judge_pb2.JudgeRequest) -> None:
        self.setup = setup
        self._lock = threading.Lock()
        self._epoch = 0
        self._unsent: collections.deque[types.JudgeItem] = collections.deque()
        self._unanswered: dict[str, types.JudgeItem] = {}
        self._used: set[str] = set()
        self._ended = False
        self._failure: Exception | None = None

    def open(self) -> int:
        """Begins a stream: all that is unanswered is to be sent on it. Returns its epoch."""
        with self._lock:
            self._epoch += 1
            self._unsent = collections.deque(self._unanswered.values())
            return self._epoch

    def take(self, epoch: int) -> judge_pb2.JudgeRequest | None:
        """The next item to send on a stream; None where there is none now, or the stream is over."""
        with self._lock:
            if epoch != self._epoch or not self._unsent:
                return None
            item = self._unsent.popleft()
        return convert.judge_item(item)

    def wants(self, epoch: int) -> bool:
        """Whether the feeder of this stream should go on: items are unsent, or the caller's iterable has more."""
        with self._lock:
            return epoch == self._epoch and (bool(self._unsent) or not self._ended)

    @property
    def unsent(self) -> int:
        """How many items wait to be sent."""
        with self._lock:
            return len(self._unsent)

    def add(self, item: types.JudgeItem) -> None:
        """Takes an item from the caller's iterable. Raises `InvalidRequest`."""
        wrong = requests.wrong_completion(item.completion)
        if wrong:
            raise requests.invalid([("item.completion", f"(id {item.id!r}) {wrong}")])
        if not item.id:
            raise requests.invalid([("item.id", "is empty")])
        with self._lock:
            if item.id in self._used:
                raise requests.invalid([("item.id", f"{item.id!r} is there twice")])
            self._used.add(item.id)
            self._unanswered[item.id] = item
            self._unsent.append(item)

    def end(self, failure: Exception | None = None) -> None:
        """The caller's iterable has no more, or raised `failure`, which the caller is to see in the end."""
        with self._lock:
            self._ended = True
            self._failure = failure

    def settle(self, item_id: str) -> bool:
        """Notes an answer; False where that item was answered before."""
        with self._lock:
            return self._unanswered.pop(item_id, None) is not None

    def check_complete(self) -> None:
        """Raises what the caller's iterable raised, or `ServerError` where items were left unanswered."""
        if self._failure is not None:
            raise self._failure
        if self._unanswered:
            left = f"the server ended the stream with {len(self._unanswered)} items unanswered"
            raise ServerError(left, reason="ITEMS_UNANSWERED")


class Collector:
    """Puts a job's events together to a `RunResult`."""

    def __init__(self) -> None:
        self._samples: dict[str, types.Sample] = {}
        self._unmade: dict[str, types.Unjudged] = {}
        self._job: types.Job | None = None

    def add(self, event: types.Event) -> None:
        """Takes the next event."""
        match event:
            case types.JobChanged(job=job):
                self._job = job
            case types.SampleGenerated(sample=sample):
                self._samples[sample.sample_id] = sample
            case types.SampleJudged(sample_id=sample_id, judgement=judgement):
                known = self._samples.get(sample_id)
                if known is not None:
                    self._samples[sample_id] = dataclasses.replace(known, judgement=judgement)
                elif judgement.unjudged is not None:
                    self._unmade[sample_id] = judgement.unjudged
                else:
                    what = f"the server judged sample {sample_id!r}, of which it had not told"
                    raise ServerError(what, reason="UNKNOWN_SAMPLE")

    def result(self) -> types.RunResult:
        """The result; raises `JobFailed` or `JobCancelled`, with it, where the job did not succeed."""
        job = self._job
        if job is None or not job.state.ended:
            raise ServerError("the server ended the job's events before the job", reason="EVENTS_MISSING")
        result = types.RunResult(job, tuple(self._samples.values()), tuple(self._unmade.items()))
        if job.state is types.JobState.CANCELLED:
            raise JobCancelled(f"{job.name} was cancelled", result, reason="CANCELLED")
        if job.state is types.JobState.FAILED:
            failure = job.failure or types.Failure("UNKNOWN", "the server gives no reason")
            raise JobFailed(f"{job.name} failed: {failure.message}", result, reason=failure.reason)
        return result
