"""`codesieve compare`: two runs, paired by problem."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from codesieve.client.cli import common, connecting, runs, show
from codesieve.client.report import needs
from codesieve.client.report.run import Run, temperature_name

if TYPE_CHECKING:
    from codesieve.client.report.compare import Compared

MAX_MOVED = 20

EPILOG = f"""{runs.WHAT}

\b
The difference is B minus A, averaged over problems, with a 95 % bootstrap interval over problems. p is the two-sided
p-value of a sign-flip permutation test over problems: how often a difference as large comes of swapping A and B within
problems at random. Exact where at most 16 problems differ, else 20,000 seeded swaps. It isn't corrected for making
several comparisons. Samples without a verdict count nowhere. Problems that were stopped early have estimates without a
bias, so that such a run can be compared with any other.

\b
Exit codes: 0 done, whatever the difference, 2 bad usage or input, runs that don't match, no such job, or no server.
Example: codesieve compare codesieve-out/before codesieve-out/after -k 1,10"""


@click.command(epilog=EPILOG)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("-k", "ks", metavar="K,K,...", callback=common.ks, help="The k of pass@k.  [default: 1,10,100 as fit]")
@click.option("--common", "in_common", is_flag=True, help="Compare only the problems and temperatures that both have.")
@connecting.server_option
@common.json_option
def compare(a: str, b: str, ks: tuple[int, ...], in_common: bool, server: connecting.Server, as_json: bool) -> None:
    """Compare the runs A and B, each a JOB|DIR: is B better, by how much, and which problems moved."""
    needs("codesieve compare", "numpy")
    if any(k < 1 for k in ks):
        raise click.UsageError("-k: each must be at least 1")
    of_a, of_b = runs.load(a, server), runs.load(b, server)
    from codesieve.client.report import compare as comparing

    found = comparing.compare(of_a, of_b, ks, in_common)
    if as_json:
        click.echo(json.dumps(summary(of_a, of_b, found)))
    else:
        _show(of_a, of_b, found)


def summary(a: Run, b: Run, found: tuple[Compared, ...]) -> dict[str, Any]:
    """The object that --json prints. Temperatures that samples don't tell are null."""
    return {
        "a": {"job": a.name, "where": a.where},
        "b": {"job": b.name, "where": b.where},
        "temperatures": [
            {
                "temperature": one.temperature,
                "problems": one.problems,
                "pass_at_k": [
                    {
                        "k": each.k,
                        "a": each.a,
                        "b": each.b,
                        "difference": each.difference.value,
                        "interval": None
                        if each.difference.low is None
                        else [each.difference.low, each.difference.high],
                        "p_value": each.p_value,
                        "problems": each.difference.problems,
                    }
                    for each in one.differences
                ],
                "moved": [dataclasses.asdict(each) for each in one.moved],
            }
            for one in found
        ],
    }


def _show(a: Run, b: Run, found: tuple[Compared, ...]) -> None:
    console = show.stdout()
    console.print(show.safe(f"A is {a.name} ({a.where})\nB is {b.name} ({b.where})"), soft_wrap=True)
    table = Table(caption="B minus A in percentage points, 95 % interval in brackets; p two-sided, by swapping A and B")
    table.add_column("temp.")
    for name in ("", "problems", "A", "B", "difference", "p"):
        table.add_column(name, justify="right")
    for one in found:
        for each in one.differences:
            estimate = each.difference
            interval = (
                "" if estimate.low is None else f" [{100 * estimate.low:+.1f}, {100 * (estimate.high or 0):+.1f}]"
            )
            table.add_row(
                temperature_name(one.temperature),
                f"pass@{each.k}",
                str(estimate.problems),
                f"{each.a:.1%}",
                f"{each.b:.1%}",
                show.safe(f"{100 * estimate.value:+.1f}{interval}"),
                f"{each.p_value:.2g}" if each.p_value >= 0.0001 else "< 0.0001",
            )
    console.print(table)
    for one in found:
        up = sum(each.change > 0 for each in one.moved)
        at = f"at temperature {temperature_name(one.temperature)}" if one.temperature is not None else "in all"
        better, worse = show.count(up, "problem"), show.count(len(one.moved) - up, "problem")
        same = one.problems - len(one.moved)
        console.print(show.safe(f"{at} B passes more often in {better}, less often in {worse}, as often in {same}"))
        for moved in one.moved[:MAX_MOVED]:
            was, now = (f"{passed}/{samples}" for samples, passed in (moved.a, moved.b))
            console.print(show.safe(f"  {moved.change:+7.1%}  {moved.problem_id}: {was} -> {now}"), soft_wrap=True)
        if len(one.moved) > MAX_MOVED:
            console.print(f"  and {len(one.moved) - MAX_MOVED} more; --json has them all")
