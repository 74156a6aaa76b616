"""Each alert fires when it should and is silent when not, by promtool's own evaluation of the shipped rules."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy.monitoring import generate, promql
from deploy.monitoring.alerts import ALERTS

from codesieve.workers import catalogue as c

pytestmark = pytest.mark.prometheus

MINUTES = 30
RULES = generate.HERE / generate.RULES

Series = dict[str, str]


def series(metric: promql.Metric, values: str, *, ending: str = "", **labels: str) -> Series:
    """One series, with a value each minute: ``0+6x30`` grows by six a minute."""
    inside = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return {"series": f"{metric.name}{ending}{{{inside}}}", "values": values}


def rewards(quick: int, slow: int) -> list[Series]:
    """How many a minute are answered within a second, and how many take up to ten."""
    counts = {"1": quick, "10": quick + slow, "+Inf": quick + slow}
    of = {"priority": "INTERACTIVE"}
    return [series(c.REWARD_SECONDS, f"0+{n}x30", ending="_bucket", le=le, **of) for le, n in counts.items()]


def ran(programs: int, labels: Series | None = None, minutes: int = MINUTES) -> Series:
    return series(c.JUDGE_SECONDS, f"0+{programs}x{minutes}", ending="_count", phase="run", **(labels or {}))


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """What makes an alert fire after `minutes`, with which labels and summary, and what comes near and doesn't."""

    fires: list[Series]
    silent: list[Series]
    summary: str
    labels: Series = dataclasses.field(default_factory=dict)
    minutes: int = MINUTES


SANDBOX = {"pool": "sandbox", "worker": "1"}
FRONT_END = {"component": "front-end", "instance": "a:9464"}
IDLE = c.ENGINE_COUNTERS["idle_seconds"]
ENGINE = {"model": "m", "worker": "0"}
NODE = {"ip": "10.0.0.1"}

