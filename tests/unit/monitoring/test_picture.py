"""The drawing of a dashboard: everything that the JSON says is in it, and what can't be drawn is said in one line."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from deploy.monitoring import generate
from deploy.monitoring.drawing import CannotDraw, Drawing
from deploy.monitoring.looks import DARK, LIGHT, shown
from deploy.monitoring.picture import draw, main
from deploy.monitoring.query import Prometheus, Series, Span, panels

BOARDS = sorted((generate.HERE / generate.DASHBOARDS).glob("*.json"))
SPAN = Span(1_700_000_000.0, 1_700_000_600.0, 10.0)


class MadeUp(Prometheus):
    """Answers each expression with the same two series."""

    def __init__(self) -> None:
        super().__init__("http://nowhere")
        self.asked: list[str] = []

    def over(self, expression: str, span: Span) -> list[Series]:
        self.asked.append(expression)
        times = [span.start + span.step * place for place in range(61)]
        rising = Series({"verdict": "PASSED", "hop": "judge"}, tuple((when, float(i)) for i, when in enumerate(times)))
        gaps = Series({"verdict": "FAILED", "hop": "store"}, ((times[3], math.nan), (times[4], 2.0)))
        return [rising, gaps]


def board(path: Path) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(path.read_text())
    return made


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_drawn_from_its_json(tmp_path: Path, path: Path, light: bool) -> None:
    prometheus = MadeUp()
    draw(prometheus, path, tmp_path / "picture.png", SPAN, light=light)
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    queries = [query["expr"] for panel in panels(board(path)) for query in panel.get("targets", ())]
    assert prometheus.asked == [SPAN.fill(query) for query in queries]


def drawn(panel: dict[str, Any], *found: Series) -> Drawing:
    """One panel of a dashboard, with what its first query gave."""
    drawing = Drawing({"title": "t", "panels": [panel]}, LIGHT, SPAN)
    drawing.draw(panel, [(query, found if not place else ()) for place, query in enumerate(panel["targets"])])
    return drawing


def panel_of(board_name: str, title: str) -> dict[str, Any]:
    made = board(generate.HERE / generate.DASHBOARDS / f"{board_name}.json")
    return next(dict(panel) for panel in panels(made) if panel["title"] == title)


def series(*values: float, **labels: str) -> Series:
    return Series(labels, tuple((SPAN.start + 10 * place, value) for place, value in enumerate(values)))


def texts(drawing: Drawing) -> list[str]:
    return [text.get_text() for text in drawing.figure.texts]


def test_a_graph_has_its_legend_its_colours_and_its_unit() -> None:
    passed, failed = series(1.0, 3.0, verdict="PASSED"), series(1.0, 1.0, verdict="FAILED")
    (axes,) = drawn(panel_of("overview", "Verdicts per second"), passed, failed).figure.axes
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["PASSED", "FAILED"]
    assert axes.get_ylim()[1] == pytest.approx(4 * 1.08)  # stacked
    assert axes.yaxis.get_major_formatter()(2.0) == "2/s"
    assert [line.get_color() for line in axes.get_lines()] == ["#73bf69", "#5794f2"]


def test_a_bound_is_drawn_where_the_figures_come_near_it() -> None:
    panel = panel_of("training", "Reward latency")
    near, far = drawn(panel, series(3.0)), drawn(panel, series(0.01))
    dashed = [[line for line in one.figure.axes[0].get_lines() if line.get_linestyle() == "--"] for one in (near, far)]
    assert [len(lines) for lines in dashed] == [1, 0]


def test_a_right_axis_has_a_unit_of_its_own() -> None:
    panel = panel_of("training", "Reward latency against idle engines")
    drawing = Drawing({"title": "t", "panels": [panel]}, DARK, SPAN)
    drawing.draw(panel, [(query, [series(0.25)]) for query in panel["targets"]])
    left, right = drawing.figure.axes
    assert left.yaxis.get_major_formatter()(0.25) == "250 ms"
    assert right.yaxis.get_major_formatter()(0.25) == "25 %"
    assert right.get_ylim() == (0, 1)


def test_a_number_is_a_word_a_share_or_nothing() -> None:
    assert "away" in texts(drawn(panel_of("overview", "Store"), series(0.0)))
    assert "there" in texts(drawn(panel_of("overview", "Store"), series(1.0)))
    assert "12.50 %" in texts(drawn(panel_of("overview", "Unjudged"), series(0.125)))
    assert "–" in texts(drawn(panel_of("overview", "Unjudged"), series(math.nan)))
    assert "–" in texts(drawn(panel_of("overview", "Unjudged")))
    builds = series(1.0, component="sandbox", version="1.2")
    assert "sandbox 1.2" in texts(drawn(panel_of("overview", "Builds"), builds))


def test_a_panel_that_is_not_known_is_refused() -> None:
    panel = panel_of("overview", "Store") | {"type": "piechart"}
    with pytest.raises(CannotDraw, match="a panel of type piechart can't be drawn; timeseries, stat and text can"):
        drawn(panel)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, "s", "0 s"),
        (0.0000305, "s", "30.5 µs"),
        (0.0042, "s", "4.2 ms"),
        (90.0, "s", "90 s"),
        (600.0, "s", "10 min"),
        (86_400.0, "s", "24 h"),
        (0.051, "percentunit", "5.1 %"),
        (300 * 2**20, "bytes", "300 MiB"),
        (3.5 * 2**30, "bytes", "3.5 GiB"),
        (12_345.0, "ops", "12.3 K/s"),
        (7.0, "short", "7"),
        (math.inf, "short", "–"),
    ],
)
def test_a_value_is_shown_with_its_unit(value: float, unit: str, text: str) -> None:
    assert shown(value, unit) == text


def test_the_command_says_in_one_line_what_is_wrong(tmp_path: Path) -> None:
    def run(*options: str) -> tuple[int, str]:
        common = ("--dashboard", str(BOARDS[0]), "--out", str(tmp_path / "p.png"), "--prometheus", "http://127.0.0.1:1")
        told = CliRunner().invoke(main, [*common, *options])
        return told.exit_code, told.output

    code, said = run()
    assert (code, said.count("\n")) == (1, 1)
    assert "Prometheus at http://127.0.0.1:1 can't be asked: " in said
    assert "yesterday is no time; give 2026-11-24T20:00:00Z, or seconds since 1970" in run("--from", "yesterday")[1]
    assert "--from has to be before --to" in run("--from", "2026-11-24T20:00:00Z", "--to", "1700000000")[1]
    (tmp_path / "other.json").write_text("{}")
    assert "is no dashboard" in run("--dashboard", str(tmp_path / "other.json"))[1]
