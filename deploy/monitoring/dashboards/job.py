"""What went on while one job ran. No series has a job's name, so its time is what picks it out; the dashboard says so."""

from __future__ import annotations

from deploy.monitoring.dashboards import shared
from deploy.monitoring.panels import COUNT, PER_SECOND, SHARE, Line, Variable, board, graph, number, words
from deploy.monitoring.promql import increase, per_second, select, total

from codesieve.server.jobs.model import JobState
from codesieve.workers import catalogue as c
from codesieve.workers.types import Verdict

MODEL = 'model=~"$model"'
JOB = 'source="job"'
ALL = "$__range"

TEXT = """\
**Set the time range to the job's**, as `codesieve jobs show JOB` tells it, and choose its model. No metric is labelled with
a job (there would be a series for each job ever run), so these are *all* jobs' figures while yours ran: where "Jobs at a
time" says 1 they are yours alone. Counts are near, not exact: Prometheus reckons them from what it scraped. What is surely
the job's own, its verdicts, pass@k, slowest programs and why a sample is unjudged, is in `codesieve jobs watch JOB` and
`codesieve report JOB`."""


def job() -> str:
    return board(
        "codesieve-job",
        "codesieve: one job",
        "What went on while one job ran: set the time range to the job's.",
        (Variable("model", "Model", c.SAMPLES_GENERATED, "model"),),
        (
            ("How to read this", [words("", TEXT)]),
            ("In this time", _sums()),
            ("Its way through", _way()),
            ("Where it waited", shared.waiting()),
            ("What it ran on", [*_engines(), *shared.phases()]),
            ("What was in its way", _trouble()),
        ),
    )


def _sums() -> list[shared.Panel]:
    passed = f'verdict="{Verdict.PASSED.value}"'
    running = f'state="{JobState.RUNNING.value}"'
    judged = increase(c.SAMPLES_JUDGED, JOB, over=ALL)
    return [
        number(
            "Jobs at a time",
            "The most jobs that ran together in this time. 1: all figures here are that job's.",
            COUNT,
            Line(f"max_over_time(sum({select(c.JOBS, running)})[{ALL}:])", "jobs"),
            width=4,
        ),
        number(
            "Made",
            "Samples of the model.",
            COUNT,
            Line(increase(c.SAMPLES_GENERATED, MODEL, over=ALL), "made"),
            width=4,
            decimals=0,
        ),
        number("Judged", "Samples of jobs with a verdict.", COUNT, Line(judged, "judged"), width=4, decimals=0),
        number(
            "Passed",
            "Share of the jobs' samples with a verdict. Not pass@1: that is a mean over problems.",
            SHARE,
            Line(f"{increase(c.SAMPLES_JUDGED, JOB, passed, over=ALL)} / {judged}", "passed"),
            width=4,
            decimals=1,
        ),
        number(
            "Unjudged",
            "Samples of jobs that ended without a verdict.",
            COUNT,
            Line(increase(c.SAMPLES_UNJUDGED, JOB, over=ALL), "unjudged"),
            width=4,
            bad_above=1,
            decimals=0,
        ),
        number(
            "Workers lost",
            "And replaced. Their work was done elsewhere.",
            COUNT,
            Line(increase(c.WORKERS_LOST, over=ALL), "lost"),
            width=4,
            bad_above=1,
            decimals=0,
        ),
    ]


def _way() -> list[shared.Panel]:
    return [
        graph(
            "Jobs",
            "Jobs that front ends ran at this time, by state.",
            COUNT,
            Line(total(c.JOBS, by=("state",)), "{{state}}"),
        ),
        graph(
            "Samples per second",
            "Made by the model, and judged for jobs. The lower of the two is what the job waits for.",
            PER_SECOND,
            Line(per_second(c.SAMPLES_GENERATED, MODEL, by=("model",)), "{{model}} made"),
            Line(per_second(c.SAMPLES_JUDGED, JOB), "judged"),
        ),
        shared.verdicts(
            "Of jobs, by kind.", Line(per_second(c.SAMPLES_JUDGED, JOB, by=("verdict",)), "{{verdict}}"), width=8
        ),
    ]


def _engines() -> list[shared.Panel]:
    tokens, idle = c.ENGINE_COUNTERS["generation_tokens"], c.ENGINE_COUNTERS["idle_seconds"]
    return [
        graph(
            "Tokens per second",
            "Sampled, by worker.",
            PER_SECOND,
            Line(per_second(tokens, MODEL, by=("model", "worker")), "{{model}} {{worker}}"),
        ),
        graph(
            "Engines idle",
            "Share of the time in which an engine had nothing to do. High while the job ran: it waited for the judge.",
            SHARE,
            Line(f"rate({select(idle, MODEL)}[$__rate_interval])", "{{model}} {{worker}}"),
            highest=1,
        ),
        graph("Cells", "By state.", COUNT, Line(total(c.CELLS, by=("state",)), "{{state}}"), stacked=True),
    ]


def _trouble() -> list[shared.Panel]:
    return [
        graph(
            "Unjudged per second",
            "Samples of jobs that ended without a verdict, by why.",
            PER_SECOND,
            Line(per_second(c.SAMPLES_UNJUDGED, JOB, by=("reason",)), "{{reason}}"),
        ),
        graph(
            "Done again because of us",
            "Work that met with an outage, a lost cell or a lost worker, and was done elsewhere.",
            PER_SECOND,
            Line(per_second(c.RETRIES, by=("pool", "reason")), "{{pool}} {{reason}}"),
        ),
        graph(
            "Store",
            "1 while the store could be reached: a job stands still while it can't, and fails not.",
            COUNT,
            Line(f"min ({select(c.STORE_UP)})", "reachable"),
            highest=1,
        ),
    ]
