"""Makes a run's report and puts its files in place: report.html, report.md, report.json and figures/."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from codesieve.client import files
from codesieve.client.report import analysis, details, figures, page, problems, stopping
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
    shown = details.choose(stopping.counted(run).run, analysed, known)
    contents = page.Contents(run, analysed, shown, drawn, notes)
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
    if analysed.stopped is not None:
        notes += _stopped(analysed.stopped)
    elif not any(each.mean_logprob is not None for one in analysed.picks for each in one.points):
        notes.append("No ranking by log-probability: samples don't tell theirs.")
    if analysed.counted_samples_per_problem:
        notes.append(
            "These samples were judged before, and their problems were stopped early by the verdicts of then. So only the "
            f"first {analysed.counted_samples_per_problem} of each problem and temperature count, which were made whatever "
            f"their verdicts. The other {analysed.samples_left_out} would bias every figure, and are in none."
        )
    if analysed.unjudged:
        notes.append(
            f"{analysed.unjudged} of {analysed.samples} samples have no verdict: that is the infrastructure's doing, and "
            "they count in no figure."
        )
    if not run.facts.get("provenance"):
        notes.append("How the run came about isn't told.")
    changes = run.provenance.get("changes")
    if isinstance(changes, list) and changes:
        rows = [each for each in changes if isinstance(each, dict)]
        before = ", ".join(f"{each.get('field')} was {each.get('earlier') or 'not there'}" for each in rows)
        notes.append(f"Parts of this run came about otherwise, as it went on elsewhere: {before}.")
    return notes


def _stopped(early: analysis.Stopped) -> list[str]:
    notes = [
        f"Problems were stopped early, {early.rule}: {early.problems} were, counted at each temperature, and {early.saved} "
        f"of {early.planned} samples were never made. pass@k is estimated without a bias for that (Girshick, Mosteller and "
        "Savage 1946), and so are the shares of problems that pass.",
        "No picking of one sample: problems that are solved often have fewer samples to pick from, of which more pass, so "
        "that every rule would look better than it is.",
        "Verdicts are those of the samples that were made: problems that were stopped early weigh less in their shares.",
    ]
    if early.surplus:
        notes.append(
            f"{early.surplus} samples were made beyond the point where their problem was stopped; they count nowhere."
        )
    if early.largest_k is not None:
        notes.append(
            f"pass@k ends at k = {early.largest_k}: a problem that was stopped without a pass tells of no larger k."
        )
    return notes
