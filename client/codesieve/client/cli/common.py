"""What the commands share: options, naming the field at fault, running one job to its end."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shlex
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from codesieve.client import files, requests, types
from codesieve.client.cli import connecting, show
from codesieve.client.cli.connecting import CliError
from codesieve.client.errors import AlreadyExists, InvalidRequest, JobFailed
from codesieve.client.problems import Problem

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

KNOWN_DATASETS = ("humaneval",)
MAX_LINES = 5


def json_option(command: FunctionT) -> FunctionT:
    return click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout; all else goes to stderr.")(
        command
    )


def embedding_options(command: FunctionT) -> FunctionT:
    """For the commands that start a server of their own unless one is named."""
    for option in (
        click.option(
            "--isolation",
            type=click.Choice(["fork", "container"]),
            help="Of the embedded server: programs share warm cells, or each has a fresh one.  [default: fork]",
        ),
        click.option("--image", help="The Docker image of the embedded server's cells."),
        click.option(
            "--sandbox",
            type=click.Choice(["auto", "docker", "namespaces"]),
            help="Where the embedded server runs programs.  [default: auto]",
        ),
        connecting.server_or_embedded_option,
        click.option(
            "--timeout",
            "timeout_seconds",
            type=click.FloatRange(0, min_open=True),
            metavar="SECONDS",
            help="The job fails if it takes longer; what was finished then stays.  [default: no limit]",
        ),
        click.option(
            "--priority",
            type=click.Choice([each.value.lower() for each in types.Priority], case_sensitive=False),
            callback=_priority,
            help="interactive passes in front of batch.  [default: batch]",
        ),
        click.option(
            "--job-id",
            help="The job's id: letters, digits, hyphens. Naming one again, with the same --out, comes back to that job.",
        ),
        click.option(
            "--out",
            type=click.Path(file_okay=False, path_type=Path),
            help="Where the results go; files there are replaced.  [default: codesieve-out/JOB]",
        ),
        click.option("-k", "ks", metavar="K,K,...", callback=ks, help="The k of pass@k.  [default: 1,10,100 as fit]"),
    ):
        command = option(command)
    return command


def _priority(context: click.Context, parameter: click.Parameter, value: str | None) -> types.Priority | None:
    return None if value is None else types.Priority(value.upper())


def ks(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Reads -k."""
    if value is None:
        return ()
    try:
        return tuple(int(each) for each in value.split(","))
    except ValueError:
        raise click.BadParameter(f"must be whole numbers with commas between them, not {value!r}") from None


@dataclasses.dataclass(frozen=True)
class Problems:
    """What PROBLEMS or --problems stands for."""

    given: str
    source: str | Sequence[Problem]
    file: files.JsonLines[Problem] | None

    @classmethod
    def read(cls, given: str, server: connecting.Server | None) -> Problems:
        """A data set's name or a file. Only a server that is there may carry other data sets than those known."""
        if given in KNOWN_DATASETS or (
            server is not None and re.fullmatch(r"[\w-]+", given) and not os.path.exists(given)
        ):
            return cls(given, given, None)
        if not os.path.exists(given) and re.fullmatch(r"[\w-]+", given):
            raise CliError(
                f"{given}: there is no such file, and no such data set; there is: {', '.join(KNOWN_DATASETS)}"
            )
        read = files.read_problems(given)
        return cls(given, read.values, read)


OPTIONS = {
    "job_id": "--job-id",
    "job.generation.model": "--model",
    "job.generation.temperatures": "-t",
    "job.generation.samples_per_problem": "-n",
    "job.generation.top_p": "--top-p",
    "job.generation.max_tokens": "--max-tokens",
    "job.generation.seed": "--seed",
    "job.generation.top_k": "--top-k",
    "job.generation.min_p": "--min-p",
    "job.generation.stop": "--stop",
    "job.generation.early_stop.passes": "--stop-after-passes",
    "job.generation.early_stop": "--stop-interval-width",
    "job.generation.weights_version": "--weights-version",
    "job.generation.adapter": "--adapter",
    "job.problems.limit": "--limit",
    "job.problems": "PROBLEMS",
    "job.k": "-k",
    "job.timeout": "--timeout",
}
COLUMNS = {
    "problem_id": "task_id",
    "check_function": "test",
    "assertions.assertions": "test_list",
    "assertions.setup": "test_setup_code",
    "script.script": "script",
    "script.framework": "framework",
    "script.module": "module",
    "stdio.cases": "cases",
    "stdio.comparison": "comparison",
    "stdio.tolerance": "tolerance",
    "stdio.checker": "checker",
}
PROBLEM_FORMS = """\b
A file of problems holds one JSON object a line: task_id and the columns of one form of tests.
  functions   prompt, entry_point, test (HumanEval's): test defines check(candidate); samples go on with the prompt
  assertions  text or prompt, test_list, and test_setup_code, test_imports if any (MBPP's)
  programs    prompt, cases: [{"stdin": "...", "stdout": "..."}], and comparison (EXACT, TOKENS, FLOATS), tolerance,
              checker (defines check(stdin, stdout, expected)) if any
  test files  prompt, script, and framework (PYTEST, UNITTEST), module ("solution") if any
But for functions, a sample is a whole program."""


