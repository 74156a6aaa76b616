"""A job that is too large for one message, cut into pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from codesieve.client import requests
from codesieve.v1 import job_pb2, types_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from google.protobuf.message import Message

MessageT = TypeVar("MessageT", bound="Message")

UPLOAD_BEYOND_BYTES = 4 * 2**20
"""A larger request is sent in pieces, so that a server reads it bit by bit."""
PIECE_BYTES = 2**19
MAX_UPLOAD_BYTES = 2**30
"""The largest job. The server counts what it takes in its memory, which is more."""


def check(request: job_pb2.CreateJobRequest) -> None:
    """Raises `InvalidRequest` for a job that can't be sent in pieces either."""
    taken, most = request.ByteSize(), MAX_UPLOAD_BYTES
    if taken > most:
        raise requests.invalid(
            [("job", f"is {requests.size(taken)}; at most {requests.size(most)} go through, send it in several jobs")]
        )
    for place, problem in enumerate(request.job.problems.inline.problems):
        size, most = (
            problem.ByteSize(),
            requests.MAX_MESSAGE_BYTES - 1024,
        )  # a piece is a little more than what it holds
        if size > most:
            too_large = f"is {requests.size(size)}; at most {requests.size(most)} is taken"
            raise requests.invalid([(f"job.problems.inline.problems[{place}]", too_large)])


def pieces(request: job_pb2.CreateJobRequest) -> Iterator[job_pb2.UploadJobRequest]:
    """The messages that come to the same as the request."""
    head = job_pb2.UploadJobRequest(create=request)
    if request.job.HasField("recorded"):
        head.create.job.recorded.ClearField("samples")
    if request.job.problems.HasField("inline"):
        head.create.job.problems.inline.ClearField("problems")
    yield head
    for problems in _batches(request.job.problems.inline.problems):
        yield job_pb2.UploadJobRequest(problems=types_pb2.ProblemList(problems=problems))
    for samples in _batches(request.job.recorded.samples):
        yield job_pb2.UploadJobRequest(samples=job_pb2.RecordedSamples(samples=samples))


def _batches(messages: Iterable[MessageT]) -> Iterator[Sequence[MessageT]]:
    batch: list[MessageT] = []
    taken = 0
    for message in messages:
        size = message.ByteSize()
        if batch and taken + size > PIECE_BYTES:
            yield batch
            batch, taken = [], 0
        batch.append(message)
        taken += size
    if batch:
        yield batch
