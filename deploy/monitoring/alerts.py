"""What an operator is told: each alert as its conditions, which all have to hold, for a time.

The conditions are kept apart from their bounds so that a test can evaluate the figures on a healthy service, where the
alerts themselves are, and ought to be, silent. RUNBOOK.md has a paragraph for each.
"""

from __future__ import annotations

import dataclasses

from deploy.monitoring import bounds
from deploy.monitoring.promql import (
    MOST_FILES,
    OPEN_FILES,
    RAY_DISK,
    RAY_MEMORY,
    RAY_MEMORY_USED,
    UP,
    highest,
    increase,
    select,
    total,
)
from deploy.monitoring.recorded import (
    CELLS_LOST,
    ENGINES_IDLE,
    LEAKING,
    REWARD_P95,
    RPC_FAULTS,
    TAMPERED,
    TAMPERED_BEFORE,
    UNJUDGED,
)

from codesieve.server.jobs.model import JobState
from codesieve.workers import catalogue as c

PAGE, TICKET = "page", "ticket"
"""Somebody has to look now; within a day."""


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """A figure, and the bound that it is above or below."""

    figure: str
    operator: str
    bound: float

    @property
    def expression(self) -> str:
        return f"{self.figure} {self.operator} {self.bound:g}"


@dataclasses.dataclass(frozen=True, slots=True)
class Alert:
    """`lasting`: how long all its conditions hold before it fires. `summary` may use Prometheus' templates."""

    name: str
    severity: str
    lasting: str
    summary: str
    conditions: tuple[Condition, ...]

    @property
    def expression(self) -> str:
        if len(self.conditions) == 1:
            return self.conditions[0].expression
        return " and on () ".join(f"({condition.expression})" for condition in self.conditions)

    @property
    def anchor(self) -> str:
        """Of its paragraph in the runbook."""
        return self.name.lower()


def _when(figure: str, operator: str, bound: float) -> tuple[Condition, ...]:
    return (Condition(figure, operator, bound),)


_FRONT_END = 'component="front-end"'
_OLDEST_HERE = 'hop=~"generation|judge|store"'
_FAILED = f'state="{JobState.FAILED.value}"'

ALERTS = (
    Alert(
        "CodesieveFrontEndDown",
        PAGE,
        "1m",
        "A front end doesn't answer",
        # Prometheus knows no target at all if none answered since it was started.
        _when(f"({select(UP, _FRONT_END)} or on () vector(0))", "<", 1),
    ),
    Alert(
        "CodesieveStoreDown",
        PAGE,
        "1m",
        "The store of jobs can't be reached: jobs stand still",
        _when(f"min ({select(c.STORE_UP)})", "<", 1),
    ),
    Alert(
        "CodesieveNoWorkerRuns",
        PAGE,
        "2m",
        "No worker of {{ $labels.pool }} takes work",
        _when(total(c.WORKERS, 'state="running"', by=("pool",)), "<", 1),
    ),
    Alert(
        "CodesieveWorkersLost",
        TICKET,
        "0m",
        '{{ $value | printf "%.0f" }} workers of {{ $labels.pool }} were lost within 15 minutes',
        _when(increase(c.WORKERS_LOST, by=("pool",), over="15m"), ">=", bounds.WORKERS_LOST),
    ),
    Alert(
        "CodesieveWaitsLong",
        PAGE,
        "5m",
        "Work has waited at the hop {{ $labels.hop }} for {{ $value | humanizeDuration }}",
        _when(highest(c.OLDEST_SECONDS, _OLDEST_HERE, by=("hop",)), ">", bounds.WAITING_SECONDS),
    ),
    Alert(
        "CodesieveUnjudged",
        PAGE,
        "5m",
        "{{ $value | humanizePercentage }} of the samples end without a verdict",
        _when(UNJUDGED.name, ">", bounds.UNJUDGED_SHARE),
    ),
    Alert(
        "CodesieveJobsFailed",
        TICKET,
        "0m",
        "A job failed",
        _when(increase(c.JOBS_ENDED, _FAILED, over="15m"), ">", 0),
    ),
    Alert(
        "CodesieveRewardSlow",
        PAGE,
        "5m",
        "Trainers wait {{ $value | humanizeDuration }} for a reward (p95)",
        _when(REWARD_P95.name, ">", bounds.REWARD_SECONDS),
    ),
    Alert(
        "CodesieveEnginesIdle",
        TICKET,
        "10m",
        "Engines stand idle {{ $value | humanizePercentage }} of the time while samples wait for the judge",
        (
            Condition(ENGINES_IDLE.name, ">", bounds.ENGINE_IDLE_SHARE),
            Condition(highest(c.OLDEST_SECONDS, 'hop="judge"'), ">", bounds.JUDGE_WAITING_SECONDS),
        ),
    ),
    Alert(
        "CodesieveCellsLost",
        TICKET,
        "10m",
        "{{ $value | humanizePercentage }} of the programs cost their cell at worker {{ $labels.worker }}",
        _when(CELLS_LOST.name, ">", bounds.CELLS_DESTROYED_SHARE),
    ),
    Alert(
        "CodesieveLeaks",
        TICKET,
        "10m",
        "{{ $value | humanizePercentage }} of the programs leave something behind",
        _when(LEAKING.name, ">", bounds.LEAKING_SHARE),
    ),
    Alert(
        "CodesieveTamperingRises",
        TICKET,
        "0m",
        "Programs reach for the judge {{ $value | humanize }} times as often as before",
        (
            Condition(f"({TAMPERED.name} / {TAMPERED_BEFORE.name})", ">", bounds.TAMPER_GROWTH),
            Condition(increase(c.TAMPER_ATTEMPTS, over="30m"), ">=", bounds.TAMPER_ATTEMPTS),
        ),
    ),
    Alert(
        "CodesieveRpcFaults",
        PAGE,
        "5m",
        "{{ $value | humanizePercentage }} of the calls fail by our fault",
        _when(RPC_FAULTS.name, ">", bounds.RPC_FAULT_SHARE),
    ),
    Alert(
        "CodesieveOpenFiles",
        TICKET,
        "5m",
        "{{ $labels.component }}{{ with $labels.worker }} {{ . }}{{ end }} has "
        "{{ $value | humanizePercentage }} of its files open",
        _when(f"{select(OPEN_FILES)} / {select(MOST_FILES)}", ">", bounds.OPEN_FILES_SHARE),
    ),
    Alert(
        "CodesieveNotScraped",
        TICKET,
        "5m",
        "Worker {{ $labels.worker }} of {{ $labels.pool }} doesn't tell its metrics",
        _when(select(UP, 'component=~"sandbox|generation"'), "<", 1),
    ),
    Alert(
        "CodesieveRayMemory",
        PAGE,
        "5m",
        "{{ $value | humanizePercentage }} of the memory of Ray's node {{ $labels.ip }} is in use",
        _when(f"{select(RAY_MEMORY_USED)} / {select(RAY_MEMORY)}", ">", bounds.RAY_MEMORY_SHARE),
    ),
    Alert(
        "CodesieveRayDisk",
        TICKET,
        "5m",
        "{{ $value | humanizePercentage }} of a disk of Ray's node {{ $labels.ip }} is in use",
        _when(f"{select(RAY_DISK)} / 100", ">", bounds.RAY_DISK_SHARE),
    ),
)
