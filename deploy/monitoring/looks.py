"""How a drawn dashboard looks: two sets of colours, and values with their units as Grafana shows them."""

from __future__ import annotations

import dataclasses
import math

# Told apart by people who see colours otherwise, too; on light and on dark ground.
LINES = ("#73bf69", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#fade2a", "#37c8c8", "#a16a4f", "#ff8fd0", "#8e8e8e")


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """Colours."""

    page: str
    card: str
    border: str
    grid: str
    text: str
    faint: str
    good: str = "#73bf69"
    bad: str = "#f2495c"
    plain: str = "#5794f2"


DARK = Look("#111217", "#181b1f", "#2c3235", "#2a2d31", "#d8d9da", "#8e9297")
LIGHT = Look(
    "#f4f5f5", "#ffffff", "#dcdee1", "#e7e8ea", "#24292e", "#6e7378", good="#37872d", bad="#c4162a", plain="#1f60c4"
)


def shown(value: float, unit: str, decimals: int | None = None) -> str:
    """A value with its unit. Nothing of nothing is "–"."""
    if not math.isfinite(value):
        return "–"
    match unit:
        case "s":
            return _seconds(value, decimals)
        case "percentunit":
            return f"{_number(100 * value, decimals)} %"
        case "bytes":
            for name in ("B", "KiB", "MiB", "GiB"):
                if abs(value) < 1024 or name == "GiB":
                    return f"{_number(value, decimals)} {name}"
                value /= 1024
        case "ops":
            return f"{_short(value, decimals)}/s"
    return _short(value, decimals)


def _seconds(value: float, decimals: int | None) -> str:
    if value == 0 or 1 <= abs(value) < 120:
        return f"{_number(value, decimals)} s"
    if abs(value) < 1:
        return (
            f"{_number(1000 * value, decimals)} ms" if abs(value) >= 0.001 else f"{_number(1e6 * value, decimals)} µs"
        )
    return f"{_number(value / 60, decimals)} min" if abs(value) < 7200 else f"{_number(value / 3600, decimals)} h"


def _short(value: float, decimals: int | None) -> str:
    for name, size in (("M", 1e6), ("K", 1e3)):
        if abs(value) >= size:
            return f"{value / size:.3g} {name}"
    return _number(value, decimals)


def _number(value: float, decimals: int | None) -> str:
    if decimals is not None:
        return f"{value:.{decimals}f}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
