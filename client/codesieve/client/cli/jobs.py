"""`codesieve jobs`: the jobs of a server."""

from __future__ import annotations

import json
import urllib.parse

import click

from codesieve.client import types
from codesieve.client.cli import common, connecting, rejudge, results, show

CODES = """\b
Exit codes: 0 done, 2 bad usage, no such job, or no server."""


MARGIN_SECONDS = 15
"""Before a job's start and after its end, for what was scraped around it."""


@click.group(epilog="Example: codesieve jobs list --server 10.0.0.5:7420")
def jobs() -> None:
    """See, stop, remove and judge again the jobs of a server."""


@jobs.command("list", epilog=f"{CODES}\nExample: codesieve jobs list --limit 10")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, the newest first.")
@connecting.server_option
@common.json_option
def list_(limit: int, server: connecting.Server, as_json: bool) -> None:
    """List jobs, the newest first."""
    found: list[types.Job] = []
    with connecting.connect(server) as client:
        token = ""
        while len(found) < limit:
            page = client.jobs.list(min(limit - len(found), 1000), token)
            found += page.jobs
            token = page.next_page_token
            if not token:
                break
    if as_json:
        click.echo(json.dumps({"jobs": [results.job(each) for each in found]}))
    else:
        show.jobs(found)


@jobs.command("show", epilog=f"{CODES}\nExample: codesieve jobs show run-1a2b3c")
@click.argument("job")
@click.option(
    "--grafana",
    envvar="CODESIEVE_GRAFANA",
    show_envvar=True,
    metavar="URL",
    help="Where Grafana has codesieve's dashboards (deploy/monitoring): print the link to JOB's time there, too.",
)
@connecting.server_option
@common.json_option
def show_(job: str, grafana: str | None, server: connecting.Server, as_json: bool) -> None:
    """Show JOB, with its report once it has ended."""
    with connecting.connect(server) as client:
        found = client.jobs.get(job)
    link = graphs(grafana, found) if grafana else None
    if as_json:
        click.echo(json.dumps(results.job(found) | ({"graphs": link} if link else {})))
    else:
        show.job(found)
        if link:
            show.stdout().print(show.safe(f"graphs: {link}"), soft_wrap=True)


@jobs.command(
    epilog="""\b
Exit codes: 0 the job succeeded, 1 it failed or was cancelled, 2 bad usage, no such job, or no server.
Example: codesieve jobs watch run-1a2b3c"""
)
@click.argument("job")
@click.option("--after", type=click.IntRange(0), default=0, help="Only the events after this sequence number.")
@connecting.server_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout, one for each event.")
def watch(job: str, after: int, server: connecting.Server, as_json: bool) -> int:
    """Follow JOB until it has ended, over outages of the server too."""
    with connecting.connect(server, connecting.PATIENT) as client:
        for event in client.watch(job, after):
            if as_json:
                click.echo(json.dumps(results.event(event)))
            else:
                show.event(event)
        ended = client.jobs.get(job)
    return 0 if ended.state is types.JobState.SUCCEEDED else 1


@jobs.command(epilog=f"{CODES}\nExample: codesieve jobs cancel run-1a2b3c")
@click.argument("job")
@connecting.server_option
@common.json_option
def cancel(job: str, server: connecting.Server, as_json: bool) -> None:
    """Stop JOB. What was finished stays; a job that has ended stays as it is."""
    with connecting.connect(server) as client:
        _show(client.jobs.cancel(job), as_json)


@jobs.command(epilog=f"{CODES}\nExample: codesieve jobs delete run-1a2b3c run-4d5e6f")
@click.argument("names", metavar="JOB...", nargs=-1, required=True)
@connecting.server_option
@common.json_option
def delete(names: tuple[str, ...], server: connecting.Server, as_json: bool) -> None:
    """Remove each JOB, which must have ended, with its samples and verdicts."""
    with connecting.connect(server) as client:
        for name in names:
            client.jobs.delete(name)
            if not as_json:
                click.echo(f"deleted {name}")
    if as_json:
        click.echo(json.dumps({"deleted": list(names)}))


jobs.add_command(rejudge.rejudge)


def graphs(grafana: str, job: types.Job) -> str:
    """The dashboard "one job" of a Grafana, at the time of this job and for its model."""
    begin, end = job.start_time or job.create_time, job.end_time
    chosen = {
        "from": round((begin.timestamp() - MARGIN_SECONDS) * 1000) if begin else "now-1h",
        "to": round((end.timestamp() + MARGIN_SECONDS) * 1000) if end else "now",
    }
    if job.model:
        chosen["var-model"] = job.model.removeprefix("models/")
    return f"{grafana.rstrip('/')}/d/codesieve-job?{urllib.parse.urlencode(chosen)}"


def _show(job: types.Job, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(results.job(job)))
    else:
        show.job(job)
