"""`codesieve run --like REPORT.json`: what a report tells of its run becomes what the options default to.

Options that are given go first. Limits, and what the command has no option for, are taken as they are told. What can't be
made the same (the judge's version, the engine's) is told as soon as the server says what it has, in a line for each.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from codesieve.client import types
from codesieve.client.cli import provenance, results
from codesieve.client.cli.connecting import CliError

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
Row = dict[str, Any]

OWN_PYTHON = "this machine's own Python"
"""What servers call the image of cells that none was named for."""
MAX_SHOWN = 120
NAMES = {
    "codesieve": "codesieve at the server",
    "problems": "the problems' digest",
    "engine.kind": "the engine",
    "engine.version": "the engine's version",
    "engine.source": "where the model was loaded from",
    "engine.weights_version": "the weights' version",
    "engine.weights_digest": "the digest of the model's files",
    "cells.backend": "the sandbox",
    "cells.judge_version": "the judge's version",
    "cells.image": "the cells' image",
    "cells.image_digest": "the digest of the cells' image",
    "cells.python_version": "Python in the cells",
    "cells.runtime": "the cells' runtime",
    "cells.isolation": "the cells' isolation",
}
LATE = {"engine.weights_digest"}
"""What a server may know only after the job began."""

_SAME = ("top_p", "max_tokens", "seed", "top_k", "min_p", "prompt_form")


@dataclasses.dataclass(frozen=True)
class Like:
    """What a report tells that isn't an option's default."""

    path: str
    limits: types.Limits
    token_logprobs: bool
    sha256: str | None
    """Of the file of problems."""
    sandbox: str | None
    isolation: str | None
    image: str | None
    had: Mapping[str, str]
    """What its server and the workers were, as `flat` has it; empty in a report that doesn't tell."""

    def watch(self, see: Callable[[types.Event], None], say: Callable[[str], None]) -> Callable[[types.Event], None]:
        """Passes a job's events on to `see`, and tells `say` what isn't the same as then, each once."""
        said: set[str] = set()

        def watching(event: types.Event) -> None:
            see(event)
            if isinstance(event, types.JobChanged) and event.job.state is not types.JobState.PENDING:
                for line in self.differences(event.job):
                    if line not in said:
                        said.add(line)
                        say(line)

        return watching

    def differences(self, job: types.Job) -> list[str]:
        """One line for each thing that a job which has begun doesn't have as the report has it.

        What takes the server time to know, and isn't told yet, may still turn out the same.
        """
        told = results.provenance(job.provenance)
        if not told:
            return ["--like: the server doesn't tell what it has, so nobody knows what differs"] if self.had else []
        now = flat(told.get("codesieve"), told.get("problems"), told.get("engine"), told.get("cells"))
        open_yet = set() if job.state.ended else LATE - now.keys()
        return [
            f"--like: {NAMES.get(name, name)} is {_short(now.get(name))} now, and was {_short(was)}"
            for name, was in self.had.items()
            if now.get(name) != was and name not in open_yet
        ]

    def check_problems(self, given: str) -> None:
        """Refuses a file of problems that isn't what it was, unless it is named on the command line."""
        source = click.get_current_context().get_parameter_source("problems_given")
        if source is not click.core.ParameterSource.DEFAULT_MAP or self.sha256 is None:
            return
        try:
            same = provenance.digest(given) == self.sha256
        except OSError as error:
            raise CliError(f"--like: {given}, which held the problems, can't be read: {error.strerror}") from None
        if not same:
            raise CliError(f"--like: {given} has changed since; name it as PROBLEMS to take it as it is now")


def option(command: FunctionT) -> FunctionT:
    return click.option(
        "--like",
        is_eager=True,
        callback=_read,
        type=click.Path(dir_okay=False),
        metavar="REPORT.json",
        help="Do again what this report of a run tells: its problems, model, settings, seed and limits are what other "
        "options default to.",
    )(command)


