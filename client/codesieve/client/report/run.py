"""A run as reports read it: its samples with their judgements, and what is known of how they came about.

It is a directory that `codesieve run` or `evaluate` wrote, or a server's job. The directory's files may have been edited
or may come from elsewhere, so every line is checked.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from codesieve.client import files, types
from codesieve.client.errors import InvalidFile

Row = dict[str, Any]
ValueT = TypeVar("ValueT")
Seen = Callable[[int], None]

_INDEX = re.compile(r"#(\d{1,9})\Z")


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """A run that has ended."""

    name: str
    """The job's id, or the directory's name where the files don't tell it."""
    where: str
    """Where all of it is, for people: a directory, or a job of a server."""
    samples: tuple[types.Sample, ...]
    unmade: int
    """How many samples no engine could make. They have no verdict."""
    facts: Mapping[str, Any]
    """What report.json holds: state, failure, provenance, judge. Empty where there is none."""

    @property
    def temperatures(self) -> tuple[float | None, ...]:
        """Those of the samples, rising; None comes first."""
        found = {each.temperature for each in self.samples}
        return tuple(sorted(found, key=lambda value: -1.0 if value is None else value))

    @property
    def problem_ids(self) -> tuple[str, ...]:
        """Those of the samples, in the order of their numbers."""
        return tuple(sorted({each.problem_id for each in self.samples}, key=natural))

    @property
    def provenance(self) -> Mapping[str, Any]:
        """How it came about, as far as the facts tell."""
        told = self.facts.get("provenance")
        return told if isinstance(told, dict) else {}


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts HumanEval/9 before HumanEval/10."""
    parts = re.split(r"([0-9]{1,18})", text)
    return tuple((0, int(part), "") if place % 2 else (1, 0, part) for place, part in enumerate(parts))


def temperature_name(value: float | None) -> str:
    """A temperature, for people."""
    return "not told" if value is None else f"{value:g}"


def read(directory: str, seen: Seen = lambda _: None) -> Run:
    """Reads samples.jsonl, results.jsonl and, where it is there, report.json. Tells `seen` how many samples it has read.

    Raises `InvalidFile`.
    """
    if not os.path.isdir(directory):
        raise InvalidFile(f"{directory}: there is no such directory")
    facts = _facts(os.path.join(directory, "report.json"))
    completions = _rows(os.path.join(directory, "samples.jsonl"), _sample)
    results = _rows(os.path.join(directory, "results.jsonl"), _result)
    judgements: dict[str, types.Judgement] = {}
    for place, (sample_id, judgement) in results:
        if sample_id in judgements:
            raise InvalidFile(f"{place}: sample_id: {sample_id!r} was there before")
        judgements[sample_id] = judgement
    samples: dict[str, types.Sample] = {}
    counts: collections.Counter[tuple[str, float | None]] = collections.Counter()
    for place, sample in completions:
        if sample.sample_id in samples:
            raise InvalidFile(f"{place}: sample_id: {sample.sample_id!r} was there before")
        if sample.sample_id not in judgements:
            raise InvalidFile(f"{place}: sample_id: results.jsonl has no {sample.sample_id!r}")
        group = (sample.problem_id, sample.temperature)
        told = _INDEX.search(sample.sample_id)
        index = int(told[1]) if told else counts[group]
        counts[group] += 1
        samples[sample.sample_id] = dataclasses.replace(sample, index=index, judgement=judgements[sample.sample_id])
        seen(len(samples))
    extra = next((each for each in judgements if each not in samples), None)
    if extra is not None:
        raise InvalidFile(f"{os.path.join(directory, 'results.jsonl')}: samples.jsonl has no {extra!r}")
    if not samples:
        raise InvalidFile(f"{os.path.join(directory, 'samples.jsonl')}: there are no samples in it")
    without = sum(each.unjudged is not None for each in judgements.values())
    told_without = facts.get("unjudged")
    unmade = max(told_without - without, 0) if isinstance(told_without, int) else 0
    name = facts.get("job")
    path = str(Path(directory).absolute())
    return Run(name if isinstance(name, str) else Path(path).name, path, tuple(samples.values()), unmade, facts)


def of_result(result: types.RunResult, where: str, facts: Mapping[str, Any]) -> Run:
    """The run that a server told of. `facts` is what report.json would hold. Raises `InvalidFile` where it is empty."""
    if not result.samples:
        raise InvalidFile(f"{result.job.job_id}: the job has no samples")
    return Run(result.job.job_id, where, result.samples, len(result.unmade), facts)


def _facts(path: str) -> Row:
    try:
        with open(path, "rb") as opened:
            facts = json.loads(opened.read())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InvalidFile(f"{path}: can't be read ({error.strerror or error})") from None
    except (ValueError, RecursionError) as error:
        raise InvalidFile(f"{path}: can't be read as JSON ({error})") from None
    if not isinstance(facts, dict):
        raise InvalidFile(f"{path}: must be a JSON object")
    return facts


def _rows(path: str, make: Callable[[Row], ValueT]) -> Iterator[tuple[str, ValueT]]:
    """Each line's value, with its place for people."""
    for place, row in files.read_rows(path):
        try:
            yield place, make(row)
        except _Wrong as wrong:
            raise InvalidFile(f"{place}: {wrong}") from None


