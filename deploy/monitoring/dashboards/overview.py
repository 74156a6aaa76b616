"""Is the service well, and if it isn't, which part: what one looks at first."""

from __future__ import annotations

from deploy.monitoring import bounds
from deploy.monitoring.dashboards import shared
from deploy.monitoring.panels import BYTES, COUNT, PER_SECOND, SECONDS, SHARE, Line, Variable, board, graph, number
from deploy.monitoring.promql import (
    ALERTS,
    CPU,
    MEMORY,
    MOST_FILES,
    OPEN_FILES,
    RAY_DISK,
    RAY_MEMORY,
    RAY_MEMORY_USED,
    UP,
    highest,
    increase,
    per_second,
    quantile,
    select,
    total,
)
from deploy.monitoring.recorded import RPC_FAULTS, UNJUDGED

from codesieve.server.jobs.model import JobState
from codesieve.workers import catalogue as c

STREAMS = 'method!~"WatchJob|Judge|UploadJob"'
"""A stream's time is its client's: it would drown the others."""
POOL = 'pool=~"$pool"'
FIRING = 'alertstate="firing"'
OURS = 'component!="ray"'
PROCESS = "{{component}} {{pool}} {{worker}}"


def overview() -> str:
    pool = Variable("pool", "Pool", c.WORKERS, "pool")
    return board(
        "codesieve-overview",
        "codesieve: overview",
        "Is the service well, and if not, which part of it.",
        (pool,),
        (
            ("Now", _now()),
            ("Jobs and samples", _work()),
            ("Where it waits", shared.waiting()),
            ("Workers", _workers()),
            ("Calls", _calls()),
            ("Store and processes", _processes()),
            ("Ray (where it exports metrics)", _ray()),
        ),
    )


def _now() -> list[shared.Panel]:
    running = f'state="{JobState.RUNNING.value}"'
    return [
        number(
            "Front ends",
            "Front ends that answer Prometheus.",
            COUNT,
            Line(total(UP, 'component="front-end"'), "up"),
            bad_below=1,
        ),
        number(
            "Store",
            "Whether the store of jobs can be reached, by the front end that is worst off.",
            COUNT,
            Line(f"min ({select(c.STORE_UP)})", "store"),
            bad_below=1,
            words={"0": "away", "1": "there"},
        ),
        number(
            "Workers running",
            "Workers that take work now, of all pools chosen.",
            COUNT,
            Line(total(c.WORKERS, POOL, 'state="running"'), "running"),
            bad_below=1,
        ),
        number("Jobs running", "Jobs that a front end runs now.", COUNT, Line(total(c.JOBS, running), "running")),
        number(
            "Judged per second",
            "Samples with a verdict, those of jobs and of trainers' streams together.",
            PER_SECOND,
            Line(per_second(c.SAMPLES_JUDGED), "judged"),
            decimals=1,
        ),
        number(
            "Unjudged",
            "Share of samples that ended without a verdict, over five minutes. An outage is never a verdict.",
            SHARE,
            Line(UNJUDGED.name, "unjudged"),
            bad_above=bounds.UNJUDGED_SHARE,
            decimals=2,
        ),
        number(
            "Oldest waiting",
            "The age of what waits longest, wherever.",
            SECONDS,
            Line(highest(c.OLDEST_SECONDS), "oldest"),
            bad_above=bounds.WAITING_SECONDS,
            decimals=1,
        ),
        number(
            "Alerts",
            "Alerts that fire now; deploy/monitoring/RUNBOOK.md says what to do.",
            COUNT,
            Line(f"count ({select(ALERTS, FIRING)}) or vector(0)", "firing"),
            bad_above=1,
        ),
    ]


def _work() -> list[shared.Panel]:
    return [
        graph("Jobs", "Jobs that front ends run, by state.", COUNT, Line(total(c.JOBS, by=("state",)), "{{state}}")),
        graph(
            "Jobs that ended",
            "How many ended in each interval, by how.",
            COUNT,
            Line(increase(c.JOBS_ENDED, by=("state",)), "{{state}}"),
        ),
        graph(
            "Samples per second",
            "Made, judged (those taken from an equal program's verdict included), and ended without a verdict.",
            PER_SECOND,
            Line(per_second(c.SAMPLES_GENERATED), "made"),
            Line(per_second(c.SAMPLES_JUDGED), "judged"),
            Line(per_second(c.CACHE_HITS), "of them from the cache"),
            Line(per_second(c.SAMPLES_UNJUDGED), "unjudged"),
        ),
        shared.verdicts("By kind.", Line(per_second(c.SAMPLES_JUDGED, by=("verdict",)), "{{verdict}}"), width=12),
        graph(
            "Unjudged per second",
            "Samples that ended without a verdict, by why. They count in no metric of a job.",
            PER_SECOND,
            Line(per_second(c.SAMPLES_UNJUDGED, by=("reason",)), "{{reason}}"),
            width=12,
        ),
    ]


