"""How values are kept in a database: each comes back exactly, and nothing that was kept is ever run."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import pickle
import types
import typing
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.store_jobs import a_job

from codesieve.server.jobs.model import (
    Failure,
    Happening,
    Job,
    JobContents,
    SampleJudged,
)
from codesieve.server.jobs.sql import codec
from codesieve.server.jobs.sql.tables import ExactText, Moment
from codesieve.workers.types import (
    FinishReason,
    Integrity,
    Judgement,
    Limits,
    Problem,
    Sample,
    Verdict,
    WorkFailed,
)

# Any str: half of them of what UTF-8, PostgreSQL and our own escapes find hard.
TEXT = st.text(st.characters(), max_size=20) | st.text("\0\\u0d8\ud800\udfff\udc80é𝄞x", max_size=20)
DIRECT: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    bytes: st.binary(max_size=20),
    float: st.floats(allow_nan=False),
    int: st.integers(0, 2**63 - 1),
    bool: st.booleans(),
    type(None): st.none(),
    datetime.datetime: st.datetimes(timezones=st.just(datetime.UTC)).map(lambda time: time.replace(fold=0)),
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type of ours, made from its annotations: a field that is added is tested, too."""
    if kind in DIRECT:
        return DIRECT[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return st.one_of(*map(values, arguments))
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is Mapping:
        return st.dictionaries(*map(values, arguments), max_size=2)
    if issubclass(kind, enum.Enum):
        return st.sampled_from(kind)
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{field.name: values(hints[field.name]) for field in dataclasses.fields(kind)})


JOBS = values(Job)
HAPPENINGS = values(Happening)


@given(HAPPENINGS)
def test_what_happened_comes_back(happening: Happening) -> None:
    again = codec.happening_of(**codec.columns_of(happening))
    assert again == happening
    assert repr(again) == repr(happening)  # 1 is not 1.0, and an enum no str


@given(JOBS)
def test_a_job_comes_back(job: Job) -> None:
    assert codec.decode_job(codec.encode_job(job), codec.encode(job.progress)) == job


@given(st.lists(values(Problem), max_size=3), st.none() | st.lists(values(Sample), max_size=3))
def test_contents_come_back(problems: list[Problem], recorded: list[Sample] | None) -> None:
    contents = JobContents(tuple(problems), None if recorded is None else tuple(recorded))
    again = codec.contents_of(codec.pieces_of(contents))
    assert repr(again) == repr(contents)
    assert again == contents


@given(TEXT)
def test_any_text_is_kept_in_a_column_as_text_that_postgresql_takes(text: str) -> None:
    column = ExactText()
    kept = column.process_bind_param(text, None)  # type: ignore[arg-type]
    assert kept is not None
    assert "\0" not in kept
    kept.encode()
    assert column.process_result_value(kept, None) == text  # type: ignore[arg-type]


@given(TEXT, TEXT)
def test_two_texts_are_never_one_in_a_column(one: str, other: str) -> None:
    kept = [ExactText().process_bind_param(each, None) for each in (one, other)]  # type: ignore[arg-type]
    assert (kept[0] == kept[1]) == (one == other)


@given(st.integers(0, 4 * 10**15), st.integers(-23, 23))
def test_a_time_of_any_zone_is_kept_in_utc(microseconds: int, hours: int) -> None:
    zone = datetime.timezone(datetime.timedelta(hours=hours))
    since = datetime.datetime(1980, 1, 1, tzinfo=datetime.UTC)
    time = (since + datetime.timedelta(microseconds=microseconds)).astimezone(zone)
    kept = Moment().process_bind_param(time, None)  # type: ignore[arg-type]
    assert kept is not None
    assert kept.tzinfo is datetime.UTC
    assert Moment().process_result_value(kept.replace(tzinfo=None), None) == time  # type: ignore[arg-type]


def test_large_contents_are_in_several_pieces() -> None:
    recorded = tuple(Sample(f"s{i}", "p", None, i, bytes(100_000)) for i in range(100))
    pieces = codec.pieces_of(JobContents((), recorded))
    assert len(pieces) == 10
    assert codec.contents_of(pieces).recorded == recorded


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x01",
        b"\x01\xc1",
        pickle.dumps(Limits()),
        codec.encode(Limits()) + b"x",
        codec.encode(Failure("r", "m")).replace(b"message", b"massage"),
        b"\x03" + codec.encode(Failure("r", "m"))[1:],
    ],
)
def test_what_is_no_value_is_refused(payload: bytes) -> None:
    with pytest.raises((ValueError, msgspec.DecodeError)):
        codec.decode(payload, Failure)


def test_fields_may_be_added_later_and_go_away() -> None:
    sample = Sample("s", "p", 0.5, 1, b"c", 3, -1.5, FinishReason.STOP)
    kept = msgspec.msgpack.decode(codec.encode(sample)[1:])
    del kept["finish_reason"]  # as an earlier version, which didn't know it, would have kept it
    kept["gone"] = 1
    again = codec.decode(b"\x01" + msgspec.msgpack.encode(kept), Sample)
    assert again == dataclasses.replace(sample, finish_reason=None)


def test_a_job_that_was_kept_before_there_were_traces_has_none() -> None:
    job, _ = a_job("j")
    kept = msgspec.msgpack.decode(codec.encode_job(job)[1:])
    del kept["trace"]
    again = codec.decode_job(b"\x01" + msgspec.msgpack.encode(kept), codec.encode(job.progress))
    assert again == job
    assert again.trace == ""


def test_an_outage_has_no_verdict_in_its_row() -> None:
    judged = SampleJudged("s", Judgement("w", Verdict.PASSED, Integrity.SPLIT))
    assert codec.columns_of(judged)["verdict"] == "PASSED"
    assert codec.columns_of(SampleJudged("s", WorkFailed("w", "R", "m")))["verdict"] is None
