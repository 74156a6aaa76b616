"""What Prometheus works out as it goes: the figures that alerts look at, which the dashboards show as well."""

from __future__ import annotations

import dataclasses

from deploy.monitoring.promql import per_second, quantile, select

from codesieve.server.sharing import Priority
from codesieve.workers import catalogue as c

FAULTS = 'code=~"UNKNOWN|INTERNAL|UNAVAILABLE|DATA_LOSS|DEADLINE_EXCEEDED"'
"""How a call ends by a fault of the server's; the other codes are the caller's doing, a quota, or a call given up."""


@dataclasses.dataclass(frozen=True, slots=True)
class Recorded:
    """A series that Prometheus makes of others, named as is the custom: what it is of, the figure, and over which time."""

    name: str
    expression: str


_WORKER = ("pool", "worker")
_RAN = 'phase="run"'
_LOST = 'reason=~"lost|dirty"'
_INTERACTIVE = f'priority="{Priority.INTERACTIVE.value}"'
_IDLE = c.ENGINE_COUNTERS["idle_seconds"]


def _unjudged() -> str:
    unjudged = per_second(c.SAMPLES_UNJUDGED, over="5m")
    return f"{unjudged} / ({per_second(c.SAMPLES_JUDGED, over='5m')} + {unjudged})"


def _tampered(over: str) -> str:
    return f"{per_second(c.TAMPER_ATTEMPTS, over=over)} / {per_second(c.JUDGE_SECONDS, _RAN, over=over)}"


UNJUDGED = Recorded("codesieve:samples_unjudged:ratio_rate5m", _unjudged())
RPC_FAULTS = Recorded(
    "codesieve:rpc_faults:ratio_rate5m",
    # A code that never came has no series: that is none, and not unknown.
    f"({per_second(c.RPCS, FAULTS, over='5m')} or vector(0)) / {per_second(c.RPCS, over='5m')}",
)
REWARD_P95 = Recorded(
    "codesieve:reward_latency_seconds:p95_rate5m", quantile(0.95, c.REWARD_SECONDS, _INTERACTIVE, over="5m")
)
ENGINES_IDLE = Recorded("codesieve:engine_idle:ratio_rate5m", f"avg (rate({select(_IDLE)}[5m]))")
CELLS_LOST = Recorded(
    "pool_worker:codesieve_cells_lost:ratio_rate5m",
    f"{per_second(c.CELLS_DESTROYED, _LOST, by=_WORKER, over='5m')}"
    f" / {per_second(c.JUDGE_SECONDS, _RAN, by=_WORKER, over='5m')}",
)
LEAKING = Recorded(
    "codesieve:cell_leaks:ratio_rate5m",
    f"{per_second(c.CELL_LEAKS, over='5m')} / {per_second(c.JUDGE_SECONDS, _RAN, over='5m')}",
)
TAMPERED = Recorded("codesieve:tamper_attempts:ratio_rate30m", _tampered("30m"))
TAMPERED_BEFORE = Recorded("codesieve:tamper_attempts:ratio_rate6h", _tampered("6h"))

RECORDED = (UNJUDGED, RPC_FAULTS, REWARD_P95, ENGINES_IDLE, CELLS_LOST, LEAKING, TAMPERED, TAMPERED_BEFORE)
