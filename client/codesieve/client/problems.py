r"""A problem as a caller gives it: a prompt and tests in one of four forms. Frozen, and without protobuf, like ``types.py``.

Problem("double", "def double(x):\n", FunctionTests("def check(f):\n    assert f(3) == 6\n"), entry_point="double")
Problem("mbpp/2", "Write a function ...", AssertionTests(["assert double(3) == 6"]))
Problem("sum", "Read two numbers ...", StdioTests([StdioCase(b"1 2\n", b"3\n")]))
Problem("queue", "Write a queue ...", ScriptTests("def test_empty():\n    assert not Queue()\n"))
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclasses.dataclass(frozen=True, slots=True)
class FunctionTests:
    """HumanEval's form: the program is prompt + completion. The problem needs an entry point."""

    check_function: str
    """Source that defines ``check(candidate)``. It is called with the entry point."""


@dataclasses.dataclass(frozen=True, slots=True)
class AssertionTests:
    """MBPP's form: the program is the completion alone. Each assertion gets a verdict of its own."""

    assertions: Sequence[str]
    """At least one. Statements, each complete in itself, that call the program's functions by name."""
    setup: str = ""
    """Source that runs before the first assertion, on the judge's side."""


class Comparison(enum.StrEnum):
    """How what a program wrote is compared with what was expected."""

    EXACT = "EXACT"
    """Byte for byte."""
    TOKENS = "TOKENS"
    """Word by word: white space of any kind and amount separates, none counts."""
    FLOATS = "FLOATS"
    """Word by word, and two numbers are equal within a tolerance."""


@dataclasses.dataclass(frozen=True, slots=True)
class StdioCase:
    """What a program is given on stdin, and what it is to write to stdout."""

    stdin: bytes
    stdout: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class StdioTests:
    """Competitive programming's form: the program is the completion alone, run once for each case under the whole limits."""

    cases: Sequence[StdioCase]
    """At least one."""
    comparison: Comparison = Comparison.TOKENS
    tolerance: float = 1e-6
    """For FLOATS: |a - b| <= tolerance * max(1, |b|), with b what was expected."""
    checker: str = ""
    """Source that defines ``check(stdin, stdout, expected)``, three str, and is true if the output is right. It takes the
    place of the comparison."""


class Framework(enum.StrEnum):
    """What runs a test script."""

    UNITTEST = "UNITTEST"
    PYTEST = "PYTEST"
    """Needs pytest in the sandbox's image."""


@dataclasses.dataclass(frozen=True, slots=True)
class ScriptTests:
    """A unittest or pytest file: the program is the completion alone, importable as `module`.

    The script finds the program's public names among its own globals as well. Both run in one process, so that a verdict
    has integrity SHARED.
    """

    script: str
    framework: Framework = Framework.PYTEST
    module: str = "solution"


Tests = FunctionTests | AssertionTests | StdioTests | ScriptTests


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """A prompt and tests."""

    problem_id: str
    prompt: str
    """What the engine is given, and what stands before the completion where the tests are function tests."""
    tests: Tests
    entry_point: str = ""
    """The function that function tests call; not used by other forms."""
    canonical_solution: str | None = None
