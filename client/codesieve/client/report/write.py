"""Makes a run's report and puts its files in place: report.html, report.md, report.json and figures/."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from codesieve.client import files
from codesieve.client.report import analysis, details, figures, page, problems
from codesieve.client.report.run import Run


def write(
    run: Run,
    directory: Path,
    problems_given: str | None = None,
    bleu: Sequence[str] = (),
    step: Callable[[str], None] = lambda _: None,
) -> dict[str, str]:
    """Writes the files and returns their paths by name. Tells `step` what is done next.

    Raises `InvalidFile` for problems that can't be read, `InvalidRequest` for a problem of `bleu` that doesn't fit, OSError.
    """
    known, why_not = problems.of(run, problems_given)
    solutions = {each.problem_id: each.canonical_solution or "" for each in known.values()}
    analysed = analysis.analyse(run, solutions, bleu, step)
    drawn = figures.draw(analysed, step)
    step("page")
    notes = _notes(run, analysed, why_not)
    contents = page.Contents(run, analysed, details.choose(run, analysed, known), drawn, notes)
    (directory / "figures").mkdir(parents=True, exist_ok=True)
    written = {}
    for name, make in (("html", page.html), ("md", page.markdown), ("json", page.as_json)):
        written[name] = str((directory / f"report.{name}").absolute())
        files.write_text(written[name], [make(contents)])
    for name, each in drawn.items():
        for form, data in (("svg", each.svg), ("png", each.png)):
            path = (directory / "figures" / f"{name}.{form}").absolute()
            unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
            unfinished.write_bytes(data)
            unfinished.replace(path)
            written[f"{name}.{form}"] = str(path)
    return written


def _notes(run: Run, analysed: analysis.Analysis, why_no_problems: str) -> list[str]:
    notes = []
    if why_no_problems:
        notes.append(f"No prompts and no BLEU: {why_no_problems}.")
    elif not analysed.scores:
        enough = analysis.ENOUGH_FOR_DENSITY
        notes.append(f"No BLEU: no problem with a known solution has {enough} right and {enough} wrong samples.")
    if not any(each.mean_logprob is not None for one in analysed.picks for each in one.points):
        notes.append("No ranking by log-probability: samples don't tell theirs.")
    if analysed.unjudged:
        notes.append(
            f"{analysed.unjudged} of {analysed.samples} samples have no verdict: that is the infrastructure's doing, and "
            "they count in no figure."
        )
    told = run.facts.get("provenance") or {}
    if not told:
        notes.append("How the run came about isn't told.")
    if changes := told.get("changes"):
        before = ", ".join(f"{each['field']} was {each['earlier'] or 'not there'}" for each in changes)
        notes.append(f"Parts of this run came about otherwise, as it went on elsewhere: {before}.")
    return notes