CASES = {
    "CodesieveFrontEndDown": Case(
        [
            series(promql.UP, "1x25 0x5", **FRONT_END),
            series(promql.UP, "1x30", component="front-end", instance="b:9464"),
        ],
        [series(promql.UP, "1x30", **FRONT_END)],
        "A front end doesn't answer",
        FRONT_END,
    ),
    "CodesieveStoreDown": Case(
        [series(c.STORE_UP, "1x30", instance="a:9464"), series(c.STORE_UP, "1x20 0x10", instance="b:9464")],
        [series(c.STORE_UP, "1x20 0x3 1x7", instance="a:9464")],
        "The store of jobs can't be reached: jobs stand still",
    ),
    "CodesieveNoWorkerRuns": Case(
        [
            series(c.WORKERS, "2x20 0x10", pool="sandbox", state="running"),
            series(c.WORKERS, "2x30", pool="sandbox", state="resting"),
        ],
        [
            series(c.WORKERS, "1x30", pool="sandbox", state="running"),
            series(c.WORKERS, "2x30", pool="sandbox", state="resting"),
        ],
        "No worker of sandbox takes work",
        {"pool": "sandbox"},
    ),
    "CodesieveWorkersLost": Case(
        [series(c.WORKERS_LOST, "0x16 4x14", pool="sandbox")],
        [series(c.WORKERS_LOST, "0x16 1x14", pool="sandbox")],
        "4 workers of sandbox were lost within 15 minutes",
        {"pool": "sandbox"},
    ),
    "CodesieveWaitsLong": Case(
        [series(c.OLDEST_SECONDS, "0+60x30", hop="judge")],
        # A client may take its time.
        [series(c.OLDEST_SECONDS, "0+60x30", hop="client"), series(c.OLDEST_SECONDS, "500x30", hop="judge")],
        "Work has waited at the hop judge for 30m 0s",
        {"hop": "judge"},
    ),
    "CodesieveUnjudged": Case(
        [
            series(c.SAMPLES_JUDGED, "0+950x30", verdict="PASSED"),
            series(c.SAMPLES_UNJUDGED, "0+50x30", reason="CELL_LOST"),
        ],
        [
            series(c.SAMPLES_JUDGED, "0+999x30", verdict="PASSED"),
            series(c.SAMPLES_UNJUDGED, "0+1x30", reason="CELL_LOST"),
        ],
        "5% of the samples end without a verdict",
    ),
    "CodesieveJobsFailed": Case(
        [series(c.JOBS_ENDED, "0x20 1x10", state="FAILED")],
        [series(c.JOBS_ENDED, "0+1x30", state="SUCCEEDED"), series(c.JOBS_ENDED, "3x30", state="FAILED")],
        "A job failed",
    ),
    "CodesieveRewardSlow": Case(
        rewards(quick=50, slow=50), rewards(quick=990, slow=10), "Trainers wait 9.1s for a reward (p95)"
    ),
    "CodesieveEnginesIdle": Case(
        [series(IDLE, "0+48x30", **ENGINE), series(c.OLDEST_SECONDS, "60x30", hop="judge")],
        [series(IDLE, "0+48x30", **ENGINE), series(c.OLDEST_SECONDS, "0x30", hop="judge")],
        "Engines stand idle 80% of the time while samples wait for the judge",
    ),
    "CodesieveCellsLost": Case(
        [ran(100, SANDBOX), series(c.CELLS_DESTROYED, "0+10x30", reason="dirty", **SANDBOX)],
        # Cells that are for one program each are given up as they ought to be.
        [ran(100, SANDBOX), series(c.CELLS_DESTROYED, "0+100x30", reason="used", **SANDBOX)],
        "10% of the programs cost their cell at worker 1",
        SANDBOX,
    ),
    "CodesieveLeaks": Case(
        [ran(100), series(c.CELL_LEAKS, "0+20x30", kind="files")],
        [ran(100), series(c.CELL_LEAKS, "0+5x30", kind="files")],
        "20% of the programs leave something behind",
    ),
    "CodesieveTamperingRises": Case(
        [ran(60, minutes=390), series(c.TAMPER_ATTEMPTS, "0x360 1+1x30")],
        [ran(60, minutes=390), series(c.TAMPER_ATTEMPTS, "0+1x390")],  # as many, but no more than before
        "Programs reach for the judge 12 times as often as before",
        minutes=390,
    ),
    "CodesieveRpcFaults": Case(
        [series(c.RPCS, "0+95x30", code="OK"), series(c.RPCS, "0+5x30", code="INTERNAL")],
        [series(c.RPCS, "0+95x30", code="OK"), series(c.RPCS, "0+5x30", code="NOT_FOUND")],
        "5% of the calls fail by our fault",
    ),
    "CodesieveOpenFiles": Case(
        [series(promql.OPEN_FILES, "900x30", **FRONT_END), series(promql.MOST_FILES, "1000x30", **FRONT_END)],
        [series(promql.OPEN_FILES, "100x30", **FRONT_END), series(promql.MOST_FILES, "1000x30", **FRONT_END)],
        "front-end has 90% of its files open",
        FRONT_END,
    ),
    "CodesieveNotScraped": Case(
        [series(promql.UP, "1x10 0x20", component="sandbox", **SANDBOX)],
        [series(promql.UP, "1x10 0x3 1x17", component="sandbox", **SANDBOX)],
        "Worker 1 of sandbox doesn't tell its metrics",
        {"component": "sandbox", **SANDBOX},
    ),
    "CodesieveRayMemory": Case(
        [series(promql.RAY_MEMORY_USED, "95x30", **NODE), series(promql.RAY_MEMORY, "100x30", **NODE)],
        [series(promql.RAY_MEMORY_USED, "50x30", **NODE), series(promql.RAY_MEMORY, "100x30", **NODE)],
        "95% of the memory of Ray's node 10.0.0.1 is in use",
        NODE,
    ),
    "CodesieveRayDisk": Case(
        [series(promql.RAY_DISK, "95x30", **NODE)],
        [series(promql.RAY_DISK, "50x30", **NODE)],
        "95% of a disk of Ray's node 10.0.0.1 is in use",
        NODE,
    ),
}


def promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def check(tmp_path: Path, name: str, given: list[Series], minutes: int, expected: list[dict[str, Any]]) -> None:
    """Has promtool look for one alert."""
    asked = {"eval_time": f"{minutes}m", "alertname": name, "exp_alerts": expected}
    test = {"interval": "1m", "input_series": given, "alert_rule_test": [asked]}
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}))
    promtool("test", "rules", str(file))


def expected(name: str, labels: Series, summary: str) -> list[dict[str, Any]]:
    alert = next(one for one in ALERTS if one.name == name)
    annotations = {"summary": summary, "runbook_url": f"{generate.RUNBOOK}#{alert.anchor}"}
    return [{"exp_labels": {"severity": alert.severity, **labels}, "exp_annotations": annotations}]


def test_prometheus_takes_the_rules_and_the_configuration() -> None:
    promtool("check", "rules", str(RULES))
    promtool("check", "config", str(generate.HERE / "prometheus.yml"))


def test_every_alert_is_tried() -> None:
    assert list(CASES) == [alert.name for alert in ALERTS]


@pytest.mark.parametrize("name", CASES)
def test_an_alert_fires_when_it_should(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    check(tmp_path, name, case.fires, case.minutes, expected(name, case.labels, case.summary))


@pytest.mark.parametrize("name", CASES)
def test_an_alert_is_silent_when_it_should_not(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    check(tmp_path, name, case.silent, case.minutes, [])


def test_an_alert_fires_when_no_front_end_ever_answered(tmp_path: Path) -> None:
    name = "CodesieveFrontEndDown"
    check(tmp_path, name, [], MINUTES, expected(name, {}, "A front end doesn't answer"))
