"""The report's figures, drawn for paper: each is told apart by marker and dash as well as by colour.

Drawn without pyplot, so that nothing global is touched. All text that isn't ours is written in ASCII, and no mathematics is
read out of it: a problem's name is hostile here too.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator, PercentFormatter

from codesieve.client.report import statistics
from codesieve.client.report.analysis import UNJUDGED, Analysis, Curve, Picks
from codesieve.client.report.run import temperature_name
from codesieve.client.types import Verdict

# Okabe and Ito's colours, which people who see colours otherwise can tell apart; yellow is too faint for lines.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (8, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
HATCHES = ("", "//", "\\\\", "..", "xx", "--", "++", "oo", "**", "||")
STYLE: Any = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.alpha": 0.35,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "codesieve",
    "text.parse_math": False,
}
MAX_PANELS = 6
MAX_NAME = 60


@dataclasses.dataclass(frozen=True, slots=True)
class Drawn:
    """A figure in both forms."""

    svg: bytes
    png: bytes


def draw(analysis: Analysis, step: Callable[[str], None] = lambda _: None) -> dict[str, Drawn]:
    """Every figure that the run has the samples for, by its name."""
    wanted: dict[str, Callable[[], Figure] | None] = {
        "pass-at-k": (lambda: _curves(analysis)) if analysis.judged else None,
        "ranking": (lambda: _ranking(analysis.picks)) if _has_ranking(analysis.picks) else None,
        "bleu": (lambda: _bleu(analysis)) if analysis.scores else None,
        "verdicts": lambda: _verdicts(analysis.verdicts),
    }
    drawn = {}
    with mpl.rc_context(STYLE):
        for name, make in wanted.items():
            if make is not None:
                step(f"figure {name}")
                figure = make()
                drawn[name] = Drawn(_saved(figure, "svg"), _saved(figure, "png"))
    return drawn


def _saved(figure: Figure, form: str) -> bytes:
    out = io.BytesIO()
    # No date and no version: the same run gives the same bytes.
    metadata = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
    figure.savefig(out, format=form, dpi=300, metadata=metadata)
    return out.getvalue()


def plain(text: str) -> str:
    """For a figure: ASCII on one line, without its end where it is long."""
    line = text.encode("ascii", "backslashreplace").decode("ascii")
    line = "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in line)
    return line if len(line) <= MAX_NAME else f"{line[:MAX_NAME]}..."


def _curves(analysis: Analysis) -> Figure:
    """Figure 5: pass@k against k, and below it the temperature whose curve is the upper hull."""
    best = analysis.best if len(analysis.curves) > 1 else ()
    figure = Figure(figsize=(5.5, 5.2 if best else 3.6))
    axes = figure.subplots(2 if best else 1, 1, sharex=True, squeeze=False, height_ratios=(3, 1) if best else None)
    top: Axes = axes[0, 0]
    most = 1
    for place, curve in enumerate(each for each in analysis.curves if each.points):
        _curve(top, curve, place)
        most = max(most, curve.points[-1].k)
    top.yaxis.set_major_formatter(PercentFormatter(1))
    top.set_ylim(0, None)
    top.set_ylabel("pass@k")
    top.legend(title="temperature")
    if best:
        below: Axes = axes[1, 0]
        names = [each.temperature for each in analysis.curves]
        below.plot(
            [each.k for each in best], [names.index(each.temperature) for each in best], "k.", drawstyle="steps-mid"
        )
        below.set_yticks(range(len(names)), [temperature_name(each) for each in names])
        below.set_ylim(-0.5, len(names) - 0.5)
        below.set_ylabel("best\ntemperature")
    _samples_axis(axes[-1, 0], most, "k")
    return figure


def _curve(axes: Axes, curve: Curve, place: int) -> None:
    ks = [each.k for each in curve.points]
    colour = COLOURS[place % len(COLOURS)]
    axes.plot(
        ks,
        [each.estimate.value for each in curve.points],
        color=colour,
        linestyle=DASHES[place % len(DASHES)],
        marker=MARKERS[place % len(MARKERS)],
        markersize=4,
        markevery=max(len(ks) // 8, 1),
        label=temperature_name(curve.temperature),
    )
    band = [(each.k, each.estimate.low, each.estimate.high) for each in curve.points if each.estimate.low is not None]
    if band:
        x, low, high = (np.array(each, dtype=np.float64) for each in zip(*band, strict=True))
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)


def _samples_axis(axes: Axes, most: int, label: str) -> None:
    axes.set_xlabel(label)
    if most > 1:
        axes.set_xscale("log")
        ticks = [each for each in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000) if each <= most]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_xticks([1])


def _has_ranking(picks: Sequence[Picks]) -> bool:
    return any(len(one.points) > 1 for one in picks)


def _ranking(picks: Sequence[Picks]) -> Figure:
    """Figure 7: one sample is picked; against the number there are to pick from."""
    shown = [one for one in picks if len(one.points) > 1][:MAX_PANELS]
    across = min(len(shown), 3)
    down = -(-len(shown) // across)
    figure = Figure(figsize=(max(2.4 * across + 0.8, 5.0), 2.6 * down + 0.6))
    panels = figure.subplots(down, across, sharey=True, squeeze=False)
    for axes in panels.flat[len(shown) :]:
        axes.remove()
    for axes, one in zip(panels.flat, shown, strict=False):
        n = [each.samples for each in one.points]
        lines: dict[str, list[float | None]] = {
            "oracle": [each.oracle for each in one.points],
            "mean log-probability": [each.mean_logprob for each in one.points],
            "sum of log-probability": [each.sum_logprob for each in one.points],
            "random": [each.random for each in one.points],
        }
        for place, (name, values) in enumerate(lines.items()):
            if None not in values:
                style: Any = {"color": COLOURS[place], "linestyle": DASHES[place], "marker": MARKERS[place]}
                axes.plot(
                    n,
                    np.array(values, dtype=np.float64),
                    markersize=3.5,
                    markevery=max(len(n) // 6, 1),
                    label=name,
                    **style,
                )
        axes.set_title(f"temperature {temperature_name(one.temperature)}", fontsize=9)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        _samples_axis(axes, n[-1], "samples to pick from")
    # Of all panels: they share this axis, and a limit stops it from following the later ones.
    panels.flat[0].set_ylim(0, 1.05 * max(each.oracle for one in shown for each in one.points) or 1)
    for axes in panels[:, 0]:
        axes.set_ylabel("problems solved")
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(across + 1, 4))
    return figure


def _bleu(analysis: Analysis) -> Figure:
    """Figure 8: how near right and wrong samples are to the known solution's text."""
    shown = analysis.scores[:MAX_PANELS]
    across = min(len(shown), 2)
    down = -(-len(shown) // across)
    figure = Figure(figsize=(max(2.9 * across, 4.0), 2.1 * down + 0.5))
    panels = figure.subplots(down, across, sharex=True, squeeze=False)
    grid = np.linspace(0, 1, 201)
    for axes in panels.flat[len(shown) :]:
        axes.remove()
    for axes, one in zip(panels.flat, shown, strict=False):
        for place, (name, values) in enumerate((("right", one.right), ("wrong", one.wrong))):
            heights = statistics.density(values, grid)
            axes.plot(grid, heights, color=COLOURS[place], linestyle=DASHES[place], label=name)
            axes.fill_between(grid, heights, color=COLOURS[place], alpha=0.15, linewidth=0)
        axes.set_title(f"{plain(one.problem_id)}: {len(one.right)} right, {len(one.wrong)} wrong", fontsize=8)
        axes.set_yticks([])
        axes.set_ylim(0, None)
    for axes in panels[-1, :]:
        axes.set_xlabel("BLEU")
    for axes in panels[:, 0]:
        axes.set_ylabel("density")
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def _verdicts(verdicts: Mapping[float | None, Mapping[str, int]]) -> Figure:
    names = [each.value for each in Verdict] + [UNJUDGED]
    there = [name for name in names if any(counts.get(name) for counts in verdicts.values())]
    figure = Figure(figsize=(5.5, 0.45 * len(verdicts) + 1.4))
    axes: Axes = figure.subplots()
    rows = list(verdicts.items())
    left = np.zeros(len(rows))
    for name in there:
        place = names.index(name)
        shares = np.array([counts.get(name, 0) / max(sum(counts.values()), 1) for _, counts in rows])
        colour = (*COLOURS, "#999999", "#F0E442", "#ffffff")[place]
        style: Any = {"color": colour, "hatch": HATCHES[place], "edgecolor": "white" if place < 7 else "black"}
        axes.barh(range(len(rows)), shares, left=left, height=0.7, label=name, **style)
        left += shares
    axes.set_yticks(range(len(rows)), [temperature_name(each) for each, _ in rows])
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xlim(0, 1)
    axes.set_ylabel("temperature")
    axes.set_xlabel("samples")
    figure.legend(loc="outside upper center", ncols=min(len(there), 5), fontsize=7)
    return figure
