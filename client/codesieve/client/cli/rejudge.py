"""`codesieve jobs rejudge`: has a job's samples judged by today's judge, and shows what that changes."""

from __future__ import annotations

import collections
import dataclasses
import json
from typing import Any

import click
from rich.table import Table

from codesieve.client import types
from codesieve.client.cli import common, connecting, results, show
from codesieve.client.errors import JobFailed
from codesieve.client.sync_client import Client

NO_VERDICT = "no verdict"
MAX_SHOWN = 50


@dataclasses.dataclass(frozen=True)
class Change:
    """A sample whose verdict is another one now."""

    sample_id: str
    before: types.Judgement | None
    after: types.Judgement | None


@click.command(
    epilog="""\b
Exit codes: 0 done, whether or not verdicts changed, 1 the new job (or the server) failed, 2 bad usage, no such job, or no
server, 130 interrupted. A script finds how many verdicts changed in --json's `changed`, and which in `changes`.
Example: codesieve jobs rejudge run-1a2b3c --json | jq .changed"""
)
@click.argument("job")
@click.option("--job-id", help="The new job's id. Naming one again comes back to that job.  [default: a new one]")
@connecting.server_option
@common.json_option
def rejudge(job: str, job_id: str | None, server: connecting.Server, as_json: bool) -> None:
    """Judge the samples of JOB, which must have ended, again, and show the verdicts that changed."""
    chosen = job_id or common.new_job_id("rejudge")
    bar = show.JobBar()
    with connecting.connect(server, connecting.PATIENT, bar.outage) as client:
        new = client.jobs.rejudge(job, chosen)
        try:
            with bar:
                after = client.result(new, bar.see)
        except KeyboardInterrupt:
            come_back = common.same_command(chosen)
            what = f"interrupted; job {chosen} goes on. Come back to it with: {come_back}"
            raise connecting.CliError(what, 130) from None
        before = _ended(client, job)
    found = changes(before, after)
    if as_json:
        click.echo(json.dumps(summary(before, after, found)))
    else:
        _show(before, after, found)


def _ended(client: Client, job: str) -> types.RunResult:
    """What a job came to, however it ended."""
    try:
        return client.result(job)
    except JobFailed as failed:
        return failed.result


def changes(before: types.RunResult, after: types.RunResult) -> list[Change]:
    """The samples whose verdict is another one now, in their order."""
    known = {each.sample_id: each.judgement for each in before.samples}
    return [
        Change(each.sample_id, known.get(each.sample_id), each.judgement)
        for each in after.samples
        if _verdict(known.get(each.sample_id)) != _verdict(each.judgement)
    ]


def summary(before: types.RunResult, after: types.RunResult, found: list[Change]) -> dict[str, Any]:
    """The object that --json prints. A verdict is null where there is none."""
    counts = collections.Counter((_verdict(each.before), _verdict(each.after)) for each in found)
    return {
        "job": before.job.job_id,
        "rejudged_as": after.job.job_id,
        "samples": len(after.samples),
        "counted_samples_per_problem": after.job.counted_samples_per_problem or None,
        "changed": len(found),
        "counts": [{"before": was, "after": now, "samples": number} for (was, now), number in counts.most_common()],
        "changes": [
            {
                "sample_id": each.sample_id,
                "before": _verdict(each.before),
                "after": _verdict(each.after),
                "detail_before": _detail(each.before),
                "detail_after": _detail(each.after),
            }
            for each in found
        ],
        "pass_at_k": {
            "before": results.report(before.report)["pass_at_k"],
            "after": results.report(after.report)["pass_at_k"],
        },
    }


def _show(before: types.RunResult, after: types.RunResult, found: list[Change]) -> None:
    console = show.stdout()
    told = f"{before.job.name} judged again as {after.job.name}: {len(found)} of {len(after.samples)} verdicts changed"
    console.print(show.safe(told))
    counts = collections.Counter((_verdict(each.before), _verdict(each.after)) for each in found)
    for (was, now), number in counts.most_common():
        console.print(show.safe(f"  {number} x {was or NO_VERDICT} -> {now or NO_VERDICT}"))
    for each in found[:MAX_SHOWN]:
        line = f"{each.sample_id}: {_verdict(each.before) or NO_VERDICT} -> {_verdict(each.after) or NO_VERDICT}"
        detail = _detail(each.after) or _detail(each.before)
        console.print(show.safe(f"{line} ({detail})" if detail else line), soft_wrap=True)
    if len(found) > MAX_SHOWN:
        console.print(f"and {len(found) - MAX_SHOWN} more; --json has them all")
    table = Table("temp.", "pass@k", "before", "after")
    at_first, today = _pass_at_k(before.report), _pass_at_k(after.report)
    for temperature, k in {**at_first, **today}:
        figures = [each.get((temperature, k)) for each in (at_first, today)]
        table.add_row(temperature, f"pass@{k}", *("-" if each is None else f"{each:.1%}" for each in figures))
    console.print(table)
    if after.job.counted_samples_per_problem:
        console.print(show.COUNTED.format(after.job.counted_samples_per_problem), soft_wrap=True)


def _pass_at_k(report: types.Report | None) -> dict[tuple[str, int], float]:
    return {
        ("not told" if one.temperature is None else f"{one.temperature:g}", each.k): each.value
        for one in (report.temperatures if report else ())
        for each in one.pass_at_k
    }


def _verdict(judgement: types.Judgement | None) -> str | None:
    return None if judgement is None or judgement.verdict is None else judgement.verdict.value


def _detail(judgement: types.Judgement | None) -> str:
    if judgement is None:
        return ""
    return f"{judgement.unjudged.reason}: {judgement.unjudged.message}" if judgement.unjudged else judgement.detail
