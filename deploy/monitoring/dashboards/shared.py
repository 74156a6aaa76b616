"""Panels that several dashboards have."""

from __future__ import annotations

from deploy.monitoring import bounds
from deploy.monitoring.panels import COUNT, PER_SECOND, SECONDS, Line, graph
from deploy.monitoring.promql import highest, mean, quantile, total
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as models

from codesieve.workers import catalogue as c
from codesieve.workers.types import Verdict

Panel = Builder[models.Panel]

VERDICT_COLORS = {
    Verdict.PASSED: "#73bf69",
    Verdict.FAILED: "#5794f2",
    Verdict.RAISED: "#ff9830",
    Verdict.SYNTAX_ERROR: "#fade2a",
    Verdict.TIMED_OUT: "#b877d9",
    Verdict.OUT_OF_MEMORY: "#37c8c8",
    Verdict.OUTPUT_LIMIT: "#a16a4f",
    Verdict.CRASHED: "#8e8e8e",
    Verdict.TAMPERED: "#f2495c",
}
"""The same in every graph."""

HOPS = "Hops: for a generation worker, for a sandbox worker (judge), to be written (store), for the client to take it."


def verdicts(says: str, *lines: Line, width: int) -> Panel:
    """Verdicts by kind, stacked."""
    colors = {verdict.value: color for verdict, color in VERDICT_COLORS.items()}
    return graph("Verdicts per second", says, PER_SECOND, *lines, width=width, stacked=True, colors=colors)


def waiting() -> list[Panel]:
    """What waits where, and how long. The hop whose lines rise is the part that is slow."""
    return [
        graph("What waits", HOPS, COUNT, Line(total(c.QUEUE_DEPTH, by=("hop",)), "{{hop}}")),
        graph(
            "How long it waited",
            f"95 of 100 waited less, once they went on. {HOPS}",
            SECONDS,
            Line(quantile(0.95, c.QUEUE_SECONDS, by=("hop",)), "{{hop}}"),
        ),
        graph(
            "Age of the oldest",
            f"What waits longest now; 0 for nothing. {HOPS}",
            SECONDS,
            Line(highest(c.OLDEST_SECONDS, by=("hop",)), "{{hop}}"),
            alert_above=bounds.WAITING_SECONDS,
        ),
    ]


def phases(*matchers: str) -> list[Panel]:
    """Where a program's time goes in its worker."""
    says = "wait: until it has a cell; fork: until its process is ready; run: until that has ended; compare: the rest."
    quantiles = "Stacked to be seen beside each other: the sum is not the whole's quantile."
    return [
        graph(
            "A program's time, mean",
            says,
            SECONDS,
            Line(mean(c.JUDGE_SECONDS, *matchers, by=("phase",)), "{{phase}}"),
            stacked=True,
        ),
        *(
            graph(
                f"A program's time, p{q * 100:g}",
                f"{says} {quantiles}",
                SECONDS,
                Line(quantile(q, c.JUDGE_SECONDS, *matchers, by=("phase",)), "{{phase}}"),
                stacked=True,
            )
            for q in (0.5, 0.95)
        ),
    ]
