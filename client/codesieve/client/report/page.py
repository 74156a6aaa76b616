"""The report's three texts: a page that needs nothing but itself, its Markdown twin, and the figures as JSON.

A sample is hostile input here too. Every value that a template shows goes through one function before it is escaped, so that
a template can't forget it: control characters, characters that turn text around and those that can't be seen are written as
escapes. The page holds no script, and its policy lets none run: nothing is loaded, images come out of the page itself, and
the one style sheet is named by its digest.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from codesieve.client.report.analysis import Analysis, Pick
from codesieve.client.report.details import ORDER, Details, line
from codesieve.client.report.figures import Drawn
from codesieve.client.report.run import Run, temperature_name
from codesieve.client.text import printable
from codesieve.client.types import Verdict

TEMPLATES = Path(__file__).with_name("templates")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|~&$!@#]|(?<=www)\.|:(?=//))", re.IGNORECASE)
RULES = {
    "mean_logprob": "mean log-probability",
    "sum_logprob": "sum of log-probability",
    "random": "random",
    "oracle": "oracle",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Contents:
    """All that the three texts are made of."""

    run: Run
    analysis: Analysis
    details: Details
    figures: Mapping[str, Drawn]
    notes: Sequence[str]
    """What the reader should know: what is missing, and why."""


def html(contents: Contents) -> str:
    """The page."""
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    images = {
        name: f"data:image/svg+xml;base64,{base64.b64encode(each.svg).decode('ascii')}"
        for name, each in contents.figures.items()
    }
    return _rendered(
        "report.html.j2", contents, _visible, style=Markup(style), style_digest=digest, images=images, autoescape=True
    )


def markdown(contents: Contents) -> str:
    """The same for a repository or an issue, but for the samples."""
    return _rendered("report.md.j2", contents, _markdown, autoescape=False)


def as_json(contents: Contents) -> str:
    """The same for programs, but for the samples."""
    analysis, facts = contents.analysis, contents.run.facts
    told = {
        "job": contents.run.name,
        "where": contents.run.where,
        "state": facts.get("state"),
        "failure": facts.get("failure"),
        "provenance": facts.get("provenance"),
        "judge": facts.get("judge"),
        "notes": list(contents.notes),
        **dataclasses.asdict(analysis),
        "verdicts": [
            {"temperature": temperature, "counts": dict(counts)} for temperature, counts in analysis.verdicts.items()
        ],
        "hardest": [each.problem_id for each in analysis.hardest],
    }
    return json.dumps(told, indent=2) + "\n"


def _rendered(
    template: str, contents: Contents, finalize: Callable[[Any], Any], *, autoescape: bool, **more: object
) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=autoescape,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(percent=percent, temperature=temperature_name, one_line=line)
    return environment.get_template(template).render(
        run=contents.run,
        analysis=contents.analysis,
        details=contents.details,
        figures=contents.figures,
        notes=contents.notes,
        provenance=flat(contents.run.facts.get("provenance")),
        state=contents.run.facts.get("state"),
        failure=contents.run.facts.get("failure"),
        ks=shown_ks(contents.analysis),
        picks=shown_picks(contents.analysis),
        kinds=[name for name in ORDER if any(name in each for each in contents.analysis.verdicts.values())],
        rules=RULES,
        passed=Verdict.PASSED.value,
        **more,
    )


def _visible(value: Any) -> Any:
    """What the page shows of a value; jinja2 escapes it afterwards. Markup is the templates' own."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _markdown(value: Any) -> Any:
    """The same for Markdown, which has no escaping of its own: on one line, with what means something made plain."""
    if not isinstance(value, str):
        return value
    return _MARKDOWN.sub(r"\\\1", printable(value.replace("\n", " ").replace("\t", " ")))


def percent(value: float | None) -> str:
    """A share, for people."""
    return "-" if value is None else f"{100 * value:.1f} %"


def shown_ks(analysis: Analysis) -> tuple[int, ...]:
    """The k of the table: 1, 2, 5, 10 and so on, and the last, of those that a curve has."""
    there = {each.k for one in analysis.curves for each in one.points}
    round_ones = {digit * 10**power for digit in (1, 2, 5) for power in range(6)}
    return tuple(sorted(each for each in there if each in round_ones or each == max(there)))


def shown_picks(analysis: Analysis) -> list[tuple[float | None, list[Pick]]]:
    """The rows of the ranking's table: the same numbers of samples as the k above."""
    ks = shown_ks(analysis)
    return [(one.temperature, [each for each in one.points if each.samples in ks]) for one in analysis.picks]


def flat(value: object, name: str = "") -> list[tuple[str, str]]:
    """Nested facts as lines: "model: source". What isn't told isn't there."""
    if isinstance(value, dict):
        return [pair for key, each in value.items() for pair in flat(each, f"{name}: {key}" if name else str(key))]
    if value is None or value in ("", []):
        return []
    if isinstance(value, list):
        return [(name, ", ".join(each if isinstance(each, str) else json.dumps(each) for each in value))]
    return [(name, value if isinstance(value, str) else json.dumps(value))]
