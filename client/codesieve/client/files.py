"""JSON Lines files of problems and samples, in the columns of the data sets they come from, plain or ``.gz``.

Readers check every line before anything is sent, and name the file and the line of what is wrong. Writers put a file in
place in one step, so that nobody finds half of one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import gzip
import json
import math
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from codesieve.client import types
from codesieve.client.errors import InvalidFile
from codesieve.client.problems import (
    AssertionTests,
    FunctionTests,
    Problem,
    ScriptTests,
    StdioCase,
    StdioTests,
    Tests,
)
from codesieve.client.requests import wrong_completion

ValueT = TypeVar("ValueT")
ChoiceT = TypeVar("ChoiceT", bound=enum.StrEnum)

MAX_PROBLEM_ID = 256
MBPP_PROMPT = (
    "You are an expert Python programmer, and here is your task: {text} Your code should pass these tests:\n\n{tests}\n"
)
"""Austin et al. 2021, section 3."""

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class JsonLines(Generic[ValueT]):
    """What a file holds: one value for each line that isn't blank, with the line's number and its JSON object."""

    path: str
    values: tuple[ValueT, ...]
    lines: tuple[int, ...]
    rows: tuple[Row, ...]

    def where(self, place: int) -> str:
        """The file and line of a value, for people."""
        return f"{self.path} line {self.lines[place]}"


def read_problems(path: str) -> JsonLines[Problem]:
    """Reads problems: task_id and the columns of one form of tests. Other columns are ignored.

    - HumanEval's: prompt, entry_point, test.
    - MBPP's: test_list, with text (the prompt is made of it and of the assertions, as in the paper) or prompt (taken as it
      is); test_setup_code and test_imports where they are there. challenge_test_list is ignored: it is no part of MBPP's
      figures.
    - stdin and stdout: prompt, cases (a list of {"stdin", "stdout"}); comparison, tolerance and checker where they are
      there.
    - a test file: prompt, script; framework and module where they are there.

    Any may have a known right completion in canonical_solution or code. Raises `InvalidFile`.
    """
    first_line: dict[str, int] = {}

    def problem(row: Row, line: int) -> Problem:
        problem_id = _task_id(row)
        if not 0 < len(problem_id) <= MAX_PROBLEM_ID:
            raise _Wrong("task_id", f"must have 1 to {MAX_PROBLEM_ID} characters")
        if first_line.setdefault(problem_id, line) != line:
            raise _Wrong("task_id", f"{problem_id!r} was there before, on line {first_line[problem_id]}")
        forms = [column for column in _FORMS if row.get(column) is not None]
        if len(forms) != 1:
            what = f"tests of {len(forms)} forms ({', '.join(forms)})" if forms else "no tests"
            raise _Wrong("line", f"has {what}; it must have one of the columns {', '.join(_FORMS)}")
        prompt, tests, entry_point = _FORMS[forms[0]](row)
        solution = _optional(row, "canonical_solution") or _optional(row, "code") or None
        return Problem(problem_id, prompt, tests, entry_point, solution)

    return _read(path, "problems", problem)


def read_samples(path: str) -> JsonLines[types.RecordedSample]:
    """Reads samples: task_id, completion, and temperature, token_count, cumulative_logprob where they are there.

    Raises `InvalidFile`; other columns are kept in `rows`.
    """

    def sample(row: Row, _: int) -> types.RecordedSample:
        completion = types.to_bytes(_string(row, "completion"))
        too_large = wrong_completion(completion)
        if too_large:
            raise _Wrong("completion", too_large)
        temperature = _number(row, "temperature")
        if temperature is not None and temperature < 0:
            raise _Wrong("temperature", f"must be at least 0, not {temperature:g}")
        tokens = _number(row, "token_count")
        if tokens is not None and not (tokens == int(tokens) and 0 <= tokens < 2**31):
            raise _Wrong("token_count", f"must be a whole number of at least 0, not {tokens:g}")
        return types.RecordedSample(
            problem_id=_task_id(row),
            completion=completion,
            temperature=temperature,
            token_count=None if tokens is None else int(tokens),
            cumulative_logprob=_number(row, "cumulative_logprob"),
        )

    return _read(path, "samples", sample)


def write_jsonl(path: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes rows as JSON Lines, in ASCII, and puts the file in place in one step. Raises OSError."""
    write_text(path, (json.dumps(row) + "\n" for row in rows))


def write_text(path: str, parts: Iterable[str]) -> None:
    """Writes a text file and puts it in place in one step. Raises OSError."""
    unfinished = f"{path}.{os.getpid()}.part"
    try:
        with open(unfinished, "w", encoding="utf-8") as out:
            out.writelines(parts)
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unfinished)
        raise


class _Wrong(Exception):
    """One line's column is wrong."""

    def __init__(self, column: str, what: str) -> None:
        super().__init__(f"{column}: {what}")
        self.column = column
        self.what = what


def _read(path: str, kind: str, make: Callable[[Row, int], ValueT]) -> JsonLines[ValueT]:
    values: list[ValueT] = []
    lines: list[int] = []
    rows: list[Row] = []
    for number, row in _numbered(path):
        try:
            values.append(make(row, number))
        except _Wrong as wrong:
            raise InvalidFile(f"{path} line {number}: {wrong}") from None
        lines.append(number)
        rows.append(row)
    if not values:
        raise InvalidFile(f"{path}: there are no {kind} in it")
    return JsonLines(path, tuple(values), tuple(lines), tuple(rows))


def read_rows(path: str) -> Iterator[tuple[str, Row]]:
    """The JSON object of each line that isn't blank, with its file and line for people. Raises `InvalidFile`."""
    for number, row in _numbered(path):
        yield f"{path} line {number}", row


