"""The problems that clients send: where they come from, and their four forms of tests."""

from __future__ import annotations

import math
from collections.abc import Sequence

from codesieve.server import datasets
from codesieve.server.convert.fields import Violations, bounded, identifier, text
from codesieve.server.errors import PreconditionFailed
from codesieve.v1 import types_pb2
from codesieve.workers.types import (
    AssertionTests,
    Comparison,
    Framework,
    FunctionTests,
    Problem,
    ScriptTests,
    StdioCase,
    StdioTests,
    Tests,
)

MAX_PROBLEMS = 100_000
MAX_TESTS = 10_000
"""Assertions or cases of one problem."""

_COMPARISONS = {types_pb2.StdioTests.COMPARISON_UNSPECIFIED: Comparison.TOKENS} | {
    types_pb2.StdioTests.Comparison.Value(each.value): each for each in Comparison
}
_FRAMEWORKS = {types_pb2.ScriptTests.FRAMEWORK_UNSPECIFIED: Framework.PYTEST} | {
    types_pb2.ScriptTests.Framework.Value(each.value): each for each in Framework
}


def problem_source(source: types_pb2.ProblemSource, path: str, found: Violations) -> tuple[Problem, ...]:
    """The problems a request is about."""
    reader = ProblemReader(source, path, found)
    return reader.all()


class ProblemReader:
    """Reads the problems of a request, of which more may come in pieces before `all` is asked for."""

    def __init__(self, source: types_pb2.ProblemSource, path: str, found: Violations) -> None:
        self._source = source
        self._path = path
        self._found = found
        self._problems: list[Problem] = []
        self._seen: set[str] = set()
        self._read = 0
        if self.inline:
            self.add(source.inline.problems)

    @property
    def inline(self) -> bool:
        """Whether the problems come along, and more may."""
        return bool(self._source.WhichOneof("source") == "inline")

    def add(self, messages: Sequence[types_pb2.Problem]) -> None:
        """Takes the next of the inline problems."""
        start, self._read = self._read, self._read + len(messages)
        if self._read <= MAX_PROBLEMS:
            for place, message in enumerate(messages, start):
                here = f"{self._path}.inline.problems[{place}]"
                self._problems.append(_problem(message, here, self._seen, self._found))

    def all(self) -> tuple[Problem, ...]:
        """The problems that are asked for. To be called once, when no more will come."""
        source, path, found = self._source, self._path, self._found
        problems: tuple[Problem, ...] = ()
        kind = source.WhichOneof("source")
        if kind == "dataset":
            try:
                problems = datasets.load(source.dataset)
            except datasets.UnknownDataset as error:
                found.add(f"{path}.dataset", error.message)
            except datasets.DatasetError as error:
                raise PreconditionFailed(error.message, reason=error.reason) from error
        elif kind == "inline":
            problems = tuple(self._problems)
            if not self._read:
                found.add(f"{path}.inline.problems", "must hold at least one problem")
            if self._read > MAX_PROBLEMS:
                found.add(f"{path}.inline.problems", f"must hold at most {MAX_PROBLEMS} problems, not {self._read}")
                problems = ()
        else:
            found.add(path, "must be set: the name of a dataset, or inline problems")
        if source.limit < 0:
            found.add(f"{path}.limit", f"must be at least 0, not {source.limit}")
        return problems[: source.limit] if source.limit > 0 else problems


def _problem(message: types_pb2.Problem, path: str, seen: set[str], found: Violations) -> Problem:
    name = message.problem_id
    if not 1 <= len(name) <= 256 or not name.isprintable():  # it stands in logs, in one line
        found.add(f"{path}.problem_id", "must be 1 to 256 printable characters")
    elif name in seen:
        found.add(f"{path}.problem_id", f"{name!r} is used twice")
    seen.add(name)
    is_called = message.WhichOneof("tests") == "check_function"
    return Problem(
        problem_id=name,
        prompt=text(message.prompt, f"{path}.prompt", found),
        # In other forms nothing is called by it, and it must not make equal programs differ.
        entry_point=identifier(message.entry_point, f"{path}.entry_point", found) if is_called else "",
        tests=_tests(message, path, found),
        canonical_solution=text(message.canonical_solution, f"{path}.canonical_solution", found) or None,
    )


def _tests(message: types_pb2.Problem, path: str, found: Violations) -> Tests:
    form = message.WhichOneof("tests")
    if form == "assertions":
        return _assertions(message.assertions, f"{path}.assertions", found)
    if form == "stdio":
        return _stdio(message.stdio, f"{path}.stdio", found)
    if form == "script":
        return _script(message.script, f"{path}.script", found)
    if form is None:
        found.add(f"{path}.tests", "must be set: check_function, assertions, stdio or script")
    elif not message.check_function.strip():
        found.add(f"{path}.check_function", "must be set: source that defines check(candidate)")
    return FunctionTests(text(message.check_function, f"{path}.check_function", found))


def _assertions(message: types_pb2.AssertionTests, path: str, found: Violations) -> AssertionTests:
    _count(len(message.assertions), f"{path}.assertions", "assertion", found)
    assertions = []
    for i, each in enumerate(message.assertions[:MAX_TESTS]):
        here = f"{path}.assertions[{i}]"
        if not each.strip():
            found.add(here, "must not be empty: a statement that calls the program's functions")
        assertions.append(text(each, here, found))
    return AssertionTests(tuple(assertions), text(message.setup, f"{path}.setup", found))


def _stdio(message: types_pb2.StdioTests, path: str, found: Violations) -> StdioTests:
    _count(len(message.cases), f"{path}.cases", "case", found)
    # A checker is given all three as str.
    read = _utf8 if message.checker else bounded
    comparison = _COMPARISONS.get(message.comparison)
    if comparison is None:
        found.add(f"{path}.comparison", f"{message.comparison} is none that this server knows: EXACT, TOKENS or FLOATS")
    if not (math.isfinite(message.tolerance) and message.tolerance >= 0):
        found.add(f"{path}.tolerance", f"must be a finite number of at least 0, not {message.tolerance:g}")
    if message.checker and not message.checker.strip():
        found.add(f"{path}.checker", "must be source that defines check(stdin, stdout, expected), or left out")
    default = StdioTests(())
    return StdioTests(
        cases=tuple(
            StdioCase(
                read(each.stdin, f"{path}.cases[{i}].stdin", found),
                read(each.stdout, f"{path}.cases[{i}].stdout", found),
            )
            for i, each in enumerate(message.cases[:MAX_TESTS])
        ),
        comparison=comparison or default.comparison,
        tolerance=message.tolerance if message.HasField("tolerance") else default.tolerance,
        checker=text(message.checker, f"{path}.checker", found),
    )


def _script(message: types_pb2.ScriptTests, path: str, found: Violations) -> ScriptTests:
    if not message.script.strip():
        found.add(f"{path}.script", "must be set: a unittest or pytest file")
    framework = _FRAMEWORKS.get(message.framework)
    if framework is None:
        found.add(f"{path}.framework", f"{message.framework} is none that this server knows: UNITTEST or PYTEST")
    default = ScriptTests("")
    return ScriptTests(
        script=text(message.script, f"{path}.script", found),
        framework=framework or default.framework,
        module=identifier(message.module or default.module, f"{path}.module", found),
    )


def _count(number: int, path: str, what: str, found: Violations) -> None:
    if number == 0:
        found.add(path, f"must hold at least one {what}")
    elif number > MAX_TESTS:
        found.add(path, f"must hold at most {MAX_TESTS} {what}s, not {number}")


def _utf8(value: bytes, path: str, found: Violations) -> bytes:
    text(value, path, found)
    return value
