"""How a job's samples and verdicts came about, as far as the front end and its workers tell.

It is told anew wherever the job goes on, and kept with the job: what its last run had, and what an earlier one had where
that was another. Empty where nobody tells. A sample itself says the version of the weights that made it.

The digest of problems is one that clients compute as well, from a file; ``provenance.proto`` says how.
"""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from collections.abc import Iterator, Sequence

from codesieve.workers.origin import Setting
from codesieve.workers.types import (
    AssertionTests,
    FunctionTests,
    Problem,
    ScriptTests,
    StdioTests,
)

MAX_CHANGES = 32
WEIGHTS_DIGEST = "engine.weights_digest"
OLDER = "one that tells no provenance"


@dataclasses.dataclass(frozen=True, slots=True)
class Engine:
    """What made the samples."""

    kind: str = ""
    version: str = ""
    source: str = ""
    """Where the model was loaded from, without a password."""
    weights_version: str = ""
    weights_digest: str = ""
    """Of the checkpoint that these weights were loaded from; see ``provenance.proto``."""
    settings: tuple[Setting, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Cells:
    """What made the verdicts. See `CellOrigin`."""

    backend: str = ""
    judge_version: str = ""
    image: str = ""
    image_digest: str = ""
    python_version: str = ""
    runtime: str = ""
    isolation: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """What an earlier run of the job had, where the last one had another."""

    field: str
    """As `flat` names it."""
    earlier: str


@dataclasses.dataclass(frozen=True, slots=True)
class Provenance:
    """Of one job."""

    codesieve_version: str = ""
    """The front end's."""
    problems_digest: str = ""
    engine: Engine | None = None
    """None where the samples were recorded."""
    cells: Cells = Cells()
    changes: tuple[Change, ...] = ()


def merged(earlier: Provenance | None, now: Provenance) -> Provenance:
    """What is kept of a job that goes on, where `earlier` was kept of it.

    The digest of the weights may come late. That none was known is no difference, and that it wasn't known for a while and
    then is what it was neither.
    """
    if earlier is None:
        return dataclasses.replace(now, changes=(Change("codesieve_version", OLDER),))
    was, changes = flat(earlier), list(earlier.changes)
    has = flat(now)
    for name in dict.fromkeys((*was, *has)):
        change = Change(name, was.get(name, ""))
        if change.earlier != has.get(name, "") and change not in changes:
            changes.append(change)
    nothing = [Change(WEIGHTS_DIGEST, each) for each in ("", has.get(WEIGHTS_DIGEST, ""))]
    changes = [change for change in changes if change not in nothing]
    return dataclasses.replace(now, changes=tuple(changes[:MAX_CHANGES]))


def flat(told: Provenance) -> dict[str, str]:
    """All that is told by name: "engine.settings.dtype"."""
    found = {"codesieve_version": told.codesieve_version, "problems_digest": told.problems_digest}
    for part, value in (("engine", told.engine), ("cells", told.cells)):
        if value is not None:
            names = [field.name for field in dataclasses.fields(value) if field.name != "settings"]
            found |= {f"{part}.{name}": getattr(value, name) for name in names}
    if told.engine is not None:
        found |= {f"engine.settings.{each.name}": each.value for each in told.engine.settings}
    return found


def problems_digest(problems: Sequence[Problem]) -> str:
    """See `Provenance.problems_digest` in ``provenance.proto``. Takes time for large ones."""
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
