"""`codesieve report`: what a run came to, as a page, a text, an object for programs, and figures for a paper."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from codesieve.client.cli import common, connecting, runs, show
from codesieve.client.report import needs

STEPS = 9

EPILOG = f"""{runs.WHAT}

\b
What is written:
  report.html   the page: it needs nothing else, no network and no script; every problem unfolds to its samples
  report.md     its twin in Markdown, report.json in JSON; neither holds the samples (see codesieve export)
  figures/      pass@k against k with the best temperature, ranking by log-probability against the number of samples, BLEU
                of right and wrong samples, verdicts: each as SVG and as PNG (300 dpi)

\b
Exit codes: 0 done, 1 a file can't be written, 2 bad usage or input, no such job, or no server.
Example: codesieve report codesieve-out/run-1a2b3c --out report"""


@click.command(epilog=EPILOG)
@click.argument("given", metavar="JOB|DIR")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where it goes; files there are replaced.  [default: DIR/report, or codesieve-out/JOB/report]",
)
@click.option(
    "--problems",
    metavar="humaneval|FILE",
    help="Where prompts and known solutions are.  [default: what the run tells]",
)
@click.option(
    "--bleu",
    multiple=True,
    metavar="PROBLEM",
    help="Show the BLEU of this problem's samples. Repeatable.  [default: the four most evenly right and wrong]",
)
@connecting.server_option
@common.json_option
def report(
    given: str,
    out: Path | None,
    problems: str | None,
    bleu: tuple[str, ...],
    server: connecting.Server,
    as_json: bool,
) -> None:
    """Make the report of JOB|DIR: pass@k, ranking, verdicts, hardest problems, every sample."""
    needs("codesieve report", "numpy", "matplotlib", "jinja2")
    named = given.removeprefix("jobs/")
    directory = out or (Path(given) if os.path.isdir(given) else Path("codesieve-out") / named) / "report"
    common.check_writable(next(each for each in (directory, *directory.absolute().parents) if each.exists()))
    run = runs.load(given, server)
    with show.Slow("starting", STEPS) as bar:
        bar.at(0)
        from codesieve.client.report.write import write

        done = 0

        def step(what: str) -> None:
            nonlocal done
            bar.at(done, what)
            done += 1

        written = write(run, directory, problems, bleu, step)
    if as_json:
        click.echo(json.dumps({"job": run.name, "samples": len(run.samples), "files": written}))
        return
    for name, path in written.items():
        if name in ("html", "md", "json"):
            show.stdout().print(show.safe(f"wrote {path}"), soft_wrap=True)
    show.stdout().print(
        show.safe(f"wrote {len(written) - 3} figures to {directory.absolute() / 'figures'}"), soft_wrap=True
    )