def _numbered(path: str) -> Iterator[tuple[int, Row]]:
    for number, line in _lines(path):
        try:
            row = json.loads(line.decode("utf-8"))
        except json.JSONDecodeError as error:
            raise InvalidFile(f"{path} line {number}: is not JSON ({error.msg}, column {error.colno})") from None
        except UnicodeDecodeError:
            raise InvalidFile(f"{path} line {number}: is not UTF-8") from None
        except (ValueError, RecursionError) as error:
            raise InvalidFile(f"{path} line {number}: can't be read as JSON ({error})") from None
        if not isinstance(row, dict):
            raise InvalidFile(f"{path} line {number}: line: must be a JSON object")
        yield number, row


def _lines(path: str) -> Iterator[tuple[int, bytes]]:
    """The lines that aren't blank, numbered from 1."""
    try:
        with gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb") as opened:
            for number, line in enumerate(opened, 1):
                if line.strip():
                    yield number, line
    except FileNotFoundError:
        raise InvalidFile(f"{path}: there is no such file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InvalidFile(f"{path}: is not a whole gzip file ({error})") from None
    except OSError as error:
        raise InvalidFile(f"{path}: can't be read ({error.strerror or error})") from None


def _function(row: Row) -> tuple[str, Tests, str]:
    entry_point = _string(row, "entry_point")
    if not entry_point.isidentifier():
        raise _Wrong("entry_point", f"{entry_point[:80]!r} is not a Python identifier")
    return _string(row, "prompt"), FunctionTests(_string(row, "test")), entry_point


def _assertions(row: Row) -> tuple[str, Tests, str]:
    assertions = _strings(row, "test_list")
    if not assertions:
        raise _Wrong("test_list", "must hold at least one assertion")
    setup = [*(_strings(row, "test_imports") if "test_imports" in row else ()), _optional(row, "test_setup_code")]
    if "text" in row:
        prompt = MBPP_PROMPT.format(text=_string(row, "text"), tests="\n".join(assertions))
    else:
        prompt = _string(row, "prompt")
    return prompt, AssertionTests(assertions, "\n".join(each for each in setup if each)), ""


def _stdio(row: Row) -> tuple[str, Tests, str]:
    given = _list(row, "cases")
    if not given:
        raise _Wrong("cases", "must hold at least one case")
    cases = []
    for place, each in enumerate(given):
        here = f"cases[{place}]"
        if not isinstance(each, dict):
            raise _Wrong(here, f"must be an object with stdin and stdout, not {_kind(each)}")
        try:
            cases.append(StdioCase(*(types.to_bytes(_string(each, stream)) for stream in ("stdin", "stdout"))))
        except _Wrong as wrong:
            raise _Wrong(f"{here}.{wrong.column}", wrong.what) from None
    default = StdioTests(())
    tolerance = _number(row, "tolerance")
    if tolerance is not None and tolerance < 0:
        raise _Wrong("tolerance", f"must be at least 0, not {tolerance:g}")
    tests = StdioTests(
        tuple(cases),
        comparison=_choice(row, "comparison", default.comparison),
        tolerance=default.tolerance if tolerance is None else tolerance,
        checker=_optional(row, "checker"),
    )
    return _string(row, "prompt"), tests, ""


def _script(row: Row) -> tuple[str, Tests, str]:
    default = ScriptTests("")
    module = _optional(row, "module") or default.module
    if not module.isidentifier():
        raise _Wrong("module", f"{module[:80]!r} is not a Python identifier")
    tests = ScriptTests(_string(row, "script"), _choice(row, "framework", default.framework), module)
    return _string(row, "prompt"), tests, ""


_FORMS: Mapping[str, Callable[[Row], tuple[str, Tests, str]]] = {
    "test": _function,
    "test_list": _assertions,
    "cases": _stdio,
    "script": _script,
}
"""The column that tells each form of tests, and what reads prompt, tests and entry point."""


def _task_id(row: Row) -> str:
    """A string, or a whole number as MBPP has it."""
    value = row.get("task_id")
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _string(row, "task_id")


def _choice(row: Row, column: str, default: ChoiceT) -> ChoiceT:
    """One of the words of an enum, in upper or lower case."""
    value = _optional(row, column) or default.value
    try:
        return type(default)(value.upper())
    except ValueError:
        words = ", ".join(each.value for each in type(default))
        raise _Wrong(column, f"must be one of {words}, not {value[:80]!r}") from None


def _optional(row: Row, column: str) -> str:
    """ "" where the column is missing or null."""
    return "" if row.get(column) is None else _string(row, column)


def _list(row: Row, column: str) -> list[Any]:
    value = row[column]
    if not isinstance(value, list):
        raise _Wrong(column, f"must be an array, not {_kind(value)}")
    return value


def _strings(row: Row, column: str) -> tuple[str, ...]:
    values = _list(row, column)
    for place, value in enumerate(values):
        if not isinstance(value, str):
            raise _Wrong(f"{column}[{place}]", f"must be a string, not {_kind(value)}")
    return tuple(values)


def _string(row: Row, column: str) -> str:
    if column not in row:
        raise _Wrong(column, "is missing")
    value = row[column]
    if not isinstance(value, str):
        raise _Wrong(column, f"must be a string, not {_kind(value)}")
    return value


def _number(row: Row, column: str) -> float | None:
    value = row.get(column)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Wrong(column, f"must be a number, not {_kind(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _Wrong(column, "must be a finite number")
    return number


def _kind(value: object) -> str:
    """What JSON calls it."""
    names: dict[type, str] = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}
    return "null" if value is None else names.get(type(value), "an object")
