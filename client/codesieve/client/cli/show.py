"""What people see: tables on stdout, progress on stderr.

All text that a program, a model or a server had a hand in goes through `printable` first: a terminal obeys control
characters, and program text is hostile.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from codesieve.client import types
from codesieve.client.errors import CodesieveError, Overloaded
from codesieve.client.provenance import Provenance
from codesieve.client.text import printable

MAX_SHOWN_LINES = 40
MAX_SHOWN_VALUE = 300
WIDE = 200
MAX_REASONS = 5
MAX_NOTE = 60
SLOW_SECONDS = 2.0
COUNTED = "only the first {} samples of each problem and temperature count: the others hung on earlier verdicts"


def safe(text: str) -> Text:
    """For rich: printable, and no markup."""
    return Text(printable(text))


def stdout() -> Console:
    """The console that results go to. A pipe or a file is as wide as it needs."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDE)


def count(number: int, what: str) -> str:
    """A number of things, for people."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def waiting(what: str) -> AbstractContextManager[object]:
    """A spinner on a terminal's stderr, and nothing elsewhere."""
    console = Console(stderr=True)
    return console.status(safe(what)) if console.is_terminal else nullcontext()


class Slow:
    """A bar on a terminal's stderr for what turns out to take longer than two seconds."""

    def __init__(self, what: str, total: int | None = None) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(escape(printable(what)), total=total)
        self._since = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def at(self, done: int, what: str | None = None) -> None:
        """So much is done; `what` is what is done next."""
        description = None if what is None else escape(printable(what))
        self._bar.update(self._task, completed=done, description=description)
        if not self._bar.live.is_started and time.monotonic() - self._since > SLOW_SECONDS:
            self._bar.start()


class Outages:
    """Tells on stderr that a server is gone, once for each time, and that it is back."""

    def __init__(self) -> None:
        self._out = False

    def __call__(self, error: CodesieveError | None) -> None:
        """Takes what went wrong, or None where the server answers again."""
        if (error is None) is self._out:
            self._out = error is not None
            _say("the server answers again" if error is None else outage(error))


def outage(error: CodesieveError) -> str:
    """What is done about an error that may pass."""
    return f"{'waiting' if isinstance(error, Overloaded) else 'reconnecting'}: {error.message}"


def _say(line: str) -> None:
    Console(stderr=True, highlight=False).print(safe(f"codesieve: {line}"), soft_wrap=True)


class JobBar:
    """A job's progress on a terminal's stderr; elsewhere only that its server is gone, and back."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("judged"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("job", total=None, note="")
        self._generated = 0
        self._verdicts: Counter[str] = Counter()
        self._outages = Outages()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def see(self, event: types.Event) -> None:
        """Takes the job's next event."""
        match event:
            case types.JobChanged(job=job):
                if job.progress is not None:
                    self._bar.update(self._task, total=job.progress.samples_total - job.progress.skipped)
            case types.SampleGenerated():
                self._generated += 1
            case types.SampleJudged(judgement=judgement):
                self._verdicts["unjudged" if judgement.verdict is None else judgement.verdict.value] += 1
                self._bar.update(self._task, advance=1)
                self._note()

    def say(self, line: str) -> None:
        """A line on stderr that stays, above the bar."""
        self._bar.console.print(safe(f"codesieve: {line}"), soft_wrap=True, highlight=False)

    def outage(self, error: CodesieveError | None) -> None:
        """Takes what went wrong, or None where the server answers again."""
        if self._bar.live.is_started:
            self._note(error)
        else:
            self._outages(error)

    def _note(self, error: CodesieveError | None = None) -> None:
        if error is not None:
            note = f"{outage(error)[:MAX_NOTE]}…"
        elif self._verdicts:
            note = ", ".join(f"{number} {name}" for name, number in self._verdicts.most_common(3))
            note = f"{self._generated} made; {note}"
        else:
            note = ""
        self._bar.update(self._task, note=escape(printable(note)), refresh=error is not None)


def result(result: types.RunResult, written: Sequence[str]) -> None:
    """A job's figures, one solved sample, and the files."""
    console = stdout()
    problems = len({each.problem_id for each in result.samples})
    console.print(safe(f"{result.job.name}: {count(len(result.samples), 'sample')} of {count(problems, 'problem')}"))
    report(console, result.job)
    verdicts(console, [each.judgement for each in result.samples if each.judgement is not None], result.unmade)
    solved = next((each for each in result.samples if each.judgement and each.judgement.passed), None)
    if solved is not None:
        console.print(safe(f"\nSolved, for example, {solved.problem_id} by:"))
        console.print(program(solved.completion))
    failed = next((each for each in result.samples if each.judgement and each.judgement.first_failed), None)
    if failed is not None and failed.judgement is not None:
        console.print(safe(f"\nFailed, for example, {failed.sample_id}: {failed.judgement.verdict}"))
        first_failed(console, failed.judgement)
    for path in written:
        console.print(safe(f"wrote {path}"), soft_wrap=True)


