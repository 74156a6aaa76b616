"""Asking Prometheus what a dashboard asks: its expressions with the variables filled in, over Prometheus' HTTP API."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

ANSWER_SECONDS = 30
SHORTEST_RATE_SECONDS = 15
"""A rate needs a few scrapes."""


class QueryFailed(Exception):
    """Prometheus could not be asked, or refused the expression; the message says which."""


@dataclasses.dataclass(frozen=True, slots=True)
class Series:
    """What an expression gave: labels, and values (NaN among them) by time."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """A time to look at, in seconds since 1970, and how far its points lie apart."""

    start: float
    end: float
    step: float

    def fill(self, expression: str) -> str:
        """The expression as Grafana would send it, with everything chosen in its variables."""
        rate = max(4 * self.step, SHORTEST_RATE_SECONDS)
        own = {"$__rate_interval": f"{rate:.0f}s", "$__range": f"{max(self.end - self.start, 1):.0f}s"}
        for name, value in own.items():
            expression = expression.replace(name, value)
        return re.sub(r"\$\w+", ".*", expression)


class Prometheus:
    """A Prometheus at a URL."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def over(self, expression: str, span: Span) -> list[Series]:
        """What the expression's series were over a time. Raises `QueryFailed`."""
        found = self._get("query_range", query=expression, start=span.start, end=span.end, step=span.step)
        return [_series(one["metric"], one["values"]) for one in found["result"]]

    def at(self, expression: str, when: float) -> list[Series]:
        """What they were at one time. Raises `QueryFailed`."""
        found = self._get("query", query=expression, time=when)
        if found["resultType"] == "scalar":
            return [_series({}, [found["result"]])]
        return [_series(one["metric"], [one["value"]]) for one in found["result"]]

    def rules(self) -> list[Mapping[str, Any]]:
        """The rules it has loaded, with their health."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def targets(self) -> list[Mapping[str, Any]]:
        """What it scrapes."""
        return list(self._get("targets", state="active")["activeTargets"])

    def _get(self, what: str, **parameters: object) -> Any:
        query = urllib.parse.urlencode({name: str(value) for name, value in parameters.items()})
        try:
            with urllib.request.urlopen(f"{self._url}/api/v1/{what}?{query}", timeout=ANSWER_SECONDS) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                told = error.read().decode(errors="replace")
            raise QueryFailed(f"Prometheus refuses {parameters.get('query', what)}: {_error(told)}") from None
        except (OSError, ValueError) as error:
            raise QueryFailed(f"Prometheus at {self._url} can't be asked: {error}") from None


def panels(dashboard: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every panel of a dashboard, those of collapsed rows included, without the rows themselves."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", ())
        else:
            yield panel


def _series(labels: Mapping[str, str], values: list[list[Any]]) -> Series:
    return Series(labels, tuple((float(when), float(value)) for when, value in values))


def finite(series: Series) -> bool:
    """Whether any of its values is a number."""
    return any(math.isfinite(value) for _, value in series.points)


def _error(told: str) -> str:
    try:
        return str(json.loads(told)["error"])
    except (ValueError, KeyError, TypeError):
        return told[:200]
