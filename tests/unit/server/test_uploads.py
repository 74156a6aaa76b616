"""Jobs that come in pieces: they are the jobs that one message would have made, and they take no more than their room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from codesieve.server.convert import requests
from codesieve.server.errors import InvalidRequest, Overloaded, TooSlow
from codesieve.server.jobs.model import request_digest
from codesieve.server.models import ModelRegistry
from codesieve.server.uploads import OBJECT_BYTES, Uploads
from codesieve.v1 import job_pb2, types_pb2

NO_MODELS = ModelRegistry(lambda name, source: pytest.fail("no pool is made here"))


def a_job(problems: int, samples: int) -> job_pb2.CreateJobRequest:
    request = job_pb2.CreateJobRequest(job_id="j")
    request.job.k.append(1)
    for number in range(problems):
        request.job.problems.inline.problems.add(problem_id=f"p/{number}", entry_point="f", check_function=b"check")
    for number in range(samples):
        request.job.recorded.samples.add(
            problem_id=f"p/{number % problems}", completion=b"%d" % number, temperature=0.2 * (number % 2)
        )
    return request


def in_pieces(request: job_pb2.CreateJobRequest, size: int, first: int = 0) -> list[job_pb2.UploadJobRequest]:
    """The same job; `first` of the problems come with the first message."""
    job = request.job
    head = job_pb2.UploadJobRequest(create=request)
    del head.create.job.problems.inline.problems[first:]
    del head.create.job.recorded.samples[:]
    problems, samples = job.problems.inline.problems[first:], job.recorded.samples
    return [
        head,
        *(
            job_pb2.UploadJobRequest(problems=types_pb2.ProblemList(problems=problems[at : at + size]))
            for at in range(0, len(problems), size)
        ),
        *(
            job_pb2.UploadJobRequest(samples=job_pb2.RecordedSamples(samples=samples[at : at + size]))
            for at in range(0, len(samples), size)
        ),
    ]


def read(pieces: list[job_pb2.UploadJobRequest]) -> bytes:
    reader = requests.JobReader(requests.upload_start(pieces[0]))
    for piece in pieces[1:]:
        reader.add(piece)
    job_id, spec, contents = reader.result(NO_MODELS)
    assert job_id == "j"
    return request_digest(spec, contents)


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize("first", [0, 2])
def test_a_job_in_pieces_is_the_job_in_one(size: int, first: int) -> None:
    request = a_job(4, 11)
    _, spec, contents = requests.create_job(request, NO_MODELS)
    assert read(in_pieces(request, size, first)) == request_digest(spec, contents)


def test_what_is_wrong_is_named_as_in_one_message() -> None:
    request = a_job(4, 11)
    request.job.k.append(99)
    request.job.problems.inline.problems[3].entry_point = "no name"
    request.job.problems.inline.problems[2].problem_id = "p/0"
    request.job.recorded.samples[7].completion = b"x" * (2**20 + 1)
    request.job.recorded.samples[10].temperature = -1
    with pytest.raises(InvalidRequest) as whole:
        requests.create_job(request, NO_MODELS)
    with pytest.raises(InvalidRequest) as pieces:
        read(in_pieces(request, 2))
    assert pieces.value.violations == whole.value.violations
    fields = {each.field for each in pieces.value.violations}
    assert {"job.problems.inline.problems[3].entry_point", "job.recorded.samples[7].completion"} <= fields


def test_an_upload_without_contents_is_refused_as_one_message_is() -> None:
    head = in_pieces(a_job(1, 1), 1)[0]
    head.create.job.recorded.SetInParent()
    with pytest.raises(InvalidRequest) as raised:
        read([head])
    assert {each.field for each in raised.value.violations} == {
        "job.problems.inline.problems",
        "job.recorded.samples",
    }


def test_pieces_out_of_order_are_refused() -> None:
    head, problem, sample = in_pieces(a_job(1, 1), 1)
    generated = job_pb2.UploadJobRequest()
    generated.create.job.problems.dataset = "humaneval"
    generated.create.job.generation.SetInParent()
    for pieces, field in (
        ([problem], "create"),
        ([head, sample, problem], "problems"),
        ([head, problem, head], "create"),
        ([head, job_pb2.UploadJobRequest()], "piece"),
        ([generated, problem], "problems"),
        ([generated, sample], "samples"),
    ):
        with pytest.raises(InvalidRequest) as raised:
            read(pieces)
        assert [each.field for each in raised.value.violations] == [field]


def test_an_upload_has_its_bound_and_all_of_them_have_theirs() -> None:
    uploads = Uploads(each=10 * OBJECT_BYTES, together=15 * OBJECT_BYTES)
    with uploads.begin("") as one, uploads.begin("") as other:
        one.take(0, 9)
        one.take(OBJECT_BYTES, 0)
        with pytest.raises(InvalidRequest, match="job: is too large"):
            one.take(1, 0)
        other.take(0, 5)
        with pytest.raises(Overloaded) as raised:
            other.take(1, 0)
        assert raised.value.retry_after_seconds
    with uploads.begin("") as third:
        third.take(0, 10)  # what they took was given back
    assert uploads.taken == 0


def test_one_caller_takes_at_most_half_of_what_all_may() -> None:
    uploads = Uploads(each=10 * OBJECT_BYTES, together=16 * OBJECT_BYTES)
    with uploads.begin("greedy") as one, uploads.begin("greedy") as two, uploads.begin("another") as other:
        one.take(0, 6)
        with pytest.raises(Overloaded):
            two.take(0, 3)
        other.take(0, 8)
        two.take(0, 2)
    with uploads.begin("greedy") as again:
        again.take(0, 8)
    assert uploads.taken == 0


async def test_a_client_that_falls_silent_loses_its_place() -> None:
    async def silent() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    uploads = Uploads(piece_seconds=0.05)
    seen = []
    with pytest.raises(TooSlow, match="no piece of the job came"):  # noqa: PT012
        async for piece in uploads.pieces(silent()):
            seen.append(piece)  # noqa: PERF401
    assert seen == [1]


async def test_a_client_that_trickles_loses_its_place() -> None:
    async def trickling() -> AsyncIterator[int]:
        while True:
            await asyncio.sleep(0.01)
            yield 1

    uploads = Uploads(upload_seconds=0.1)
    with pytest.raises(TooSlow):
        async for _ in uploads.pieces(trickling()):
            pass