def first_failed(console: Console, judgement: types.Judgement) -> None:
    """The first test that did not hold, with its input and output; nothing where there is none."""
    test = judgement.first_failed
    if test is None:
        return
    passed = sum(each.verdict is types.Verdict.PASSED for each in judgement.tests)
    not_run = sum(each.verdict is None for each in judgement.tests)
    figures = f"{passed} of {count(len(judgement.tests), 'test')} passed" + (
        f", {not_run} did not run" if not_run else ""
    )
    for name, value in (
        ("test", _beginning(test.name)),
        ("verdict", f"{test.verdict}: {test.detail}" if test.detail else str(test.verdict)),
        ("input", _beginning(types.to_text(test.input))),
        ("output", _beginning(types.to_text(test.output))),
        ("tests", figures),
    ):
        if value:
            console.print(safe(f"  {name:<8}{value}"), soft_wrap=True)


def _beginning(text: str) -> str:
    """On one line, a long text without its end."""
    line = text.strip("\n").replace("\n", "\\n")
    return line if len(line) <= MAX_SHOWN_VALUE else f"{line[:MAX_SHOWN_VALUE]}... ({len(line)} characters)"


def program(completion: bytes) -> Syntax:
    """A completion with its colours; a long one without its end."""
    lines = printable(types.to_text(completion)).strip("\n").split("\n")
    if len(lines) > MAX_SHOWN_LINES:
        lines = [*lines[:MAX_SHOWN_LINES], f"# and {len(lines) - MAX_SHOWN_LINES} lines more"]
    return Syntax("\n".join(lines), "python", word_wrap=True, background_color="default")


def report(console: Console, job: types.Job) -> None:
    """pass@k and ranking by temperature, and how the judging went; nothing where there is no report."""
    value = job.report
    if value is None:
        return
    ks = sorted({each.k for one in value.temperatures for each in one.pass_at_k})
    table = Table(caption="95 % confidence intervals in brackets; the last four pick one sample of each problem")
    table.add_column("temp.")
    for name in ["samples", *(f"pass@{k}" for k in ks), "mean logp", "sum logp", "random", "oracle"]:
        table.add_column(name, justify="right")
    for one in value.temperatures:
        by_k = {each.k: each for each in one.pass_at_k}
        ranking = one.ranking
        picks = (ranking.mean_logprob, ranking.sum_logprob, ranking.random, ranking.oracle) if ranking else (None,) * 4
        table.add_row(
            "not told" if one.temperature is None else f"{one.temperature:g}",
            str(one.samples),
            *(_pass_at_k(by_k.get(k)) for k in ks),
            *("-" if pick is None else f"{pick:.1%}" for pick in picks),
        )
    console.print(table)
    if job.counted_samples_per_problem:
        console.print(COUNTED.format(job.counted_samples_per_problem), soft_wrap=True)
    for one in value.temperatures:
        if (early := one.early_stop) is not None:
            where = "" if one.temperature is None else f" at {one.temperature:g}"
            console.print(
                f"early stop{where}: {count(early.problems_stopped, 'problem')} stopped; of {early.planned:,} samples "
                f"planned {one.samples:,} count, {early.saved:,} were saved, {early.surplus:,} made too many",
                soft_wrap=True,
            )
    if value.judge is not None:
        judge = value.judge
        rate = f"{judge.programs_per_second:,.1f} programs/s over {judge.wall_seconds:.1f} s"
        console.print(safe(f"judged at {rate}, sandbox {judge.sandbox}"))


def _pass_at_k(value: types.PassAtK | None) -> Text:
    if value is None:
        return Text("-")
    interval = "" if value.interval is None else f" [{value.interval[0]:.1%}, {value.interval[1]:.1%}]"
    return Text(f"{value.value:.1%}{interval}")


def verdicts(
    console: Console,
    judgements: Sequence[types.Judgement],
    unmade: Sequence[tuple[str, types.Unjudged]],
) -> None:
    """How many of each verdict, and plainly how many samples have none, with the reasons."""
    counts = Counter(each.verdict.value for each in judgements if each.verdict is not None)
    if counts:
        console.print(safe("verdicts: " + ", ".join(f"{n} {name}" for name, n in counts.most_common())))
    shared = sum(each.integrity is types.Integrity.SHARED for each in judgements)
    if shared:
        what = "was" if shared == 1 else "were"
        console.print(
            safe(f"{count(shared, 'program')} {what} judged in one process with the tests and could forge it")
        )
    lost = [each.unjudged for each in judgements if each.unjudged is not None] + [each for _, each in unmade]
    if lost:
        have = "has" if len(lost) == 1 else "have"
        console.print(safe(f"{count(len(lost), 'sample')} {have} no verdict and count in no figure:"), style="bold red")
        reasons = Counter((each.reason, each.message) for each in lost).most_common()
        for (reason, message), number in reasons[:MAX_REASONS]:
            console.print(safe(f"  {number} x {reason}: {message}"), soft_wrap=True)
        if len(reasons) > MAX_REASONS:
            console.print(f"  and {count(len(reasons) - MAX_REASONS, 'reason')} more, in results.jsonl")