class _Wrong(Exception):
    """A column is wrong; the message says which."""


def _sample(row: Row) -> types.Sample:
    known: Row = {
        "sample_id": _text(row, "sample_id"),
        "problem_id": _text(row, "task_id"),
        "temperature": _number(row, "temperature"),
        "index": 0,
        "completion": types.to_bytes(_text(row, "completion")),
        "token_count": _whole(row, "token_count"),
        "cumulative_logprob": _number(row, "cumulative_logprob"),
        "finish_reason": _word(row, "finish_reason", types.FinishReason),
        "prompt_form": _word(row, "prompt_form", types.PromptForm),
        "token_logprobs": tuple(_list(row, "token_logprobs")) or None,
        **{name: types.to_bytes(_text(row, name)) for name in ("answer", "reasoning") if row.get(name) is not None},
        **{name: _text(row, name) for name in ("weights_version", "adapter") if row.get(name) is not None},
    }
    return types.Sample(**known)


def _result(row: Row) -> tuple[str, types.Judgement]:
    unjudged = row.get("unjudged")
    if unjudged is not None and not isinstance(unjudged, dict):
        raise _Wrong("unjudged: must be an object or null")
    judgement = types.Judgement(
        verdict=_word(row, "verdict", types.Verdict),
        unjudged=None if unjudged is None else types.Unjudged(_text(unjudged, "reason"), _text(unjudged, "message")),
        integrity=_word(row, "integrity", types.Integrity),
        cached=row.get("cached") is True,
        detail=_text(row, "detail", ""),
        wall_seconds=_number(row, "wall_seconds") or 0.0,
        cpu_seconds=_number(row, "cpu_seconds") or 0.0,
        peak_memory_bytes=_whole(row, "peak_memory_bytes") or 0,
        stdout=types.to_bytes(_text(row, "stdout", "")),
        stderr=types.to_bytes(_text(row, "stderr", "")),
        tests=tuple(_test(each) for each in _list(row, "tests")),
    )
    if (judgement.verdict is None) is (judgement.unjudged is None):
        raise _Wrong("verdict: either this or unjudged must be set")
    return _text(row, "sample_id"), judgement


def _test(row: object) -> types.TestResult:
    if not isinstance(row, dict):
        raise _Wrong("tests: must hold objects")
    return types.TestResult(
        name=_text(row, "name"),
        verdict=_word(row, "verdict", types.Verdict),
        detail=_text(row, "detail", ""),
        input=types.to_bytes(_text(row, "input", "")),
        output=types.to_bytes(_text(row, "output", "")),
        wall_seconds=_number(row, "wall_seconds") or 0.0,
    )


def _text(row: Row, column: str, default: str | None = None) -> str:
    value = row.get(column, default)
    if not isinstance(value, str):
        raise _Wrong(f"{column}: {'is missing' if value is None else 'must be a string'}")
    return value


def _number(row: Row, column: str) -> float | None:
    value = row.get(column)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _Wrong(f"{column}: must be a finite number")
    return float(value)


def _whole(row: Row, column: str) -> int | None:
    value = _number(row, column)
    if value is not None and not (value == int(value) and value >= 0):
        raise _Wrong(f"{column}: must be a whole number of at least 0")
    return None if value is None else int(value)


def _list(row: Row, column: str) -> list[Any]:
    value = row.get(column)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _Wrong(f"{column}: must be an array")
    return value


def _word(row: Row, column: str, kind: type[ValueT]) -> ValueT | None:
    value = row.get(column)
    if value is None:
        return None
    try:
        return kind(value)  # type: ignore[call-arg]  # an enum of words
    except ValueError:
        raise _Wrong(f"{column}: {str(value)[:80]!r} is not one of {', '.join(map(str, kind))}") from None  # type: ignore[call-overload]
