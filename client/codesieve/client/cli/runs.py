"""JOB|DIR: a run that has ended, out of a directory or from a server."""

from __future__ import annotations

import os
import re

from codesieve.client import types
from codesieve.client.cli import connecting, provenance, results, show
from codesieve.client.cli.connecting import CliError
from codesieve.client.errors import JobFailed
from codesieve.client.report import run

WHAT = """\b
JOB|DIR is a directory that codesieve run or evaluate wrote, or the id of a job of --server that has ended."""


def load(given: str, server: connecting.Server) -> run.Run:
    """The run. A directory goes first; a path that isn't there is no job."""
    if os.path.isdir(given):
        with show.Slow(f"reading {given}") as bar:
            return run.read(given, bar.at)
    if not re.fullmatch(r"(jobs/)?[a-z][a-z0-9-]{0,62}", given):
        raise CliError(f"{given}: there is no such directory, and it can't be the id of a job")
    with connecting.connect(server) as client:
        job = client.jobs.get(given)
        if not job.state.ended:
            what = f"{job.job_id} has not ended ({job.state}); wait for it with: codesieve jobs watch {job.job_id}"
            raise CliError(what)
        total = job.progress.samples_total if job.progress is not None else None
        with show.Slow(f"fetching {job.job_id}", total) as bar:
            judged = 0

            def see(event: types.Event) -> None:
                nonlocal judged
                if isinstance(event, types.SampleJudged):
                    judged += 1
                    bar.at(judged)

            try:
                result = client.result(job, see)
            except JobFailed as failed:
                result = failed.result
        told = provenance.collect(client, result.job, provenance.Known(server.target))
    where = f"{result.job.name} of the server {server.target}"
    return run.of_result(result, where, results.summary(result, {}, told))
