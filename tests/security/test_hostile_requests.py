"""Ten thousand hostile requests against a front end that is locked: mutual TLS, tokens, quotas, a real socket.

Each has to be refused with a status that its rpc documents and a message that can be read, and at the end nothing may be
left over: no task, no descriptor, no place, no byte counted, no job of another changed, and no word of a request in a log.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import hostile
import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import HealthCheck, Phase, given, settings
from locked_house import House

from codesieve.server.front import MAX_MESSAGE_BYTES, SERVICES
from codesieve.server.interceptors import MAX_LINE
from codesieve.v1 import job_pb2, judge_pb2
from codesieve.workers import logs

REQUESTS = int(os.environ.get("CODESIEVE_HOSTILE_REQUESTS", "10000"))

DOCUMENTED = hostile.documented()
OURS = tuple(f"/{service}/" for service in SERVICES)


class Listener(logging.Handler):
    """Keeps what all loggers say, as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logs.formatter(as_text=False))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextlib.contextmanager
def listening() -> Iterator[Listener]:
    root, listener = logging.getLogger(), Listener()
    level = root.level
    root.addHandler(listener)
    root.setLevel(logging.DEBUG)
    for quiet in ("asyncio", "grpc"):
        logging.getLogger(quiet).setLevel(logging.INFO)
    try:
        yield listener
    finally:
        root.setLevel(level)
        root.removeHandler(listener)


def send_to(house: House, request: hostile.Hostile) -> None:
    """Sends a hostile request and checks the answer."""
    house.answers[request.who] += 1
    try:
        answers = house.call(
            request.path, request.who, *request.messages, metadata=request.metadata, break_off=request.breaks_off
        )
    except grpc.RpcError as error:
        check_refusal(request, error)
    else:
        check_allowed(request)
        assert not any(b"secret of the victim" in answer for answer in answers)


def check_allowed(request: hostile.Hostile) -> None:
    """Only who may come in gets an answer, and only from rpcs that there are."""
    assert request.who not in hostile.WITHOUT_CONNECTION
    if request.path.startswith(OURS):
        assert request.who not in hostile.WITHOUT_TOKEN, request
        assert "OK" in DOCUMENTED[request.path]


def check_refusal(request: hostile.Hostile, error: Any) -> None:
    code, text = error.code().name, error.details() or ""
    what = f"{request}: {code} {text}"
    if request.who in hostile.WITHOUT_CONNECTION:
        assert code == "UNAVAILABLE", what
        return
    if code == "CANCELLED":
        assert request.breaks_off, what
        return
    if request.path not in DOCUMENTED:
        assert code in {"UNIMPLEMENTED", "NOT_FOUND", "INVALID_ARGUMENT"}, what
        return
    assert code in DOCUMENTED[request.path] - {"INTERNAL"}, what
    if request.who in hostile.WITHOUT_TOKEN:
        assert code == "UNAUTHENTICATED", what
    assert text, what
    assert text.isprintable(), what
    assert len(text.encode()) <= MAX_LINE, what
    assert "Traceback" not in text, what
    assert 'File "' not in text, what
    check_details(error, what)


def check_details(error: Any, what: str) -> None:
    raw = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    assert isinstance(raw, bytes)
    status = status_pb2.Status.FromString(raw)
    kinds = {one.type_url.rpartition(".")[2]: one for one in status.details}
    info = error_details_pb2.ErrorInfo()
    assert kinds["ErrorInfo"].Unpack(info), what
    assert info.domain == "codesieve", what
    assert info.reason.isupper(), what
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        assert "RetryInfo" in kinds, what
    if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
        assert "BadRequest" in kinds, what


def victims_job(house: House) -> list[bytes]:
    request = hostile.a_job()
    request.job_id = "of-the-victim"
    request.job.problems.inline.problems[0].prompt = b"# secret of the victim\ndef square(x):\n"
    house.call("/codesieve.v1.JobService/CreateJob", "victim", request.SerializeToString())
    return events_of(house, hostile.VICTIMS)


def events_of(house: House, name: str) -> list[bytes]:
    watched = job_pb2.WatchJobRequest(name=name)
    return house.call("/codesieve.v1.JobService/WatchJob", "victim", watched.SerializeToString())