@contextlib.contextmanager
def fields_named(problems: Problems, samples: files.JsonLines[types.RecordedSample] | None = None) -> Iterator[None]:
    """Tells of a request's wrong fields in the user's words: an option, or a line of a file."""
    try:
        yield
    except InvalidRequest as error:
        if not error.violations:
            raise
        lines = [f"{_place(field, problems, samples)}: {what}" for field, what in error.violations[:MAX_LINES]]
        if len(error.violations) > MAX_LINES:
            lines.append(f"and {len(error.violations) - MAX_LINES} more like these")
        raise CliError("\n".join(lines)) from error


def _place(field: str, problems: Problems, samples: files.JsonLines[types.RecordedSample] | None) -> str:
    for pattern, file in (
        (r"job\.recorded\.samples\[(\d+)\]\.?(.*)", samples),
        (r"job\.problems\.inline\.problems\[(\d+)\]\.?(.*)", problems.file),
    ):
        found = re.fullmatch(pattern, field)
        if found and file is not None and int(found[1]) < len(file.values):
            name, bracket, rest = found[2].partition("[")
            column = COLUMNS.get(name, name) + bracket + rest
            return f"{file.where(int(found[1]))}: {column}" if column else file.where(int(found[1]))
    bare = re.sub(r"\[\d+\]", "", field)
    for known, option in OPTIONS.items():
        if bare == known or bare.startswith(f"{known}."):
            return option
    return field


def new_job_id(kind: str) -> str:
    """A job id that nobody else chooses."""
    return f"{kind}-{uuid.uuid4().hex[:12]}"


def check_out(out: Path | None, job_id: str) -> Path:
    """Where results will go; refuses what can't be written to, before the work is done."""
    chosen = out or Path("codesieve-out") / job_id
    check_writable(next(each for each in (chosen, *chosen.absolute().parents) if each.exists()))
    return chosen


def check_writable(directory: Path) -> None:
    """Refuses what isn't a directory that can be written to."""
    if not directory.is_dir():
        raise CliError(f"{directory}: is not a directory")
    if not os.access(directory, os.W_OK):
        raise CliError(f"{directory}: can't be written to")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A job, as the options ask for it."""

    job_id: str
    ks: Sequence[int]
    directory: Path
    """Where its results go."""
    limit: int = 0
    priority: types.Priority | None = None
    timeout_seconds: float | None = None
    limits: types.Limits | None = None

    @property
    def store(self) -> Path:
        """Where an embedded server keeps it. Its own, so that another job's results may go to the same place."""
        return self.directory / f"{self.job_id}.db"


def run_job(
    connection: connecting.Connection,
    bar: show.JobBar,
    problems: Problems,
    samples: requests.Generation | Sequence[types.RecordedSample],
    wanted: Wanted,
    see: Callable[[types.Event], None] | None = None,
) -> tuple[types.RunResult, JobFailed | None]:
    """Runs a job to its end, with a progress bar. Tells its events to `see`, in the bar's place."""
    client = connection.client
    try:
        with bar:
            job = client.jobs.create(
                problems.source,
                samples,
                k=wanted.ks,
                limit=wanted.limit,
                limits=wanted.limits,
                job_id=wanted.job_id,
                priority=wanted.priority,
                timeout_seconds=wanted.timeout_seconds,
            )
            connection.begun = True
            return client.result(job, see or bar.see), None
    except JobFailed as failed:
        return failed.result, failed
    except AlreadyExists as error:
        if connection.embedded is None:
            raise
        raise CliError(f"{error.message}; choose another --job-id, or remove {wanted.store}") from error
    except KeyboardInterrupt:
        if not connection.begun:
            raise
        goes_on = "goes on" if connection.embedded is None else f"is kept in {wanted.store}"
        what = f"interrupted; job {wanted.job_id} {goes_on}. Come back to it with: {same_command(wanted.job_id)}"
        raise CliError(what, 130) from None


def same_command(job_id: str) -> str:
    """The command line that was given, with the job's id."""
    given = click.get_current_context().find_root().obj or sys.argv[1:]
    named = any(each == "--job-id" or each.startswith("--job-id=") for each in given)
    return shlex.join(["codesieve", *given, *([] if named else ["--job-id", job_id])])
