"""`codesieve top`'s picture of a server, made of plain values for a terminal of any size. Pure.

Head and sums come first, then the blocks: verdicts beside queues, workers, jobs, and the jobs that wait, where any do. Where
the terminal is too low each block has its even part of the lines, what a small one needn't goes to the others, and a cut
table says how many rows are missing. Whatever comes from the server is made printable and stays on one line: ids are chosen
by callers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from codesieve.client.cli.looks import Rates
from codesieve.client.server_types import Server, ServerJob, ServerWorker, WorkerState
from codesieve.client.text import printable
from codesieve.client.types import Verdict

WITH_HISTORY = 76
"""Columns from which verdicts have their history."""
WITH_MODEL = 100
"""Columns from which jobs have their model and longer bars."""
HISTORY_WIDTH = 20
UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))
_STATES = {WorkerState.RUNNING: "green", WorkerState.RESTING: "yellow", WorkerState.STARTING: "red"}


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    """Of a terminal."""

    width: int
    height: int | None = None
    """None for as many lines as it takes."""
    plain: bool = False
    """It can't show more than ASCII."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Column:
    title: str
    right: bool = False
    flexible: bool = False
    """It gives way where there is too little room."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Section:
    """A table that may be cut."""

    columns: tuple[_Column, ...]
    rows: tuple[tuple[Text, ...], ...]
    none: str
    """What is said where there are no rows."""
    more: int = 0
    """Rows that there are beside these."""

    @property
    def lines(self) -> int:
        return 1 + max(len(self.rows), 1) + (self.more > 0)

    def cut(self, lines: int) -> RenderableType:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for column in self.columns:
            table.add_column(
                column.title, justify="right" if column.right else "left", no_wrap=not column.flexible, overflow="crop"
            )
        shown = len(self.rows) if self.lines <= lines else max(lines - 2, 0)
        missing = len(self.rows) - shown + self.more
        for row in self.rows[:shown]:
            table.add_row(*row)
        if not self.rows:
            return Group(table, Text(self.none, style="dim"))
        if missing:
            return Group(table, Text(f"and {missing:,} more", style="dim", no_wrap=True))
        return table


def picture(
    target: str,
    server: Server,
    rates: Rates | None,
    history: Callable[[Verdict], Sequence[float]],
    size: Size,
    trouble: str = "",
) -> RenderableType:
    """All of it. `trouble` says why there is no newer look than this one."""
    head = _head(target, server, rates, size)
    if trouble:
        head.append(_line(trouble, size, "bold red"))
    above = _beside(_verdicts(server, rates, history, size), _queues(server))
    below = _beside(_workers(server, size), _jobs(server, rates, size), _waiting(server, size))
    wants = [max(each.lines for each in above), *(each.lines for each in below)]
    given = wants if size.height is None else shares(size.height - len(head) - len(wants), wants)
    blocks: list[RenderableType] = [*head]
    for block, lines in zip(([*above], *([each] for each in below)), given, strict=True):
        if lines >= 2:  # less holds no row
            blocks += [Text(), _row([each.cut(lines) for each in block])]
    return Group(*blocks)


def shares(lines: int, wants: Sequence[int]) -> list[int]:
    """How many of the lines each gets: its even part, and what others don't want of theirs."""
    given = [0] * len(wants)
    left = max(lines, 0)
    for turn, i in enumerate(sorted(range(len(wants)), key=lambda i: wants[i])):
        given[i] = min(wants[i], left // (len(wants) - turn))
        left -= given[i]
    return given


def _beside(*sections: _Section | None) -> list[_Section]:
    return [each for each in sections if each is not None]


def _row(parts: list[RenderableType]) -> RenderableType:
    if len(parts) == 1:
        return parts[0]
    grid = Table.grid(padding=(0, 3, 0, 0))
    for _ in parts:
        grid.add_column()
    grid.add_row(*parts)
    return grid


def _head(target: str, server: Server, rates: Rates | None, size: Size) -> list[RenderableType]:
    up = span((server.read_time - server.start_time).total_seconds())
    totals = server.totals
    share = rates.cached_share if rates is not None else totals.cache_hits / totals.judged if totals.judged else None
    lines = [
        _line(f"codesieve {server.version} at {target}, up {up}, sandbox {server.sandbox}", size, "bold"),
        _line(
            f"generated {_counted(totals.generated, None if rates is None else rates.generated)}  "
            f"judged {_counted(totals.judged, None if rates is None else rates.judged)}",
            size,
        ),
        _line(
            f"no verdict {_counted(totals.unjudged, None if rates is None else rates.unjudged)}  "
            f"from the cache {'-' if share is None else f'{share:.0%}'}  calls in flight {server.rpcs_in_flight:,}",
            size,
            "red" if rates is not None and rates.unjudged else "",
        ),
    ]
    waiting = server.waiting
    told = "not known" if waiting is None else f"{waiting.count:,}"
    if waiting is not None and waiting.count:
        told += f", the oldest for {span(waiting.oldest_seconds)}"
    running = f"jobs running here {len(server.jobs):,}  waiting {told}"
    lines.append(_line(running, size, "yellow" if waiting is None else ""))
    if totals.tokens:
        speeds = rates.tokens if rates is not None else {}
        tokens = (f"{model} {_counted(count, speeds.get(model))}" for model, count in totals.tokens.items())
        lines.append(_line("tokens: " + ", ".join(tokens), size))
    return [*lines]


def _verdicts(
    server: Server, rates: Rates | None, history: Callable[[Verdict], Sequence[float]], size: Size
) -> _Section:
    columns = [_Column("verdict"), _Column("count", right=True), _Column("/s", right=True)]
    with_history = rates is not None and size.width >= WITH_HISTORY and not size.plain
    if with_history:
        columns.append(_Column("lately"))
    speeds = rates.verdicts if rates is not None else {}
    rows = []
    for kind, count in sorted(server.totals.verdicts.items(), key=lambda each: list(Verdict).index(each[0])):
        row = [
            _cell(kind.value),
            _cell(f"{count:,}"),
            _cell(_rate(speeds.get(kind))),
        ]
        if with_history:
            row.append(_cell(spark(history(kind)[-HISTORY_WIDTH:])))
        rows.append(tuple(row))
    return _Section(tuple(columns), tuple(rows), "no verdict so far")


def _queues(server: Server) -> _Section | None:
    if not server.queues:
        return None
    rows = [
        (_cell(each.hop), _cell(f"{each.depth:,}"), _cell(span(each.oldest_seconds) if each.depth else "-"))
        for each in server.queues
    ]
    return _Section(
        (_Column("waits for"), _Column("depth", right=True), _Column("oldest", right=True)), tuple(rows), ""
    )


def _workers(server: Server, size: Size) -> _Section:
    def row(each: ServerWorker) -> tuple[Text, ...]:
        return (
            _cell(f"{each.pool} {each.place}", size=size),
            _cell(each.state.value.lower(), _STATES[each.state]),
            _cell(f"{each.in_hand:,}/{each.capacity:,}"),
            _cell(f"{each.lost:,}", "red" if each.lost else ""),
            _cell(f"{each.kind}, {each.detail}" if each.detail else each.kind, size=size),
        )

    columns = (
        _Column("worker", flexible=True),
        _Column("state"),
        _Column("in hand", right=True),
        _Column("lost", right=True),
        _Column("what it is", flexible=True),
    )
    # Those in trouble first: they are not what is cut.
    workers = sorted(server.workers, key=lambda each: each.state is WorkerState.RUNNING)
    return _Section(columns, tuple(row(each) for each in workers), "no workers are told of")


def _jobs(server: Server, rates: Rates | None, size: Size) -> _Section:
    wide = size.width >= WITH_MODEL
    speeds = rates.jobs if rates is not None else {}
    with_unjudged = any(each.progress.unjudged for each in server.jobs)

    def row(each: ServerJob) -> tuple[Text, ...]:
        done = each.progress
        passed = done.verdicts.get(Verdict.PASSED.value, 0)
        judged = sum(done.verdicts.values())
        share = (done.judged + done.skipped) / done.samples_total if done.samples_total else 0.0
        cells = [
            _cell(_name(each), size=size),
            _cell(bar(share, 20 if wide else 8, size.plain)),
            _cell(f"{done.judged:,}/{done.samples_total:,}"),
            _cell(_rate(speeds.get((each.caller, each.job_id)))),
            _cell(f"{passed / judged:.0%}" if judged else "-"),
        ]
        if with_unjudged:
            cells.append(_cell(f"{done.unjudged:,}", "red" if done.unjudged else ""))
        if wide:
            cells += [_cell(f"{done.generated:,}"), _cell(each.model or "recorded", size=size)]
        return tuple(cells)

    columns = [
        _Column("job", flexible=True),
        _Column(""),
        _Column("judged", right=True),
        _Column("/s", right=True),
        _Column("passed", right=True),
    ]
    if with_unjudged:
        columns.append(_Column("none", right=True))
    if wide:
        columns += [_Column("made", right=True), _Column("model", flexible=True)]
    return _Section(tuple(columns), tuple(row(each) for each in server.jobs), "no job runs here")


def _waiting(server: Server, size: Size) -> _Section | None:
    """The jobs that wait, those that are taken first first."""
    if server.waiting is None or not server.waiting.count:
        return None

    def row(each: ServerJob) -> tuple[Text, ...]:
        done = each.progress
        age = "-" if each.create_time is None else span((server.read_time - each.create_time).total_seconds())
        return (
            _cell(_name(each), size=size),
            _cell(age),
            _cell(f"{done.judged:,}/{done.samples_total:,}"),
            _cell("its turn") if each.model_ready else _cell(f"its model, {each.model}", "yellow", size),
        )

    columns = (
        _Column("waiting job", flexible=True),
        _Column("age", right=True),
        _Column("judged", right=True),
        _Column("waits for", flexible=True),
    )
    jobs = server.waiting.jobs
    return _Section(columns, tuple(row(each) for each in jobs), "just taken", server.waiting.count - len(jobs))


def _name(job: ServerJob) -> str:
    return f"{job.caller}/{job.job_id}" if job.caller else job.job_id


def spark(values: Sequence[float]) -> str:
    """Values as heights; nothing is the lowest, and the largest the highest."""
    most = max(values, default=0.0)
    steps = "▁▂▃▄▅▆▇█"
    return "".join(steps[round((len(steps) - 1) * value / most)] if most > 0 else steps[0] for value in values)


def bar(share: float, width: int, plain: bool) -> str:
    """How much of something is done."""
    full = int(width * min(max(share, 0.0), 1.0))
    done, left = ("#", ".") if plain else ("█", "░")
    return done * full + left * (width - full)


def span(seconds: float) -> str:
    """A time, as short as it tells something."""
    for length, unit in UNITS:
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{max(seconds, 0.0):.1f} s"


def _counted(count: int, rate: float | None) -> str:
    return f"{count:,}" if rate is None else f"{count:,} ({_rate(rate)}/s)"


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"


def _line(text: str, size: Size, style: str = "") -> Text:
    return _cell(text, style, size)


def _cell(text: str, style: str = "", size: Size | None = None) -> Text:
    """One line, whatever the text holds; with a size, one that may be cut."""
    one = printable(text).replace("\n", "\\n").replace("\t", "\\t")
    overflow = "crop" if size is None or size.plain else "ellipsis"
    return Text(one, style=style, no_wrap=True, overflow=overflow)  # type: ignore[arg-type]