def tasks(house: House) -> int:
    async def count() -> int:
        return len(asyncio.all_tasks()) - 1

    return house.run(count())


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def until_equal(what: str, of: Callable[[], int], expected: int) -> None:
    for _ in range(200):
        if of() == expected:
            return
        time.sleep(0.05)
    assert of() == expected, what


def remove_own_jobs(house: House) -> None:
    """A hostile request may be a right one in the end."""
    for who in ("attacker", "admin"):
        listed = job_pb2.ListJobsRequest(page_size=1000).SerializeToString()
        (raw,) = house.call("/codesieve.v1.JobService/ListJobs", who, listed)
        for job in job_pb2.ListJobsResponse.FromString(raw).jobs:
            named = job_pb2.CancelJobRequest(name=job.name).SerializeToString()
            house.call("/codesieve.v1.JobService/CancelJob", who, named)
            house.call("/codesieve.v1.JobService/DeleteJob", who, named)


def check_nothing_is_left(house: House, tasks_before: int, files_before: int) -> None:
    remove_own_jobs(house)
    until_equal("tasks", lambda: tasks(house), tasks_before)
    until_equal("descriptors", open_files, files_before)
    assert house.front.held() == dict.fromkeys(house.front.held(), 0)


def check_it_works(house: House) -> None:
    """As before, for everybody."""
    request = hostile.a_job()
    request.job_id = "another"
    house.call("/codesieve.v1.JobService/CreateJob", "victim", request.SerializeToString())
    events = events_of(house, "jobs/another")
    assert job_pb2.JobEvent.FromString(events[-1]).job.state == job_pb2.Job.SUCCEEDED
    pieces = [one.SerializeToString() for one in hostile.an_upload()]
    (raw,) = house.call("/codesieve.v1.JobService/UploadJob", "attacker", *pieces)
    assert job_pb2.Job.FromString(raw).name == "jobs/attackers-upload"
    stream = [one.SerializeToString() for one in hostile.a_stream(20)]
    answers = house.call("/codesieve.v1.JudgeService/Judge", "attacker", *stream)
    assert {judge_pb2.JudgeResponse.FromString(one).id for one in answers} == {str(i) for i in range(20)}


def check_the_log(heard: Listener) -> None:
    for line in heard.lines:
        assert "canary" not in line
        assert not any(f"token-{who}" in line for who in hostile.WHO)  # an id that a client draws may begin like it
        assert hostile.CANARY.encode().hex() not in line
        assert "\n" not in line
        if "PollerCompletionQueue" in line:
            continue  # gRPC has one poller for all loops of a process, and tells of those that earlier tests closed
        assert json.loads(line)["level"] not in ("error", "critical"), line


@pytest.fixture
def heard() -> Iterator[Listener]:
    with listening() as listener:
        yield listener


@pytest.fixture
def house(tmp_path: Path, heard: Listener) -> Iterator[House]:
    house = House(tmp_path)
    try:
        yield house
    finally:
        house.close()


