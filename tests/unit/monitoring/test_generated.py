"""The dashboards and rules in deploy/monitoring: they are what is generated, and ask for what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from deploy.monitoring import generate, promql, recorded
from deploy.monitoring.alerts import ALERTS
from deploy.monitoring.dashboards.shared import VERDICT_COLORS
from deploy.monitoring.query import Span, panels

from codesieve.workers import catalogue
from codesieve.workers.types import Verdict

BOARDS = sorted((generate.HERE / generate.DASHBOARDS).glob("*.json"))
ENDINGS = ("_bucket", "_sum", "_count")
OURS = {metric.name: metric for metric in catalogue.described()}
KNOWN = {*OURS, *(one.name for one in promql.FOREIGN), *(one.name for one in recorded.RECORDED)}


def board(path: Path) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(path.read_text())
    return made


def asked(path: Path) -> list[str]:
    """Every expression of a dashboard, those of its variables included."""
    made = board(path)
    variables = [one["query"] for one in made["templating"]["list"] if one["type"] == "query"]
    return [query["expr"] for panel in panels(made) for query in panel.get("targets", ())] + variables


def names(expression: str) -> set[str]:
    """The metrics that an expression names: its words, without functions and labels."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    bare = re.sub(r"\b(by|on|without|label_values)\s*\(([^()]*)\)", _keep_first, bare)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare)
    words = re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\()\b(?!\s*\()", bare)
    return {word for word in words if word not in {"by", "on", "and", "or", "le"}}


def _keep_first(found: re.Match[str]) -> str:
    return found[2].rpartition(",")[0] if found[1] == "label_values" else " "


def plain(name: str) -> str:
    """A histogram's name, of that of one of its series."""
    for ending in ENDINGS:
        base = name.removesuffix(ending)
        if base != name and base in KNOWN:
            return base
    return name


def test_the_committed_files_are_what_is_generated() -> None:
    made = generate.everything()
    stale = [str(path) for path, text in made.items() if (generate.HERE / path).read_text() != text]
    assert not stale, f"stale: {stale}; run `make dashboards` and commit what it changes"
    assert {generate.DASHBOARDS / path.name for path in BOARDS} == {path for path in made if path.suffix == ".json"}


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_asks_only_for_metrics_that_there_are(path: Path) -> None:
    expressions = asked(path)
    assert expressions
    for expression in expressions:
        found = names(expression)
        assert found, expression
        assert {plain(name) for name in found} <= KNOWN, expression


def test_rules_ask_only_for_metrics_that_there_are() -> None:
    expressions = [one.expression for one in recorded.RECORDED]
    expressions += [condition.figure for alert in ALERTS for condition in alert.conditions]
    for expression in expressions:
        assert {plain(name) for name in names(expression)} <= KNOWN, expression


def test_what_is_measured_is_shown() -> None:
    shown = {plain(name) for path in BOARDS for expression in asked(path) for name in names(expression)}
    behind = {plain(name) for one in recorded.RECORDED if one.name in shown for name in names(one.expression)}
    assert set(OURS) - shown - behind == set()


def test_what_is_recorded_is_used() -> None:
    figures = " ".join(condition.figure for alert in ALERTS for condition in alert.conditions)
    assert [one.name for one in recorded.RECORDED if one.name not in figures] == []


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_laid_out_on_the_grid_and_says_what_it_shows(path: Path) -> None:
    made = board(path)
    taken: set[tuple[int, int]] = set()
    for panel in made["panels"]:
        box = panel["gridPos"]
        cells = {(box["x"] + x, box["y"] + y) for x in range(box["w"]) for y in range(box["h"])}
        assert not cells & taken, panel["title"]
        assert box["x"] + box["w"] <= 24, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in made["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels(made):
        if panel["type"] == "text":
            continue
        assert panel["title"]
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        for query in panel["targets"]:
            assert query["legendFormat"], panel["title"]
            assert query["datasource"]["uid"] == panel["datasource"]["uid"] == "${datasource}"
    chosen = {one["name"] for one in made["templating"]["list"]}
    used = {name for expression in asked(path) for name in re.findall(r"\$(\w+)", expression) if name[0] != "_"}
    assert used == chosen - {"datasource"}


def test_sisters_are_found_by_their_tag() -> None:
    made = [board(path) for path in BOARDS]
    assert len({one["uid"] for one in made}) == len(made) == 4
    assert all(one["tags"] == one["links"][0]["tags"] == ["codesieve"] for one in made)


def test_every_verdict_has_a_colour_of_its_own() -> None:
    assert set(VERDICT_COLORS) == set(Verdict)
    assert len(set(VERDICT_COLORS.values())) == len(Verdict)


def test_a_label_that_a_metric_has_not_is_an_error() -> None:
    with pytest.raises(ValueError, match="codesieve_cells has no label verdict; it has state"):
        promql.total(catalogue.CELLS, by=("verdict",))
    with pytest.raises(ValueError, match="codesieve_cells has no label verdict"):
        promql.select(catalogue.CELLS, 'verdict="PASSED"')


def test_an_expression_is_filled_in_as_grafana_would() -> None:
    span = Span(1000.0, 1600.0, 5.0)
    assert span.fill('rate(x{a=~"$model",b=~"generation-$model"}[$__rate_interval])') == (
        'rate(x{a=~".*",b=~"generation-.*"}[20s])'
    )
    assert span.fill("increase(x[$__range])") == "increase(x[600s])"
