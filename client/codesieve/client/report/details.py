"""What unfolds below each problem: a bounded choice of its samples, each of another program or verdict.

Equal programs with equal verdicts are one entry with a count. Of each kind of verdict some are shown, the most frequent
first. What is left out, of a text or of the samples, is counted.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence

from codesieve.client import types
from codesieve.client.problems import Problem
from codesieve.client.report.analysis import UNJUDGED, Analysis, ProblemFigures, verdict_of
from codesieve.client.report.run import Run, temperature_name

MAX_PROBLEMS = 2_000
MAX_ENTRIES = 4_000
MAX_ENTRIES_EACH = 12
MAX_PROGRAM = 4_000
MAX_OUTPUT = 1_000
MAX_LINE = 300
MAX_CHARACTERS = 8_000_000
"""Of all prompts, programs and outputs together."""
ORDER = (*(each.value for each in types.Verdict), UNJUDGED)


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One program of a problem with what became of it, and how many samples are the same."""

    verdict: str
    count: int
    sample_id: str
    temperatures: str
    facts: Sequence[tuple[str, str]]
    program: str
    test: Sequence[tuple[str, str]]
    """The first test that failed: its name, verdict, input, output."""
    output: Sequence[tuple[str, str]]
    """stdout and stderr, where there is any."""


@dataclasses.dataclass(frozen=True, slots=True)
class Detail:
    """A problem with its entries."""

    figures: ProblemFigures
    prompt: str
    entries: Sequence[Entry]
    left_out: int
    """Samples that none of the entries stands for."""


@dataclasses.dataclass(frozen=True, slots=True)
class Details:
    """All problems that are shown."""

    problems: Sequence[Detail]
    problems_left_out: int
    samples_left_out: int


def choose(run: Run, analysis: Analysis, problems: Mapping[str, Problem]) -> Details:
    """The problems in the order of their numbers, as many and as much of them as fits."""
    by_problem: dict[str, list[types.Sample]] = collections.defaultdict(list)
    for sample in run.samples:
        by_problem[sample.problem_id].append(sample)
    shown = analysis.problems[:MAX_PROBLEMS]
    each_may = max(min(MAX_ENTRIES // max(len(shown), 1), MAX_ENTRIES_EACH), 1)
    left = MAX_CHARACTERS
    found = []
    for figures in shown:
        groups = _groups(by_problem[figures.problem_id])
        problem = problems.get(figures.problem_id)
        prompt = cut(problem.prompt, MAX_PROGRAM)[:left] if problem is not None else ""
        left -= len(prompt)
        entries = []
        for group in groups[:each_may]:
            entry = _entry(group)
            size = len(entry.program) + sum(len(text) for _, text in (*entry.test, *entry.output))
            if size > left:
                break
            left -= size
            entries.append(entry)
        missing = len(by_problem[figures.problem_id]) - sum(each.count for each in entries)
        found.append(Detail(figures, prompt, tuple(entries), missing))
    beyond = analysis.problems[MAX_PROBLEMS:]
    hidden = sum(sum(each.verdicts.values()) for each in beyond)
    return Details(tuple(found), len(beyond), hidden + sum(each.left_out for each in found))


def cut(text: str, most: int) -> str:
    """A text without its end where it is long, which is said."""
    return text if len(text) <= most else f"{text[:most]}\n[... and {len(text) - most:,} characters more]"


def line(text: str) -> str:
    """On one line."""
    whole = text.replace("\n", "\\n")
    return (
        whole if len(whole) <= MAX_LINE else f"{whole[:MAX_LINE]} [... and {len(whole) - MAX_LINE:,} characters more]"
    )


def _groups(samples: Sequence[types.Sample]) -> list[list[types.Sample]]:
    """Equal programs with equal verdicts; of each kind of verdict one in turn, the most frequent first."""
    groups: dict[tuple[str, bytes], list[types.Sample]] = {}
    for sample in samples:
        groups.setdefault((verdict_of(sample), sample.completion), []).append(sample)
    kinds: dict[str, list[list[types.Sample]]] = collections.defaultdict(list)
    for (verdict, _), group in sorted(groups.items(), key=lambda item: -len(item[1])):
        kinds[verdict].append(group)
    turns = [(place, ORDER.index(kind), group) for kind, them in kinds.items() for place, group in enumerate(them)]
    return [group for *_, group in sorted(turns, key=lambda turn: turn[:2])]


def _entry(group: Sequence[types.Sample]) -> Entry:
    sample = group[0]
    judgement = sample.judgement or types.Judgement(None)
    facts = [("detail", line(judgement.detail))]
    if judgement.unjudged is not None:
        facts = [("no verdict", line(f"{judgement.unjudged.reason}: {judgement.unjudged.message}"))]
    else:
        facts += [
            ("integrity", judgement.integrity or ""),
            ("CPU time", f"{judgement.cpu_seconds:.3f} s"),
            ("wall time", f"{judgement.wall_seconds:.3f} s"),
            ("memory", f"{judgement.peak_memory_bytes / 2**20:.1f} MiB" if judgement.peak_memory_bytes else ""),
        ]
    facts += [
        ("tokens", "" if sample.token_count is None else str(sample.token_count)),
        ("log-probability", "" if sample.cumulative_logprob is None else f"{sample.cumulative_logprob:.2f}"),
        ("ended by", sample.finish_reason or ""),
    ]
    test = judgement.first_failed
    return Entry(
        verdict_of(sample),
        len(group),
        sample.sample_id,
        ", ".join(sorted({temperature_name(each.temperature) for each in group})),
        tuple((name, text) for name, text in facts if text),
        cut(types.to_text(sample.completion).strip("\n"), MAX_PROGRAM),
        () if test is None else _test(test),
        tuple(
            (name, cut(types.to_text(stream), MAX_OUTPUT))
            for name, stream in (("stdout", judgement.stdout), ("stderr", judgement.stderr))
            if stream
        ),
    )


def _test(test: types.TestResult) -> Sequence[tuple[str, str]]:
    told = (
        ("test", line(test.name)),
        ("verdict", line(f"{test.verdict}: {test.detail}" if test.detail else str(test.verdict))),
        ("input", cut(types.to_text(test.input), MAX_OUTPUT)),
        ("output", cut(types.to_text(test.output), MAX_OUTPUT)),
    )
    return tuple((name, text) for name, text in told if text)