def test_ten_thousand_hostile_requests(house: House, heard: Listener) -> None:
    @settings(
        max_examples=REQUESTS,
        derandomize=True,  # the same ones each time
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(hostile.hostile())
    def send(request: hostile.Hostile) -> None:
        send_to(house, request)

    events = victims_job(house)
    house.call("/codesieve.v1.JobService/CreateJob", "attacker", hostile.a_job().SerializeToString())
    for who in hostile.WHO:
        send_to(house, hostile.Hostile("/codesieve.v1.JobService/ListJobs", who, (b"",), (), breaks_off=False))
    tasks_before, files_before = tasks(house), open_files()
    send()
    assert all(house.answers.values()), house.answers
    assert events_of(house, hostile.VICTIMS) == events
    check_nothing_is_left(house, tasks_before, files_before)
    check_it_works(house)
    check_the_log(heard)


def refused(house: House, path: str, who: str, *messages: bytes) -> Any:
    with pytest.raises(grpc.RpcError) as caught:
        house.call(f"/codesieve.v1.{path}", who, *messages)
    return caught.value


def test_messages_that_are_too_large(house: House, heard: Listener) -> None:
    events = victims_job(house)
    files_before = open_files()
    large = bytes(MAX_MESSAGE_BYTES + 1)
    for method in hostile.METHODS:
        if method.containing_service.full_name in SERVICES:
            who = "admin" if method.containing_service.name in hostile.OF_ADMINS else "attacker"
            error = refused(house, f"{method.containing_service.name}/{method.name}", who, large)
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "larger than max" in error.details()
            if not method.client_streaming:  # of who has no token nothing is read
                error = refused(house, f"{method.containing_service.name}/{method.name}", "unknown", large)
                assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    # One that is large and right but for a field, and one whose fields are all wrong.
    request = hostile.a_job()
    request.job.recorded.samples[0].completion = bytes(60 * 2**20)
    error = refused(house, "JobService/CreateJob", "attacker", request.SerializeToString())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "job.recorded.samples[0].completion: is 62914560 bytes; at most 1048576 are taken"
    request = hostile.a_job()
    for _ in range(20_000):
        request.job.recorded.samples.add(problem_id="\u2603" * 100, cumulative_logprob=float("nan"), token_count=-1)
    error = refused(house, "JobService/CreateJob", "attacker", request.SerializeToString())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    check_details(error, "many fields at fault")
    until_equal("descriptors", open_files, files_before)
    assert house.front.held() == dict.fromkeys(house.front.held(), 0)
    assert events_of(house, hostile.VICTIMS) == events
    check_it_works(house)
    check_the_log(heard)


def test_the_jobs_of_another_are_not_there(house: House) -> None:
    events = victims_job(house)
    named = job_pb2.GetJobRequest(name=hostile.VICTIMS).SerializeToString()  # the field is the same in all of them
    for who in ("attacker", "reader", "admin"):
        for method in ("GetJob", "WatchJob", "CancelJob", "DeleteJob", "RejudgeJob"):
            error = refused(house, f"JobService/{method}", who, named)
            if who == "reader" and method not in ("GetJob", "WatchJob"):
                assert error.code() is grpc.StatusCode.PERMISSION_DENIED
                assert error.details() == f"{method} needs a token with the scope submit"
                continue
            assert error.code() is grpc.StatusCode.NOT_FOUND
            # In the same words as for one that nobody has.
            none = job_pb2.GetJobRequest(name="jobs/of-nobody").SerializeToString()
            said = refused(house, f"JobService/{method}", who, none).details()
            assert error.details() == said.replace("of-nobody", "of-the-victim")
    token = base64.urlsafe_b64encode(b"of-the-victim").decode()
    listed = job_pb2.ListJobsRequest(page_token=token).SerializeToString()
    assert refused(house, "JobService/ListJobs", "attacker", listed).code() is grpc.StatusCode.INVALID_ARGUMENT
    # Its id is free for others, and theirs is not the victim's.
    own = hostile.a_job()
    own.job_id = "of-the-victim"
    house.call("/codesieve.v1.JobService/CreateJob", "attacker", own.SerializeToString())
    (raw,) = house.call("/codesieve.v1.JobService/ListJobs", "attacker", b"")
    assert [job.name for job in job_pb2.ListJobsResponse.FromString(raw).jobs] == [hostile.VICTIMS]
    house.call("/codesieve.v1.JobService/CancelJob", "attacker", named)
    house.call("/codesieve.v1.JobService/DeleteJob", "attacker", named)
    assert events_of(house, hostile.VICTIMS) == events


def test_no_log_holds_what_clients_send(house: House, heard: Listener) -> None:
    """Every field of every request, right and wrong; each refused call leaves one line for the audit, and no more."""
    sent = 0
    for method in hostile.METHODS:
        for who in ("attacker", "admin", "unknown"):
            for messages in hostile.filled_with_canaries(method):
                sent += 1
                with contextlib.suppress(grpc.RpcError):
                    house.call(hostile.path_of(method), who, *messages, metadata=(("x-request-id", "a canary"),))
    assert sent > 100
    check_the_log(heard)
    found = [one for one in map(json.loads, heard.lines) if one["logger"] == "codesieve.audit"]
    assert len(found) > 50
    for one in found:
        about = {"peer", "caller", "rpc", "code", "reason", "request_id"}
        assert set(one) == {"time", "level", "logger", "event"} | about
        assert one["peer"].startswith(("ipv4:127.0.0.1", "ipv6:"))
    assert {one["caller"] for one in found} == {"attacker", "operator", None}
    assert {"INVALID_ARGUMENT", "UNAUTHENTICATED", "PERMISSION_DENIED"} <= {one["code"] for one in found}
