"""Hostile requests: hypothesis strategies over the wire's own descriptors, and what each rpc says that it may end with.

A request is what goes over the wire: a method, metadata, and messages as bytes. They are random messages of the right kind,
right ones that something random was merged into, damaged ones and random bytes.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from hypothesis import strategies as st

from codesieve.v1 import job_pb2, judge_pb2, model_pb2, server_pb2

CANARY = "canary, which no log may hold \N{BIRD}"
VICTIMS = "jobs/of-the-victim"
PROTO = Path(__file__).parents[2] / "proto/codesieve/v1"

_FILES = (job_pb2, judge_pb2, model_pb2, server_pb2, health_pb2, reflection_pb2)
METHODS: tuple[MethodDescriptor, ...] = tuple(
    method for file in _FILES for service in file.DESCRIPTOR.services_by_name.values() for method in service.methods
)
WHO = (
    "attacker",  # all scopes but admin
    "admin",
    "reader",
    "expired",
    "unknown",
    "nobody",
    "garbled",
    "expired certificate",
    "other authority",
    "no certificate",
    "plain text",
)
OF_ADMINS = ("ModelService", "ServerService")
WITHOUT_CONNECTION = frozenset({"expired certificate", "other authority", "no certificate", "plain text"})
WITHOUT_TOKEN = frozenset({"expired", "unknown", "nobody", "garbled"})


@dataclasses.dataclass(frozen=True, slots=True)
class Hostile:
    """One request."""

    path: str
    who: str
    messages: tuple[bytes, ...]
    metadata: tuple[tuple[str, str], ...]
    breaks_off: bool


def documented() -> Mapping[str, frozenset[str]]:
    """The status codes that the protos' comments give, by the methods' paths."""
    codes: dict[str, frozenset[str]] = {}
    for file in sorted(PROTO.glob("*.proto")):
        head, _, body = file.read_text().partition("syntax =")
        all_of_file = set(re.findall(r"^// ([A-Z_]+) ", head, re.MULTILINE)) & set(grpc.StatusCode.__members__)
        service, found = "", set[str]()
        for line in body.splitlines():
            if match := re.match(r"service (\w+)", line):
                service = match[1]
            elif (match := re.match(r"  // ([A-Z_]+) +\S", line)) and match[1] in grpc.StatusCode.__members__:
                found.add(match[1])
            elif match := re.match(r"  rpc (\w+)", line):
                codes[f"/codesieve.v1.{service}/{match[1]}"] = frozenset(found | all_of_file)
            elif not line.strip():
                found = set()
    return codes


def path_of(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


# --- values ---

_NAMES = (
    VICTIMS,
    "jobs/attackers-own",
    "jobs/",
    "jobs/../of-the-victim",
    "jobs/of-the-victim\x00",
    "models/none",
    "humaneval",
    "square",
    "../../etc/passwd",
    "b2YtdGhlLXZpY3RpbQ==",  # a page token that names the victim's job
    "A" * 5000,
    "\u202e\ufffe\x00\n\r\t",
    CANARY,
)
_WHOLE = (0, 1, -1, 2, 50, 2**31 - 1, -(2**31))
_WIDE = (*_WHOLE, 2**63 - 1, -(2**63), 315_576_000_001)
_REAL = (0.0, 1.0, -1.0, 0.2, 1e308, -1e308, float("nan"), float("inf"), float("-inf"), 5e-324)

_TEXT = st.sampled_from(_NAMES) | st.text(max_size=20)
_BYTES = st.sampled_from(
    (b"", b"\x00", b"\xed\xa0\x80", b"{}", b"[" * 50_000, b'{"a":' * 20_000, CANARY.encode(), b"    return x * x\n")
) | st.binary(max_size=40)


def _value(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    kinds = FieldDescriptor
    if field.type == kinds.TYPE_ENUM:
        return st.integers(-2, 12)
    if field.cpp_type in (kinds.CPPTYPE_INT32, kinds.CPPTYPE_UINT32):
        return st.sampled_from(_WHOLE)
    if field.cpp_type in (kinds.CPPTYPE_INT64, kinds.CPPTYPE_UINT64):
        return st.sampled_from(_WIDE)
    if field.cpp_type in (kinds.CPPTYPE_DOUBLE, kinds.CPPTYPE_FLOAT):
        return st.sampled_from(_REAL)
    if field.cpp_type == kinds.CPPTYPE_BOOL:
        return st.booleans()
    return _BYTES if field.type == kinds.TYPE_BYTES else _TEXT


@st.composite
def messages(draw: st.DrawFn, kind: Descriptor, depth: int = 5) -> Message:
    """Any message of a kind: some of its fields, set to odd values."""
    message: Message = message_factory.GetMessageClass(kind)()
    usable = [field for field in kind.fields if depth or field.message_type is None]
    usable = [field for field in usable if not (field.message_type and field.message_type.GetOptions().map_entry)]
    for field in draw(st.lists(st.sampled_from(usable), max_size=4, unique_by=lambda one: one.name)) if usable else ():
        _set(draw, message, field, depth)
    return message


def _set(draw: st.DrawFn, message: Message, field: Any, depth: int) -> None:
    is_repeated = hasattr(getattr(message, field.name), "extend")
    if field.message_type is not None:
        there = getattr(message, field.name)
        for _ in range(draw(st.integers(0, 2)) if is_repeated else 1):
            (there.add() if is_repeated else there).CopyFrom(draw(messages(field.message_type, depth - 1)))
        if not is_repeated:
            there.SetInParent()
        return
    if is_repeated:
        values = draw(st.lists(_value(field), max_size=3)) * draw(st.sampled_from((1, 1, 1, 200)))
        getattr(message, field.name).extend(values)
        return
    value = draw(_value(field))
    try:
        setattr(message, field.name, value)
    except ValueError:  # out of an unsigned field's range
        setattr(message, field.name, 0)


def a_job() -> job_pb2.CreateJobRequest:
    """A job as it should be: three recorded samples of one problem."""
    request = job_pb2.CreateJobRequest(job_id="attackers-own")
    problem = request.job.problems.inline.problems.add(problem_id="square", prompt=b"def square(x):\n")
    problem.entry_point, problem.check_function = "square", b"def check(f):\n    assert f(2) == 4\n"
    for completion in (b"    return x * x\n", b"    return x\n", b"    return (\n"):
        request.job.recorded.samples.add(problem_id="square", completion=completion)
    return request


def an_upload() -> list[job_pb2.UploadJobRequest]:
    """The same job in pieces."""
    job = a_job()
    begin = job_pb2.UploadJobRequest()
    begin.create.job_id = "attackers-upload"
    begin.create.job.problems.inline.SetInParent()
    begin.create.job.recorded.SetInParent()
    pieces = [begin, job_pb2.UploadJobRequest(problems=job.job.problems.inline)]
    return [*pieces, job_pb2.UploadJobRequest(samples=job.job.recorded)]


def a_stream(items: int = 2) -> list[judge_pb2.JudgeRequest]:
    """A Judge stream as it should be."""
    setup = judge_pb2.JudgeRequest()
    setup.setup.problems.CopyFrom(a_job().job.problems)
    stream = [setup]
    for i in range(items):
        item = judge_pb2.JudgeItem(id=str(i), problem_id="square", completion=b"    return x * x\n")
        stream.append(judge_pb2.JudgeRequest(item=item))
    return stream


_OF_WEIGHTS: Mapping[str, Mapping[str, str]] = {
    "LoadWeights": {"directory": "/none", "weights_version": "step-1"},
    "LoadAdapter": {"adapter": "a", "directory": "/none"},
    "UnloadAdapter": {"adapter": "a"},
}
"""What requests about a model's weights hold beside its name."""


