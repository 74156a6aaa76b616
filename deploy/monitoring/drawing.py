"""Drawing one dashboard's panels with matplotlib, on Grafana's grid of 24 columns."""

from __future__ import annotations

import datetime
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from deploy.monitoring.looks import LINES, Look, shown
from deploy.monitoring.query import Series, Span
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import DateFormatter
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

COLUMNS = 24
COLUMN_INCHES, ROW_INCHES, GAP_INCHES, TITLE_INCHES, HEAD_INCHES = 0.72, 0.36, 0.1, 0.3, 0.55
MOST_LEGENDS = 10
DAY = 86_400.0

_TICKS = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 604_800)
"""Seconds that the times on an axis may lie apart."""

Answers = Sequence[tuple[Mapping[str, Any], Sequence[Series]]]
"""Each query of a panel, with what it gave."""


class CannotDraw(Exception):
    """The dashboard has something that isn't known here."""


class Drawing:
    """One dashboard on one page."""

    def __init__(self, dashboard: Mapping[str, Any], look: Look, span: Span) -> None:
        self._look = look
        self._span = span
        boxes = [panel["gridPos"] for panel in dashboard["panels"]]
        self._rows = max(box["y"] + box["h"] for box in boxes)
        self._width = COLUMNS * COLUMN_INCHES + 2 * GAP_INCHES
        self._height = self._rows * ROW_INCHES + 0.9
        self.figure = Figure((self._width, self._height), facecolor=look.page)
        FigureCanvasAgg(self.figure)
        start, end = (datetime.datetime.fromtimestamp(each, datetime.UTC) for each in (span.start, span.end))
        when = f"{start:%Y-%m-%d %H:%M:%S} to {end:%H:%M:%S} UTC"
        self._write(0.2, 0.3, dashboard["title"], size=15, color=look.text, weight="bold")
        self._write(self._width - 0.2, 0.3, f"{when} · drawn by codesieve", size=9, color=look.faint, ha="right")
        for row in dashboard["panels"]:
            if row["type"] == "row":
                box = row["gridPos"]
                self._write(
                    0.2, HEAD_INCHES + (box["y"] + 0.55) * ROW_INCHES, f"▾ {row['title']}", size=11, color=look.text
                )

    def draw(self, panel: Mapping[str, Any], answers: Answers) -> None:
        """One panel; `answers` holds each of its queries and what that gave."""
        left, top, width, height = self._box(panel["gridPos"])
        corner = (left / self._width, 1 - (top + height) / self._height)
        size = (width / self._width, height / self._height)
        card = FancyBboxPatch(
            *(corner, *size),
            boxstyle="round,pad=0,rounding_size=0.002",
            facecolor=self._look.card,
            edgecolor=self._look.border,
            linewidth=0.8,
            transform=self.figure.transFigure,
            zorder=-1,  # the axes come on top of it
        )
        self.figure.add_artist(card)
        self._write(left + 0.1, top + 0.2, panel.get("title", ""), size=9, color=self._look.text, weight="bold")
        match panel["type"]:
            case "text":
                self._text(panel, left, top)
            case "stat":
                self._number(panel, answers, left, top, width, height)
            case "timeseries":
                legend = 0.2 * math.ceil(min(_count(answers), MOST_LEGENDS) / _legend_columns(width)) + 0.06
                plot = (
                    (left + 0.62) / self._width,
                    1 - (top + height - 0.32 - legend) / self._height,
                    (width - 1.15) / self._width,
                    (height - 0.32 - legend - TITLE_INCHES - 0.06) / self._height,
                )
                self._graph(panel, answers, self.figure.add_axes(plot), width)
            case other:
                raise CannotDraw(f"a panel of type {other} can't be drawn; timeseries, stat and text can")

    def _graph(
        self,
        panel: Mapping[str, Any],
        answers: Answers,
        axes: Axes,
        width: float,
    ) -> None:
        defaults = panel["fieldConfig"]["defaults"]
        custom = defaults.get("custom", {})
        stacked = custom.get("stacking", {}).get("mode") == "normal"
        overrides = {one["matcher"]["options"]: one["properties"] for one in panel["fieldConfig"].get("overrides", ())}
        right: Axes | None = None
        times = _grid(self._span)
        under = [0.0] * len(times)
        handles: list[Artist] = []
        names: list[str] = []
        highest = 0.0
        for query, found in answers:
            changes = {one["id"]: one["value"] for one in overrides.get(query["refId"], ())}
            if changes.get("custom.axisPlacement") == "right" and right is None:
                right = axes.twinx()
                self._dress(right, changes["unit"], changes.get("max"))
            to = right if changes and right is not None else axes
            for series in found:
                name = _named(query["legendFormat"], series.labels)
                own = {one["id"]: one["value"] for one in overrides.get(name, ())}
                color = own["color"]["fixedColor"] if "color" in own else LINES[len(handles) % len(LINES)]
                values = _aligned(series, times, self._span.step)
                if stacked:
                    over = [
                        low + (0.0 if math.isnan(value) else value) for low, value in zip(under, values, strict=True)
                    ]
                    area = axes.fill_between(_dates(times), under, over, color=color, alpha=0.65, linewidth=0)
                    there = [math.nan if math.isnan(value) else top for value, top in zip(values, over, strict=True)]
                    axes.plot(_dates(times), there, color=color, linewidth=0.8)
                    under = over
                    handles.append(area)
                    highest = max(highest, *over)
                else:
                    (line,) = to.plot(_dates(times), values, color=color, linewidth=1.3)
                    handles.append(line)
                    if to is axes:
                        highest = max([highest, *(value for value in values if math.isfinite(value))])
                names.append(name)
        self._dress(axes, defaults.get("unit", "short"), defaults.get("max"))
        bound = _alert_bound(defaults)
        if bound is not None and bound <= 4 * highest:
            axes.axhline(bound, color=self._look.bad, linewidth=1, linestyle=(0, (4, 3)))
        axes.set_xlim(*_dates((self._span.start, self._span.end)))
        top = defaults.get("max") or highest * 1.08 or 1
        axes.set_ylim(0, top)
        if defaults.get("unit") == "bytes":
            axes.yaxis.set_major_locator(MultipleLocator(2 ** math.ceil(math.log2(top / 5))))
        if not handles:
            axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", color=self._look.faint, fontsize=9)
            return
        axes.legend(
            handles[:MOST_LEGENDS],
            names[:MOST_LEGENDS],
            loc="upper left",
            bbox_to_anchor=(-0.06, -0.13),
            ncols=_legend_columns(width),
            frameon=False,
            fontsize=7,
            labelcolor=self._look.text,
            handlelength=1.1,
            columnspacing=1.2,
            borderaxespad=0,
        )

    def _dress(self, axes: Axes, unit: str, highest: float | None) -> None:
        axes.set_facecolor(self._look.card)
        axes.grid(visible=True, color=self._look.grid, linewidth=0.6)
        axes.tick_params(colors=self._look.faint, labelsize=7, length=0, pad=3)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.set_axisbelow(True)
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value, unit)))
        length = self._span.end - self._span.start
        form = "%H:%M:%S" if length < 300 else "%H:%M" if length < 2 * DAY else "%m-%d %H:%M"
        apart = next((seconds for seconds in _TICKS if seconds >= length / 6), _TICKS[-1])
        axes.xaxis.set_major_locator(MultipleLocator(apart / DAY))
        axes.xaxis.set_major_formatter(DateFormatter(form))  # type: ignore[no-untyped-call]
        if highest is not None:
            axes.set_ylim(0, highest)

    def _number(
        self,
        panel: Mapping[str, Any],
        answers: Answers,
        left: float,
        top: float,
        width: float,
        height: float,
    ) -> None:
        defaults = panel["fieldConfig"]["defaults"]
        found = [(query, series) for query, all_series in answers for series in all_series]
        if panel["options"]["textMode"] == "name":
            names = sorted({_named(query["legendFormat"], series.labels) for query, series in found})
            self._write(left + 0.15, top + height / 2 + 0.1, "   ".join(names) or "no data", size=11, color=LINES[1])
            return
        value = found[0][1].points[-1][1] if found else math.nan
        text, color = _told(value, defaults), _color(value, defaults, self._look)
        if panel["options"]["graphMode"] == "area" and found:
            points = [(when, each) for when, each in found[0][1].points if math.isfinite(each)]
            if len(points) > 1:
                place = (left / self._width, 1 - (top + height) / self._height)
                axes = self.figure.add_axes((*place, width / self._width, 0.35 * height / self._height))
                axes.axis("off")
                times, values = [when for when, _ in points], [each for _, each in points]
                axes.fill_between(times, values, color=color, alpha=0.25, linewidth=0)
                axes.plot(times, values, color=color, linewidth=0.8)
                axes.set_xlim(self._span.start, self._span.end)
                axes.set_ylim(0, max(max(values) * 1.2, 1e-9))
        self._write(left + width / 2, top + height / 2 + 0.15, text, size=19, color=color, ha="center", weight="bold")

    def _text(self, panel: Mapping[str, Any], left: float, top: float) -> None:
        plain = re.sub(r"[*`]", "", panel["options"]["content"])
        plain = "\n".join(textwrap.wrap(plain, 190))
        self._write(left + 0.15, top + 0.2, plain, size=9, color=self._look.text, va="top", linespacing=1.5)

    def _box(self, place: Mapping[str, int]) -> tuple[float, float, float, float]:
        gap = GAP_INCHES / 2
        return (
            GAP_INCHES + place["x"] * COLUMN_INCHES + gap,
            HEAD_INCHES + place["y"] * ROW_INCHES + gap,
            place["w"] * COLUMN_INCHES - 2 * gap,
            place["h"] * ROW_INCHES - 2 * gap,
        )

    def _write(self, left: float, top: float, text: str, *, size: float, **how: Any) -> None:
        self.figure.text(left / self._width, 1 - top / self._height, text, fontsize=size, **how)


