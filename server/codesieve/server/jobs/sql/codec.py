"""How jobs, events and contents are kept: MessagePack behind one byte that says which form it has.

Every value is decoded as the one type that is expected in its place, so decoding runs nothing but constructors of plain
dataclasses. A field that was added since needs a default; what is there no longer is passed over; anything else is a new
form. Strings that UTF-8 can't hold (lone surrogates, in what programs wrote) make a value of the form `_ODD_TEXT`, all of
whose strings are their bytes, shown as Latin-1. It costs time, and is rare.

Contents are large, so they are cut into pieces, each compressed and readable by itself.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from codesieve.server.jobs.model import (
    Happening,
    Job,
    JobChanged,
    JobContents,
    Progress,
    SampleGenerated,
    SampleJudged,
)
from codesieve.workers.types import (
    AssertionTests,
    FunctionTests,
    Judgement,
    Problem,
    Sample,
    ScriptTests,
    StdioTests,
    Tests,
    WorkFailed,
)

T = TypeVar("T")

_PLAIN = b"\x01"
_ODD_TEXT = b"\x02"

PIECE_BYTES = 2**20
_COMPRESSION = 1

_FORMS: Mapping[str, type[Tests]] = {
    "FUNCTION": FunctionTests,
    "ASSERTIONS": AssertionTests,
    "STDIO": StdioTests,
    "SCRIPT": ScriptTests,
}
_NAMES = {form: name for name, form in _FORMS.items()}
_encoder = msgspec.msgpack.Encoder()


class Kind(enum.StrEnum):
    """What an event tells of, as its row says it."""

    CHANGED = "CHANGED"
    GENERATED = "GENERATED"
    JUDGED = "JUDGED"


def encode(value: Any) -> bytes:
    """A value of a dataclass."""
    try:
        return _PLAIN + _encoder.encode(value)
    except UnicodeEncodeError:
        return _ODD_TEXT + _encoder.encode(_with_text(value, _as_latin))


def decode(payload: bytes, type_: type[T]) -> T:
    """What `encode` made of a value of that type. Raises ValueError for anything else."""
    kind: Any = type_
    value: T = _decoder(kind).decode(memoryview(payload)[1:])
    form = payload[:1]
    if form == _PLAIN:
        return value
    if form == _ODD_TEXT:
        odd: T = _with_text(value, _from_latin)
        return odd
    raise ValueError(f"the store holds a value of the form {form!r}, which only a newer codesieve reads")


def columns_of(happening: Happening) -> dict[str, Any]:
    """A happening as its row: what can be asked for, and the rest as payload.

    A sample that was judged without a verdict has none here; its payload says why.
    """
    if isinstance(happening, SampleGenerated):
        return _columns(Kind.GENERATED, happening.sample.sample_id, None, happening.sample)
    if isinstance(happening, SampleJudged):
        outcome = happening.outcome
        verdict = outcome.verdict.value if isinstance(outcome, Judgement) else None
        return _columns(Kind.JUDGED, happening.sample_id, verdict, outcome)
    return _columns(Kind.CHANGED, None, None, happening.job)


def happening_of(kind: str, sample_id: str | None, verdict: str | None, payload: bytes) -> Happening:
    """What was kept."""
    if kind == Kind.CHANGED:
        return JobChanged(decode(payload, Job))
    if kind == Kind.GENERATED:
        return SampleGenerated(decode(payload, Sample))
    assert sample_id is not None
    return SampleJudged(sample_id, decode(payload, WorkFailed) if verdict is None else decode(payload, Judgement))


def _columns(kind: Kind, sample_id: str | None, verdict: str | None, value: object) -> dict[str, Any]:
    return {"kind": kind.value, "sample_id": sample_id, "verdict": verdict, "payload": encode(value)}


def encode_job(job: Job) -> bytes:
    """A snapshot without its progress, which is kept beside it."""
    return encode(dataclasses.replace(job, progress=Progress(0)))


def decode_job(snapshot: bytes, progress: bytes) -> Job:
    return dataclasses.replace(decode(snapshot, Job), progress=decode(progress, Progress))


@dataclasses.dataclass(frozen=True, slots=True)
class _KeptProblem:
    """A problem whose tests are of the form that is named: msgspec tells no two dataclasses apart."""

    form: str
    tests: bytes
    problem_id: str
    prompt: str
    entry_point: str
    canonical_solution: str | None = None


class Part(enum.StrEnum):
    """What a piece of contents holds."""

    PROBLEMS = "PROBLEMS"
    SAMPLES = "SAMPLES"


def pieces_of(contents: JobContents) -> list[tuple[Part, bytes]]:
    """The contents in their order. Takes time for large ones."""
    problems = (encode(_keep(problem)) for problem in contents.problems)
    pieces = [(Part.PROBLEMS, piece) for piece in _packed(problems)]
    if contents.recorded is not None:
        # One piece at least: there are recorded samples, if none.
        samples = list(_packed(encode(sample) for sample in contents.recorded)) or [_pack([])]
        pieces += [(Part.SAMPLES, piece) for piece in samples]
    return pieces


def contents_of(pieces: Iterable[tuple[str, bytes]]) -> JobContents:
    """What `pieces_of` cut up."""
    problems: list[Problem] = []
    recorded: list[Sample] | None = None
    for part, piece in pieces:
        kept = _decoder(list[bytes]).decode(zlib.decompress(piece))
        if part == Part.PROBLEMS:
            problems += [_unkeep(decode(one, _KeptProblem)) for one in kept]
        else:
            recorded = recorded or []
            recorded += [decode(one, Sample) for one in kept]
    return JobContents(tuple(problems), None if recorded is None else tuple(recorded))


def _keep(problem: Problem) -> _KeptProblem:
    return _KeptProblem(
        _NAMES[type(problem.tests)],
        encode(problem.tests),
        problem.problem_id,
        problem.prompt,
        problem.entry_point,
        problem.canonical_solution,
    )


def _unkeep(kept: _KeptProblem) -> Problem:
    tests: Tests = decode(kept.tests, _FORMS[kept.form])
    return Problem(kept.problem_id, kept.prompt, kept.entry_point, tests, kept.canonical_solution)


def _packed(values: Iterable[bytes]) -> Iterator[bytes]:
    """Values in pieces of about `PIECE_BYTES` before they are compressed; a larger one has a piece of its own."""
    held: list[bytes] = []
    size = 0
    for value in values:
        held.append(value)
        size += len(value)
        if size >= PIECE_BYTES:
            yield _pack(held)
            held, size = [], 0
    if held:
        yield _pack(held)


def _pack(values: list[bytes]) -> bytes:
    return zlib.compress(_encoder.encode(values), _COMPRESSION)


@functools.cache
def _decoder(type_: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(type_)


def _as_latin(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def _from_latin(text: str) -> str:
    return text.encode("latin-1").decode("utf-8", "surrogatepass")


def _with_text(value: Any, change: Callable[[str], str]) -> Any:
    """The value with every string in it changed, but for the names of enums."""
    if isinstance(value, enum.Enum):
        return value
    if isinstance(value, str):
        return change(value)
    if isinstance(value, tuple):
        return tuple(_with_text(one, change) for one in value)
    if isinstance(value, Mapping):
        return {_with_text(key, change): _with_text(one, change) for key, one in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return dataclasses.replace(
            value, **{field.name: _with_text(getattr(value, field.name), change) for field in fields}
        )
    return value
