"""How a job's samples and verdicts came about, as its server tells: enough to know whether another run had the same.

Every value is text, empty where nobody tells. The digest of problems can be computed here as well, of a file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from typing import TYPE_CHECKING

from codesieve.client.problems import AssertionTests, FunctionTests, Problem, ScriptTests, StdioTests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclasses.dataclass(frozen=True, slots=True)
class EngineProvenance:
    """What made the samples. Where a model has several workers that differ, all values with commas."""

    kind: str
    version: str
    source: str
    weights_version: str
    """Of the weights there were when the job was last begun or ended; each sample says its own."""
    weights_digest: str
    """Of the files of the checkpoint that these were loaded from; empty where they came from a trainer, or nobody knows."""
    settings: Mapping[str, str]
    """In the engine's own words and order."""


@dataclasses.dataclass(frozen=True, slots=True)
class CellsProvenance:
    """What made the verdicts."""

    backend: str
    judge_version: str
    """A digest over the judge's sources: another one may decide otherwise."""
    image: str
    """The one that was named, or "this machine's own Python"."""
    image_digest: str
    python_version: str
    """In the cell."""
    runtime: str
    isolation: str


@dataclasses.dataclass(frozen=True, slots=True)
class Provenance:
    """Of a job: what its last run had."""

    codesieve_version: str
    """The server's."""
    problems_digest: str
    """See `problems_digest`."""
    engine: EngineProvenance | None
    """None where the samples were recorded."""
    cells: CellsProvenance | None
    changes: tuple[tuple[str, str], ...] = ()
    """What earlier runs had, where they had another: the field ("cells.judge_version"), and its value then."""


def problems_digest(problems: Iterable[Problem]) -> str:
    """SHA-256, in hexadecimal, over problems in their order, as ``provenance.proto`` has it: the server's is the same."""
    digest = hashlib.sha256()
    for problem in problems:
        parts = tuple(_parts(problem))
        digest.update(struct.pack(">Q", len(parts)))
        for part in parts:
            data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
            digest.update(struct.pack(">Q", len(data)) + data)
    return digest.hexdigest()


def _parts(problem: Problem) -> Iterator[str | bytes]:
    yield from (problem.problem_id, problem.prompt)
    match problem.tests:
        case FunctionTests() as one:
            yield from ("check_function", problem.entry_point, one.check_function)
        case AssertionTests() as listed:
            yield from ("assertions", listed.setup, *listed.assertions)
        case StdioTests() as stdio:
            yield from ("stdio", stdio.comparison.value, struct.pack(">d", stdio.tolerance), stdio.checker)
            for case in stdio.cases:
                yield from (case.stdin, case.stdout)
        case ScriptTests() as file:
            yield from ("script", file.framework.value, file.module, file.script)
