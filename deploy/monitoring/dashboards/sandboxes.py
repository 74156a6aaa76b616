"""The cells: are there enough, do they last, and what do programs try in them."""

from __future__ import annotations

from deploy.monitoring import bounds
from deploy.monitoring.dashboards import shared
from deploy.monitoring.panels import BYTES, COUNT, PER_SECOND, SHARE, Line, Variable, board, graph, number
from deploy.monitoring.promql import CPU, MEMORY, increase, per_second, select, total
from deploy.monitoring.recorded import CELLS_LOST, LEAKING

from codesieve.workers import catalogue as c

WORKER = 'worker=~"$worker"'
BUSY, USABLE = 'state="busy"', 'state=~"busy|idle"'
SANDBOX = 'component="sandbox"'
PROGRAMS = per_second(c.JUDGE_SECONDS, 'phase="run"', WORKER)


def sandboxes() -> str:
    return board(
        "codesieve-sandboxes",
        "codesieve: sandboxes",
        "Are there enough cells, do they last, and what do programs try in them.",
        (Variable("worker", "Worker", c.CELLS, "worker"),),
        (
            ("Now", _now()),
            ("Work", _work()),
            ("A program's time", shared.phases(WORKER)),
            ("Cells", _cells()),
            ("What programs try", _tried()),
            ("Processes", _processes()),
        ),
    )


def _now() -> list[shared.Panel]:
    hits = per_second(c.CACHE_HITS)
    return [
        number("Programs per second", "Programs that ran.", PER_SECOND, Line(PROGRAMS, "ran"), width=4, decimals=1),
        number(
            "Cells busy",
            "Of those that could take a program.",
            SHARE,
            Line(
                f"{total(c.CELLS, BUSY, WORKER)} / {total(c.CELLS, USABLE, WORKER)}",
                "busy",
            ),
            width=4,
            decimals=0,
        ),
        number(
            "From the cache",
            "Share of the verdicts that were taken from an equal program.",
            SHARE,
            Line(f"{hits} / {per_second(c.SAMPLES_JUDGED)}", "cached"),
            width=4,
            decimals=0,
        ),
        number(
            "Cells lost or dirty",
            "Share of the programs that cost their cell, over five minutes.",
            SHARE,
            Line(f"max ({CELLS_LOST.name}{{{WORKER}}})", "lost"),
            width=4,
            bad_above=bounds.CELLS_DESTROYED_SHARE,
            decimals=2,
        ),
        number(
            "Leaks",
            "Share of the programs that left something behind, over five minutes.",
            SHARE,
            Line(LEAKING.name, "leaking"),
            width=4,
            bad_above=bounds.LEAKING_SHARE,
            decimals=2,
        ),
        number(
            "Reached for the judge",
            "Programs that did within the last hour. Their verdict is TAMPERED.",
            COUNT,
            Line(increase(c.TAMPER_ATTEMPTS, WORKER, over="1h"), "tampered"),
            width=4,
            decimals=0,
        ),
    ]


def _work() -> list[shared.Panel]:
    return [
        graph(
            "Programs per second",
            "By worker.",
            PER_SECOND,
            Line(per_second(c.JUDGE_SECONDS, 'phase="run"', WORKER, by=("worker",)), "worker {{worker}}"),
            stacked=True,
        ),
        graph(
            "Judged again",
            "By their worker: their cell was lost (cell_lost), or they ran out of time under load and ran once more alone.",
            PER_SECOND,
            Line(per_second(c.PROGRAM_RETRIES, WORKER, by=("reason",)), "{{reason}}"),
        ),
        graph(
            "Verdicts from the cache",
            "Share of the verdicts that were taken from an equal program judged before.",
            SHARE,
            Line(f"{per_second(c.CACHE_HITS)} / {per_second(c.SAMPLES_JUDGED)}", "cached"),
            highest=1,
        ),
    ]


def _cells() -> list[shared.Panel]:
    return [
        graph(
            "Cells",
            "By state. Many in the making: cells don't last; see why they are given up.",
            COUNT,
            Line(total(c.CELLS, WORKER, by=("state",)), "{{state}}"),
            width=6,
            stacked=True,
        ),
        graph(
            "Busy, by worker",
            "Share of a worker's cells that run a program.",
            SHARE,
            Line(
                f"{total(c.CELLS, BUSY, WORKER, by=('worker',))} / {total(c.CELLS, USABLE, WORKER, by=('worker',))}",
                "worker {{worker}}",
            ),
            width=6,
            highest=1,
        ),
        graph(
            "Proved clean",
            "Times that a cell was proved clean after a program and went on.",
            PER_SECOND,
            Line(per_second(c.CELL_RESETS, WORKER, by=("worker",)), "worker {{worker}}"),
            width=6,
        ),
        graph(
            "Given up",
            "lost: its agent or judge ended; dirty: it could not be proved clean; used: it was for one program; stopped: "
            "with its worker.",
            PER_SECOND,
            Line(per_second(c.CELLS_DESTROYED, WORKER, by=("reason",)), "{{reason}}"),
            width=6,
        ),
    ]


def _tried() -> list[shared.Panel]:
    return [
        graph(
            "Left behind",
            "Programs that left files, processes or IPC behind. It was removed, or cost the cell.",
            PER_SECOND,
            Line(per_second(c.CELL_LEAKS, WORKER, by=("kind",)), "{{kind}}"),
            width=12,
        ),
        graph(
            "Reached for the judge",
            "Programs that did, by worker.",
            PER_SECOND,
            Line(per_second(c.TAMPER_ATTEMPTS, WORKER, by=("worker",)), "worker {{worker}}"),
            width=12,
        ),
    ]


def _processes() -> list[shared.Panel]:
    return [
        graph(
            "Memory of the workers",
            "Resident; cells are processes of their own and not in it.",
            BYTES,
            Line(select(MEMORY, SANDBOX, WORKER), "worker {{worker}}"),
            width=12,
        ),
        graph(
            "Processor time of the workers",
            "Cores that each worker itself keeps busy.",
            COUNT,
            Line(f"rate({select(CPU, SANDBOX, WORKER)}[$__rate_interval])", "worker {{worker}}"),
            width=12,
        ),
    ]