def job(value: types.Job) -> None:
    """One job."""
    console = stdout()
    table = Table(show_header=False, box=None)
    for name, text in (
        ("job", value.name),
        ("state", value.state.value),
        ("model", value.model),
        ("judges again", value.rejudge_of),
        ("priority", value.priority.value if value.priority else ""),
        ("time limit", f"{value.timeout_seconds:g} s" if value.timeout_seconds is not None else ""),
        ("created", _time(value.create_time)),
        ("started", _time(value.start_time)),
        ("ended", _time(value.end_time)),
        ("progress", _progress(value.progress)),
        ("failure", f"{value.failure.reason}: {value.failure.message}" if value.failure else ""),
        *_provenance(value.provenance),
    ):
        if text:
            table.add_row(name, safe(text))
    console.print(table)
    report(console, value)


def _provenance(value: Provenance | None) -> list[tuple[str, str]]:
    """How a job came about, in rows."""
    if value is None:
        return []
    rows = [("codesieve", value.codesieve_version), ("problems", f"sha256:{value.problems_digest}")]
    if (engine := value.engine) is not None:
        settings = ", ".join(f"{name} {setting}" for name, setting in engine.settings.items())
        weights = f"weights {engine.weights_version}" if engine.weights_version else ""
        files = f"its files sha256:{engine.weights_digest}" if engine.weights_digest else ""
        rows.append(("engine", "; ".join(filter(None, (engine.version or engine.kind, engine.source, weights, files)))))
        rows.append(("set to", settings))
    if (cells := value.cells) is not None:
        named = (("judge", cells.judge_version), ("Python", cells.python_version), ("runtime", cells.runtime))
        parts = (f"{name} {text}" for name, text in (*named, ("isolation", cells.isolation)) if text)
        rows.append(("cells", "; ".join(filter(None, (cells.backend, cells.image, cells.image_digest, *parts)))))
    return [*rows, *(("before", f"{field} {earlier or 'not there'}") for field, earlier in value.changes)]


def jobs(values: Sequence[types.Job]) -> None:
    """A table of jobs."""
    table = Table()
    # An id that was cut short could not be asked for.
    table.add_column("job", min_width=max((len(each.job_id) for each in values), default=0), overflow="fold")
    for name in ("state", "priority", "created", "model", "progress"):
        table.add_column(name)
    for value in values:
        cells = (
            value.job_id,
            value.state.value,
            value.priority.value if value.priority else "",
            _time(value.create_time),
            f"judges {value.rejudge_of} again" if value.rejudge_of else value.model,
            _progress(value.progress),
        )
        table.add_row(*(safe(each) for each in cells))
    stdout().print(table)


def models(values: Sequence[types.Model]) -> None:
    """A table of models."""
    table = Table("model", "state", "engine", "workers", "source", "weights", "adapters")
    for value in values:
        adapters = ", ".join(name for name, _ in value.adapters)
        row = (value.model_id, value.state, value.engine, str(value.workers), value.source)
        table.add_row(*(safe(each) for each in (*row, value.weights_version, adapters)))
    stdout().print(table)


def event(value: types.Event) -> None:
    """One line for an event."""
    match value:
        case types.JobChanged(job=job):
            what = f"job is {job.state}" + (f": {job.failure.message}" if job.failure else "")
        case types.SampleGenerated(sample=sample):
            what = f"{sample.sample_id} made"
        case types.SampleJudged(sample_id=sample_id, judgement=judgement):
            if judgement.unjudged is not None:
                what = f"{sample_id} has no verdict ({judgement.unjudged.reason}: {judgement.unjudged.message})"
            else:
                what = f"{sample_id} {judgement.verdict}" + (f": {judgement.detail}" if judgement.detail else "")
    console = stdout()
    console.print(safe(f"{value.sequence:>6} {what}"), soft_wrap=True)
    if isinstance(value, types.SampleJudged):
        first_failed(console, value.judgement)


def _time(value: object) -> str:
    return "" if value is None else f"{value:%Y-%m-%d %H:%M:%S %Z}"


def _progress(value: types.Progress | None) -> str:
    if value is None:
        return ""
    unjudged = f", {value.unjudged} without a verdict" if value.unjudged else ""
    skipped = f", {value.skipped} not needed" if value.skipped else ""
    return f"{value.judged} of {value.samples_total} judged{unjudged}{skipped}"
