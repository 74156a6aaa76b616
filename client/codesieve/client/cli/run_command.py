"""`codesieve run`: has a model's samples made, judged and scored."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path

import click

from codesieve.client import requests, types
from codesieve.client.cli import common, connecting, provenance, results, show
from codesieve.client.cli import like as like_options
from codesieve.client.settings import EarlyStop
from codesieve.client.sync_client import Client

EPILOG = f"""{common.PROBLEM_FORMS}

\b
Exit codes: 0 done, 1 the job (or the server) failed, 2 bad usage or input, 130 interrupted.
Example: codesieve run humaneval --model smollm2 -n 10 -t 0.2 -t 0.8 -k 1,10 --limit 20 --out results
Again: codesieve run --like results/report.json"""


@click.command(epilog=EPILOG)
@click.argument("problems_given", metavar="PROBLEMS")
@click.option(
    "--model",
    metavar="NAME|DIR|URL|replay:FILE",
    help="What makes the samples. May be left out with a --server that has one model.",
)
@click.option("-n", "samples", type=int, default=1, show_default=True, help="Samples per problem and temperature.")
@click.option(
    "-t",
    "--temperature",
    "temperatures",
    type=float,
    multiple=True,
    default=(0.2,),
    show_default=True,
    help="Repeatable; 0 is greedy.",
)
@click.option("--top-p", type=float, help="Nucleus sampling.  [default: 0.95]")
@click.option("--max-tokens", type=int, help="The longest completion.  [default: 512]")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same samples.")
@click.option("--top-k", type=int, default=0, help="Sample from the TOP_K most likely tokens only.  [default: all]")
@click.option(
    "--min-p", type=float, default=0.0, help="Of tokens at least MIN_P as likely as the likeliest.  [default: all]"
)
@click.option(
    "--stop",
    "stops",
    multiple=True,
    callback=lambda _context, _option, given: tuple(map(_unescaped, given)),
    help=r"A sample ends in front of this. Repeatable; \n, \t and \\ are read as in Python.  [default: Codex's]",
)
@click.option(
    "--prompt-form",
    type=click.Choice(types.PromptForm, case_sensitive=False),
    help="Have the model go on with the prompt, or chat with it and take the code out of its answer.  [default: completion]",
)
@click.option(
    "--stop-after-passes",
    type=click.IntRange(1),
    metavar="C",
    help="No more samples of a problem once C passed; -n is then the most. pass@k stays unbiased.  [default: make all]",
)
@click.option(
    "--stop-interval-width",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="W",
    help="No more samples of a problem once the 95 % interval of its pass rate is at most W wide, "
    "and there are as many as the largest k.  [default: make all]",
)
@click.option(
    "--adapter",
    metavar="NAME",
    default="",
    help="The LoRA adapter to sample with, as codesieve models load-adapter named it.",
)
@click.option(
    "--weights-version",
    metavar="VERSION",
    default="",
    help="Demand this version of the model's weights: another one refuses the job, and no sample is made with any other.",
)
@click.option("--limit", type=int, default=0, help="Only the first LIMIT problems.  [default: all]")
@like_options.option
@common.embedding_options
@common.json_option
def run(
    problems_given: str,
    like: like_options.Like | None,
    model: str | None,
    samples: int,
    temperatures: tuple[float, ...],
    top_p: float | None,
    max_tokens: int | None,
    seed: int,
    top_k: int,
    min_p: float,
    stops: tuple[str, ...],
    prompt_form: types.PromptForm | None,
    stop_after_passes: int | None,
    stop_interval_width: float | None,
    adapter: str,
    weights_version: str,
    limit: int,
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
    """Have a model's samples of PROBLEMS made, judged and scored.

    PROBLEMS is a data set ("humaneval") or a JSON Lines file of problems, see below.
    """
    if like is not None:
        like.check_problems(problems_given)
    if like is not None and server is None:
        sandbox, isolation, image = sandbox or like.sandbox, isolation or like.isolation, image or like.image
    problems = common.Problems.read(problems_given, server)
    job_id = job_id or common.new_job_id("run")
    generation = requests.Generation(
        temperatures=temperatures,
        samples_per_problem=samples,
        top_p=top_p,
        max_tokens=max_tokens,
        seed=seed,
        top_k=top_k,
        min_p=min_p,
        stop=stops,
        prompt_form=prompt_form,
        early_stop=EarlyStop(stop_after_passes or 0, stop_interval_width or 0.0)
        if stop_after_passes or stop_interval_width
        else None,
        weights_version=weights_version,
        adapter=adapter,
        token_logprobs=like is not None and like.token_logprobs,
    )
    with common.fields_named(problems):
        requests.create_job(
            problems.source, generation, k=ks, limit=limit, job_id=job_id, timeout_seconds=timeout_seconds
        )
    source = _local_source(model, server)
    embedding = connecting.Embedding(sandbox, isolation, image, source)
    embedding.check(server)
    directory = common.check_out(out, job_id)
    limits = None if like is None else like.limits
    wanted = common.Wanted(job_id, ks, directory, limit, priority, timeout_seconds, limits)
    bar = show.JobBar()
    with (
        connecting.connect_or_embed(server, embedding, wanted.store, bar.outage) as connection,
        common.fields_named(problems),
    ):
        if server is not None:
            generation = dataclasses.replace(generation, model=_load(connection.client, source))
        see = None if like is None else like.watch(bar.see, bar.say)
        result, failed = common.run_job(connection, bar, problems, generation, wanted, see)
        known = provenance.Known.of(server, problems, embedding)
        told = results.write(result, directory, {}, provenance.collect(connection.client, result.job, known))
        if as_json:
            click.echo(json.dumps(told))
        else:
            show.result(result, list(told["files"].values()))
        if failed is not None:
            raise failed


def _unescaped(text: str) -> str:
    r"""Stop sequences begin with line ends, which a shell makes hard to write."""
    return re.sub(r"\\([nt\\])", lambda found: {"n": "\n", "t": "\t", "\\": "\\"}[found[1]], text)


def _local_source(model: str | None, server: connecting.Server | None) -> str | None:
    """The model as it is to be passed on: what lies on this machine by its absolute path.

    An embedded server's files are this machine's, so what isn't there is refused at once.
    """
    if model is None:
        if server is None:
            raise click.UsageError(
                "--model is needed, for example: --model smollm2, or a directory, a URL, replay:FILE"
            )
        return None
    kind, path = ("replay:", model[7:]) if model.startswith("replay:") else ("", os.path.expanduser(model))
    is_path = bool(kind) or path.startswith((".", "/"))
    there = os.path.isfile(path) if kind else os.path.isdir(path)
    if there:
        return kind + os.path.abspath(path)
    if is_path and server is None:
        raise connecting.CliError(f"--model: there is no {'file' if kind else 'directory'} {path}")
    return model


def _load(client: Client, source: str | None) -> str:
    """The name of the model on a server that is there; one that is given by its place is loaded first."""
    if source is None:
        return ""
    if not source.startswith(("/", ".", "http://", "https://", "replay:")):
        return source
    with show.waiting(f"loading {source}"):
        return client.models.load(source).name.removeprefix("models/")