def _read(context: click.Context, parameter: click.Parameter, path: str | None) -> Like | None:
    if path is None:
        return None
    told = _provenance(path)
    generation, problems = _object(path, told, "generation"), _object(path, told, "problems")
    parts = ("model", "limits", "sandbox", "codesieve", "engine", "cells")
    model, limits, sandbox, codesieve, engine, cells = (told.get(each) or {} for each in parts)
    if not all(isinstance(each, dict) for each in (model, limits, sandbox, codesieve, engine, cells)):
        raise CliError(f"--like: {path}: provenance: {', '.join(parts)} must be objects")
    defaults: Row = {each: generation.get(each) for each in _SAME}
    defaults |= {
        "problems_given": problems.get("dataset") or problems.get("file"),
        "limit": problems.get("limit"),
        "model": model.get("source") or model.get("model") or generation.get("model"),
        "samples": generation.get("samples_per_problem"),
        "temperatures": _list(path, generation, "temperatures"),
        # The option reads escapes.
        "stops": [str(each).replace("\\", "\\\\") for each in _list(path, generation, "stop")],
        "adapter": generation.get("adapter"),
        "weights_version": generation.get("weights_version"),
        **_early_stop(path, generation),
        "ks": ",".join(str(each) for each in _list(path, told, "k")) or None,
    }
    context.default_map = {**(context.default_map or {}), **{k: v for k, v in defaults.items() if v is not None}}
    return Like(
        path=path,
        limits=_limits(path, limits),
        token_logprobs=generation.get("token_logprobs") is True,
        sha256=_text(problems.get("sha256")),
        sandbox=_text(sandbox.get("backend")),
        isolation=_text(sandbox.get("isolation")) or _text(cells.get("isolation")),
        image=_text(sandbox.get("image")) or (_text(cells.get("image")) if cells.get("image") != OWN_PYTHON else None),
        # A report from before servers told holds the server's version alone, where it was the command's own.
        had=flat(codesieve.get("server"), problems.get("digest"), engine, cells) if engine or cells else {},
    )


def flat(server: object, problems: object, engine: object, cells: object) -> dict[str, str]:
    """All that is told, by name: "engine.settings.dtype". What isn't told isn't there."""
    found: dict[str, object] = {"codesieve": server, "problems": problems}
    for part, row in (("engine", engine), ("cells", cells)):
        for name, value in (row if isinstance(row, dict) else {}).items():
            if isinstance(value, dict):
                found |= {f"{part}.{name}.{each}": told for each, told in value.items()}
            else:
                found[f"{part}.{name}"] = value
    return {name: value for name, value in found.items() if isinstance(value, str) and value}


def _short(value: str | None) -> str:
    if value is None:
        return "not told"
    return value if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]}..."


def _provenance(path: str) -> Row:
    try:
        with open(path, "rb") as opened:
            report = json.loads(opened.read())
    except OSError as error:
        raise CliError(f"--like: {path} can't be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise CliError(f"--like: {path} can't be read as JSON ({error})") from None
    told = report.get("provenance") if isinstance(report, dict) else None
    if not isinstance(told, dict):
        raise CliError(f"--like: {path} doesn't tell how its run came about: it has no provenance")
    return told


def _object(path: str, told: Row, name: str) -> Row:
    value = told.get(name)
    if not isinstance(value, dict):
        raise CliError(f"--like: {path} doesn't tell of {name}; it is no report of codesieve run")
    return value


def _list(path: str, told: Row, name: str) -> list[Any]:
    value = told.get(name) or []
    if not isinstance(value, list):
        raise CliError(f"--like: {path}: {name}: must be an array")
    return value


def _early_stop(path: str, generation: Row) -> Row:
    told = generation.get("early_stop")
    if told is None:
        return {}
    if not isinstance(told, dict):
        raise CliError(f"--like: {path}: early_stop: must be an object")
    return {
        "stop_after_passes": told.get("passes") or None,
        "stop_interval_width": told.get("interval_width") or None,
    }


def _limits(path: str, told: Row) -> types.Limits:
    names = [each.name for each in dataclasses.fields(types.Limits)]
    for name in names:
        value = told.get(name)
        if value is not None and not (type(value) in (int, float) and math.isfinite(value) and value > 0):
            raise CliError(f"--like: {path}: limits: {name}: must be a number above 0")
    return types.Limits(**{name: told.get(name) for name in names})


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
