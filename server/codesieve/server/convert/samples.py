"""The recorded samples that clients send, which may come in pieces."""

from __future__ import annotations

import collections
import math
from collections.abc import Sequence

from codesieve.server.convert.fields import Violations, bounded
from codesieve.server.jobs.model import sample_id
from codesieve.v1 import types_pb2
from codesieve.workers.types import FinishReason, Problem, Sample

MAX_SAMPLES = 5_000_000
"""Samples of one job."""
MAX_TEMPERATURE = 100.0

_FINISH = {types_pb2.Sample.STOP: FinishReason.STOP, types_pb2.Sample.LENGTH: FinishReason.LENGTH}


class SampleReader:
    """Reads samples piece by piece and numbers them within their problem and temperature."""

    def __init__(self, path: str, found: Violations) -> None:
        self._path = path
        self._found = found
        self._counts: collections.Counter[tuple[str, float | None]] = collections.Counter()
        self._temperatures: dict[str, float] = {}
        """By how they stand in a sample's id."""
        self._samples: list[Sample] = []
        self._known: frozenset[str] | None = None
        self._read = 0

    def add(self, messages: Sequence[types_pb2.Sample], problems: Sequence[Problem]) -> None:
        """Takes the next samples, which are of these problems."""
        if self._known is None:
            self._known = frozenset(problem.problem_id for problem in problems)
        start, self._read = self._read, self._read + len(messages)
        if self._read <= MAX_SAMPLES:
            for place, message in enumerate(messages, start):
                self._samples.append(self._sample(message, f"{self._path}[{place}]", self._known))

    def all(self) -> tuple[Sample, ...]:
        """Every sample, once no more will come."""
        if not self._read:
            self._found.add(self._path, "must hold at least one sample")
        if self._read > MAX_SAMPLES:
            self._found.add(self._path, f"must hold at most {MAX_SAMPLES} samples, not {self._read}")
        return tuple(self._samples)

    @property
    def fewest_and_most(self) -> tuple[int, int]:
        """Samples of one problem at one temperature."""
        return (min(self._counts.values()), max(self._counts.values())) if self._counts else (0, 0)

    def _sample(self, message: types_pb2.Sample, path: str, known: frozenset[str]) -> Sample:
        found = self._found
        if known and message.problem_id not in known:
            found.add(f"{path}.problem_id", f"there is no problem {message.problem_id[:80]!r} in job.problems")
        completion(message.HasField("completion"), message.completion, f"{path}.completion", found)
        temperature = message.temperature if message.HasField("temperature") else None
        if temperature is not None and not 0 <= temperature <= MAX_TEMPERATURE:  # false for NaN as well
            found.add(f"{path}.temperature", f"must be between 0 and {MAX_TEMPERATURE:g}, not {temperature:g}")
        elif (
            temperature is not None
            and (other := self._temperatures.setdefault(f"{temperature:g}", temperature)) != temperature
        ):
            found.add(f"{path}.temperature", f"is {temperature!r}, too close to {other!r}, which another sample has")
        if message.token_count < 0:
            found.add(f"{path}.token_count", f"must be at least 0, not {message.token_count}")
        if not math.isfinite(message.cumulative_logprob):
            found.add(f"{path}.cumulative_logprob", "must be a finite number")
        index = self._counts[message.problem_id, temperature]
        self._counts[message.problem_id, temperature] += 1
        return Sample(
            sample_id=sample_id(message.problem_id, temperature, index),
            problem_id=message.problem_id,
            temperature=temperature,
            index=index,
            completion=message.completion,
            token_count=message.token_count if message.HasField("token_count") else None,
            cumulative_logprob=message.cumulative_logprob if message.HasField("cumulative_logprob") else None,
            finish_reason=_FINISH.get(message.finish_reason),
        )


def completion(is_there: bool, value: bytes, path: str, found: Violations) -> None:
    """Checks a completion."""
    if not is_there:
        found.add(path, "must be set, though it may be empty")
    bounded(value, path, found)
