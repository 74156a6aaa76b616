"""``python -m deploy.monitoring.generate``: writes the dashboards' JSON and Prometheus' rules, which are committed.

They are made of the catalogue of metrics (``codesieve.workers.catalogue``), so that a metric that is renamed is renamed in
them, and one that is removed is missed here. A test makes them anew and compares.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from deploy.monitoring.alerts import ALERTS, Alert
from deploy.monitoring.dashboards.job import job
from deploy.monitoring.dashboards.overview import overview
from deploy.monitoring.dashboards.sandboxes import sandboxes
from deploy.monitoring.dashboards.training import training
from deploy.monitoring.recorded import RECORDED

HERE = Path(__file__).parent
DASHBOARDS = Path("grafana/dashboards")
RULES = Path("rules.yml")
RUNBOOK = "deploy/monitoring/RUNBOOK.md"
_HEADER = "# Made by `make dashboards` of deploy/monitoring/recorded.py and alerts.py; a test holds it to them.\n"


def everything() -> Mapping[Path, str]:
    """Each file's text, by its path below this directory."""
    boards = {"overview": overview(), "training": training(), "sandboxes": sandboxes(), "job": job()}
    return {DASHBOARDS / f"{name}.json": text for name, text in boards.items()} | {RULES: rules()}


def rules() -> str:
    """Prometheus' rules file."""
    recording: list[dict[str, Any]] = [{"record": one.name, "expr": one.expression} for one in RECORDED]
    groups = [
        {"name": "codesieve-recorded", "rules": recording},
        {"name": "codesieve-alerts", "rules": [_alert(alert) for alert in ALERTS]},
    ]
    return _HEADER + str(yaml.safe_dump({"groups": groups}, sort_keys=False, width=10_000))


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expression,
        "for": alert.lasting,
        "labels": {"severity": alert.severity},
        "annotations": {"summary": alert.summary, "runbook_url": f"{RUNBOOK}#{alert.anchor}"},
    }


def main() -> None:
    for path, text in everything().items():
        (HERE / path).write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote {HERE / path}\n")


if __name__ == "__main__":
    main()