def _workers() -> list[shared.Panel]:
    return [
        graph(
            "Workers",
            "By pool and state. A worker rests after it failed at something that wasn't the work's fault.",
            COUNT,
            Line(total(c.WORKERS, POOL, by=("pool", "state")), "{{pool}} {{state}}"),
            stacked=True,
        ),
        graph(
            "Workers lost",
            "Workers lost and replaced in each interval.",
            COUNT,
            Line(increase(c.WORKERS_LOST, POOL, by=("pool",)), "{{pool}}"),
        ),
        graph(
            "Done again because of us",
            "Work that met with an outage, a lost cell or a lost worker, and is done elsewhere.",
            PER_SECOND,
            Line(per_second(c.RETRIES, POOL, by=("pool", "reason")), "{{pool}} {{reason}}"),
        ),
    ]


def _calls() -> list[shared.Panel]:
    return [
        graph(
            "Calls per second",
            "Finished rpcs, by gRPC status code.",
            PER_SECOND,
            Line(per_second(c.RPCS, by=("code",)), "{{code}}"),
            width=6,
            stacked=True,
        ),
        graph(
            "Share that failed by our fault",
            "UNKNOWN, INTERNAL, UNAVAILABLE, DATA_LOSS, DEADLINE_EXCEEDED; a caller's own mistakes don't count.",
            SHARE,
            Line(RPC_FAULTS.name, "faults"),
            width=6,
            alert_above=bounds.RPC_FAULT_SHARE,
        ),
        graph(
            "Time of a call",
            "95 of 100 are done sooner. Streams are left out: their time is their client's.",
            SECONDS,
            Line(quantile(0.95, c.RPC_SECONDS, STREAMS, by=("method",)), "{{method}}"),
            width=6,
        ),
        graph(
            "Calls under way",
            "Open streams among them.",
            COUNT,
            Line(total(c.RPCS_IN_FLIGHT, by=("method",)), "{{method}}"),
            width=6,
        ),
    ]


def _processes() -> list[shared.Panel]:
    return [
        graph(
            "Writing a batch of events",
            "Time until the store has it.",
            SECONDS,
            *(Line(quantile(q, c.STORE_SECONDS), f"p{q * 100:g}") for q in (0.5, 0.95, 0.99)),
            width=6,
        ),
        graph(
            "Memory",
            "Resident memory of each process; cells are processes of their own and not in it.",
            BYTES,
            Line(select(MEMORY, OURS), PROCESS),
            width=6,
        ),
        graph(
            "Processor time",
            "Cores that each process keeps busy.",
            COUNT,
            Line(f"rate({select(CPU, OURS)}[$__rate_interval])", PROCESS),
            width=6,
        ),
        graph(
            "Open files",
            "Share of the files and sockets that a process may have open.",
            SHARE,
            Line(f"{select(OPEN_FILES)} / {select(MOST_FILES)}", PROCESS),
            width=6,
            alert_above=bounds.OPEN_FILES_SHARE,
        ),
        number(
            "Builds",
            "What runs here. More than one version of a component: an update is under way, or stuck.",
            COUNT,
            Line(f"count by (component, version) ({select(c.BUILD_INFO)})", "{{component}} {{version}}"),
            width=24,
            names=True,
        ),
    ]


def _ray() -> list[shared.Panel]:
    return [
        graph(
            "Memory of Ray's nodes",
            "Share in use. Ray kills workers at 95 %.",
            SHARE,
            Line(f"{select(RAY_MEMORY_USED)} / {select(RAY_MEMORY)}", "{{ip}}"),
            width=12,
            highest=1,
            alert_above=bounds.RAY_MEMORY_SHARE,
        ),
        graph(
            "Disks of Ray's nodes",
            "Share in use.",
            SHARE,
            Line(f"{select(RAY_DISK)} / 100", "{{ip}}"),
            width=12,
            highest=1,
            alert_above=bounds.RAY_DISK_SHARE,
        ),
    ]