def _grid(span: Span) -> list[float]:
    return [span.start + span.step * place for place in range(int((span.end - span.start) / span.step + 1e-6) + 1)]


def _dates(times: Sequence[float]) -> list[float]:
    """As matplotlib counts them: days since 1970."""
    return [when / DAY for when in times]


def _aligned(series: Series, times: Sequence[float], step: float) -> list[float]:
    """The series' value at each time; NaN where it has none."""
    values = {round((when - times[0]) / step): value for when, value in series.points}
    return [values.get(place, math.nan) for place in range(len(times))]


def _count(answers: Answers) -> int:
    return sum(len(found) for _, found in answers)


def _legend_columns(width: float) -> int:
    return max(1, int(width / 1.9))


def _named(legend: str, labels: Mapping[str, str]) -> str:
    """The legend with labels filled in, as ``{{pool}}``."""
    return " ".join(re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: labels.get(found[1], ""), legend).split())


def _steps(defaults: Mapping[str, Any]) -> list[tuple[float, str]]:
    steps = defaults.get("thresholds", {}).get("steps", ())
    return [(-math.inf if step.get("value") is None else step["value"], step["color"]) for step in steps]


def _alert_bound(defaults: Mapping[str, Any]) -> float | None:
    """Where a graph's dashed line is."""
    if defaults.get("custom", {}).get("thresholdsStyle", {}).get("mode") != "dashed":
        return None
    return next((value for value, color in _steps(defaults) if color == "red" and math.isfinite(value)), None)


def _color(value: float, defaults: Mapping[str, Any], look: Look) -> str:
    if not math.isfinite(value):
        return look.faint
    name = next((color for bound, color in reversed(_steps(defaults)) if value >= bound), "blue")
    return {"red": look.bad, "green": look.good}.get(name, look.plain)


def _told(value: float, defaults: Mapping[str, Any]) -> str:
    """A number as a stat panel shows it: a word if it has one."""
    for mapping in defaults.get("mappings", ()):
        if mapping["type"] == "value" and f"{value:g}" in mapping["options"]:
            return str(mapping["options"][f"{value:g}"]["text"])
    return shown(value, defaults.get("unit", "short"), defaults.get("decimals"))