def right(method: MethodDescriptor) -> Sequence[Message]:
    """What a well-behaved client could send."""
    kind = message_factory.GetMessageClass(method.input_type)
    if method.name == "CreateJob":
        return [a_job()]
    if method.name == "UploadJob":
        return an_upload()
    if method.name == "Judge":
        return a_stream()
    if method.name == "RejudgeJob":
        return [job_pb2.RejudgeJobRequest(name="jobs/attackers-own", job_id="again")]
    if method.name == "LoadModel":
        return [model_pb2.LoadModelRequest(source="replay:/none/samples.jsonl")]
    if method.input_type.name == "WeightTransferRequest":
        return [model_pb2.WeightTransferRequest(name="models/replay-samples", options_json=b"{}")]
    if method.full_name.startswith("codesieve.v1.ModelService.") and method.name != "ListModels":
        return [kind(name="models/replay-samples", **_OF_WEIGHTS.get(method.name, {}))]
    if method.name == "GetServer":
        return [server_pb2.GetServerRequest(name="server")]
    fields = {field.name for field in method.input_type.fields}
    return [kind(name="jobs/attackers-own") if "name" in fields else kind()]


def filled_with_canaries(method: MethodDescriptor) -> Iterator[tuple[bytes, ...]]:
    """Requests whose texts are all canaries, one for each alternative of a oneof; and right ones with one such text each."""
    for choice in range(4):
        message = message_factory.GetMessageClass(method.input_type)()
        _fill(message, choice)
        yield (message.SerializeToString(),)
        yield (*(one.SerializeToString() for one in right(method)), message.SerializeToString())
    for position in range(12):
        sent = [type(one).FromString(one.SerializeToString()) for one in right(method)]
        texts = [place for one in sent for place in _texts(one)]
        if position >= len(texts):
            return
        holder, field = texts[position]
        setattr(holder, field.name, CANARY if field.type == FieldDescriptor.TYPE_STRING else CANARY.encode())
        yield tuple(one.SerializeToString() for one in sent)


