"""The parts that codesieve's dashboards are made of, over Grafana's own builders (grafana-foundation-sdk)."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

from deploy.monitoring.promql import Metric, known
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard, prometheus, stat, text, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models

COLUMNS = 24
TAG = "codesieve"
SECONDS, PER_SECOND, SHARE, BYTES, COUNT = "s", "ops", "percentunit", "bytes", "short"
"""Units, as Grafana calls them."""

_SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
_RED, _ORANGE, _GREEN, _BLUE = "red", "orange", "green", "blue"


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """An expression, what its series are called, and whether they have the right axis, with a unit of its own."""

    expression: str
    legend: str
    right_unit: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Variable:
    """A choice above the panels: the values of a label, of which any number may be chosen."""

    name: str
    title: str
    metric: Metric
    label: str
    matchers: str = ""

    @property
    def series(self) -> str:
        known(self.metric, self.label)
        return f"{self.metric.name}{{{self.matchers}}}" if self.matchers else self.metric.name


def graph(
    title: str,
    says: str,
    unit: str,
    *lines: Line,
    width: int = 8,
    stacked: bool = False,
    highest: float | None = None,
    alert_above: float | None = None,
    colors: Mapping[str, str] | None = None,
) -> timeseries.Panel:
    """Lines over time; `says` is what one reads when pointing at it. `alert_above` draws where an alert begins.

    `colors`: of series, by what they are called.
    """
    legend = common_builders.VizLegendOptions().show_legend(True).display_mode(common.LegendDisplayMode.LIST)
    panel = (
        timeseries.Panel()
        .title(title)
        .description(says)
        .datasource(_SOURCE)
        .unit(unit)
        .min(0)
        .span(width)
        .height(8)
        .line_width(1)
        .fill_opacity(60 if stacked else 8)
        .show_points(common.VisibilityMode.NEVER)
        .legend(legend.placement(common.LegendPlacement.BOTTOM).calcs(["lastNotNull"]))
        .tooltip(
            common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
        )
    )
    if highest is not None:
        panel.max(highest)
    if stacked:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if alert_above is not None:
        panel.thresholds(_thresholds((None, _GREEN), (alert_above, _RED)))
        panel.thresholds_style(
            common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        )
    for name, color in (colors or {}).items():
        fixed = {"mode": "fixed", "fixedColor": color}
        panel.override_by_name(name, [models.DynamicConfigValue("color", fixed)])
    for name, query, line in _queries(lines):
        panel.with_target(query)
        if line.right_unit is not None:
            value = models.DynamicConfigValue
            panel.override_by_query(
                name, [value("unit", line.right_unit), value("custom.axisPlacement", "right"), value("max", 1)]
            )
    return panel


def number(
    title: str,
    says: str,
    unit: str,
    *lines: Line,
    width: int = 3,
    bad_above: float | None = None,
    bad_below: float | None = None,
    words: dict[str, str] | None = None,
    names: bool = False,
    decimals: int | None = None,
) -> stat.Panel:
    """The last value, large: red above or below a bound, in `words` where values have them, or its series' `names`."""
    if bad_above is not None:
        thresholds, graph_mode = _thresholds((None, _GREEN), (bad_above, _RED)), common.BigValueGraphMode.AREA
    elif bad_below is not None:
        thresholds, graph_mode = _thresholds((None, _RED), (bad_below, _GREEN)), common.BigValueGraphMode.NONE
    else:
        thresholds, graph_mode = _thresholds((None, _BLUE)), common.BigValueGraphMode.AREA
    panel = (
        stat.Panel()
        .title(title)
        .description(says)
        .datasource(_SOURCE)
        .unit(unit)
        .span(width)
        .height(4)
        .thresholds(thresholds)
        .graph_mode(common.BigValueGraphMode.NONE if words or names else graph_mode)
        .color_mode(common.BigValueColorMode.VALUE)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .text_mode(common.BigValueTextMode.NAME if names else common.BigValueTextMode.VALUE)
    )
    if decimals is not None:
        panel.decimals(decimals)
    # Nothing of nothing is no share at all.
    mappings: list[models.ValueMapping] = [
        models.SpecialValueMap(
            options=models.DashboardSpecialValueMapOptions(
                match=models.SpecialValueMatch.NULL_AND_NAN, result=models.ValueMappingResult(text="–")
            )
        )
    ]
    if words:
        mappings.append(
            models.ValueMap(options={value: models.ValueMappingResult(text=word) for value, word in words.items()})
        )
    panel.mappings(mappings)
    for _, query, _ in _queries(lines):
        panel.with_target(query)
    return panel


def words(title: str, markdown: str, height: int = 4) -> text.Panel:
    """Text over the whole width."""
    return text.Panel().title(title).content(markdown).span(COLUMNS).height(height)


def board(
    uid: str,
    title: str,
    says: str,
    variables: Iterable[Variable],
    rows: Iterable[tuple[str, Iterable[Builder[models.Panel]]]],
    since: str = "now-1h",
) -> str:
    """A dashboard's JSON. It has a choice of the data source, and links to its sisters that keep the time."""
    sisters = dashboard.DashboardLink("codesieve").type(models.DashboardLinkType.DASHBOARDS).tags([TAG])
    made = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(says)
        .tags([TAG])
        .timezone("browser")
        .time(since, "now")
        .refresh("10s")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(sisters.as_dropdown(False).include_vars(True).keep_time(True))
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )
    for variable in variables:
        made.with_variable(_choice(variable))
    number = 0
    for name, panels in rows:
        number += 1
        made.with_row(dashboard.Row(name).id(number))
        for panel in panels:
            number += 1
            made.with_panel(_numbered(panel, number))
    plain: dict[str, Any] = json.loads(JSONEncoder().encode(made.build()))
    return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _numbered(panel: Builder[models.Panel], number: int) -> Builder[models.Panel]:
    panel.id(number)  # type: ignore[attr-defined]  # all have it, their base has not
    return panel


def _choice(variable: Variable) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(variable.name)
        .label(variable.title)
        .datasource(_SOURCE)
        .query(f"label_values({variable.series}, {variable.label})")
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.NATURAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def _queries(lines: tuple[Line, ...]) -> Iterable[tuple[str, prometheus.Dataquery, Line]]:
    for place, line in enumerate(lines):
        name = chr(ord("A") + place)
        query = prometheus.Dataquery().expr(line.expression).legend_format(line.legend).range()
        yield name, query.ref_id(name).datasource(_SOURCE), line


def _thresholds(*steps: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    made = [models.Threshold(value=value, color=color) for value, color in steps]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(made)