def _fill(message: Any, choice: int, depth: int = 5) -> None:
    left_out = {
        field.name
        for oneof in message.DESCRIPTOR.oneofs
        for i, field in enumerate(oneof.fields)
        if i != choice % len(oneof.fields)
    }
    for field in message.DESCRIPTOR.fields:
        if field.name in left_out or (field.message_type and field.message_type.GetOptions().map_entry):
            continue
        there = getattr(message, field.name)
        is_repeated = hasattr(there, "extend")
        if field.message_type is not None:
            if depth:
                _fill(there.add() if is_repeated else there, choice, depth - 1)
        elif field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
            value = CANARY if field.type == FieldDescriptor.TYPE_STRING else CANARY.encode()
            if is_repeated:
                there.append(value)
            else:
                setattr(message, field.name, value)


def _texts(message: Message) -> Iterator[tuple[Message, Any]]:
    """The single strings and bytes that are set in a message, and where."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in (value,) if isinstance(value, Message) else value:
                yield from _texts(each)
        elif isinstance(value, str | bytes):
            yield message, field


_WAYS = ("random", "merged", "nudged", "nudged", "nudged", "right", "damaged", "garbage", "several", "none")


def _nudge(draw: st.DrawFn, message: Message) -> None:
    """Sets one field, somewhere in a message, to an odd value."""
    below = [value for field, value in message.ListFields() if field.message_type is not None]
    deeper = draw(st.integers(0, 3)) > 0
    if below and deeper:
        chosen = draw(st.sampled_from(below))
        if isinstance(chosen, Message):
            _nudge(draw, chosen)
        else:
            _nudge(draw, chosen[draw(st.integers(0, len(chosen) - 1))])
        return
    usable = [
        one for one in message.DESCRIPTOR.fields if not one.message_type or not one.message_type.GetOptions().map_entry
    ]
    if usable:
        _set(draw, message, draw(st.sampled_from(usable)), depth=2)


@st.composite
def _sent(draw: st.DrawFn, method: MethodDescriptor) -> tuple[bytes, ...]:
    way = draw(st.sampled_from(_WAYS))
    if way == "none":
        return ()
    if way == "garbage":
        return tuple(draw(st.lists(st.binary(max_size=60), min_size=1, max_size=3)))
    if way == "random":
        return (draw(messages(method.input_type)).SerializeToString(),)
    if way == "several":
        some = [one.SerializeToString() for one in right(method)]
        some += [draw(messages(method.input_type)).SerializeToString() for _ in range(draw(st.integers(1, 2)))]
        return tuple(draw(st.permutations(some)))
    sent = [type(one).FromString(one.SerializeToString()) for one in right(method)]
    if way == "right":
        return tuple(one.SerializeToString() for one in sent)
    if way == "nudged":
        _nudge(draw, draw(st.sampled_from(sent)))
        return tuple(one.SerializeToString() for one in sent)
    if way == "merged":
        sent[draw(st.integers(0, len(sent) - 1))].MergeFrom(draw(messages(method.input_type)))
        return tuple(one.SerializeToString() for one in sent)
    raw = [bytearray(one.SerializeToString()) for one in sent]
    for one in raw:
        if one:
            at = draw(st.integers(0, len(one) - 1))
            one[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4) | st.just(b"\xed\xa0\x80"))
    return tuple(bytes(one) for one in raw)


@st.composite
def hostile(draw: st.DrawFn) -> Hostile:
    """One hostile request."""
    method = draw(st.sampled_from(METHODS))
    path = path_of(method)
    if draw(st.integers(0, 40)) == 0:
        path = draw(st.sampled_from(("/codesieve.v1.JobService/None", "/none/None", "/", "/codesieve.v1.JobService/")))
    ours = "admin" if method.containing_service.name in OF_ADMINS else "attacker"
    who = draw(st.sampled_from((*(ours,) * 14, *WHO)))  # more than half get past the door
    request_id = draw(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30))
    metadata = [("x-request-id", request_id.strip())] if request_id.strip() else []
    return Hostile(path, who, draw(_sent(method)), tuple(metadata), draw(st.integers(0, 15)) == 0)
