"""`codesieve top`'s picture at every size."""

from __future__ import annotations

import dataclasses

import pytest
from rich.cells import cell_len
from rich.console import Console
from tests.unit.client.servers import a_job, a_server, a_worker, that_waits

from codesieve.client import (
    JobState,
    Progress,
    Server,
    ServerQueue,
    ServerTotals,
    ServerWaiting,
    Verdict,
    WorkerState,
)
from codesieve.client.cli.looks import Rates, rates
from codesieve.client.cli.top_view import Size, bar, picture, shares, span, spark


def crowded() -> Server:
    return a_server(
        workers=tuple(a_worker(i) for i in range(30)),
        queues=tuple(ServerQueue(hop, 123_456, 4000) for hop in ("generation", "judge", "store", "client")),
        jobs=tuple(a_job(f"a-long-name-of-a-job-{i}", 999, "somebody", 3) for i in range(40)),
        waiting=ServerWaiting(1234, 4000.0, tuple(that_waits(f"another-long-name-{i}", 1.0) for i in range(20))),
        totals=ServerTotals(9_999_999, dict.fromkeys(Verdict, 1_234_567), 1234, 99, {"tiny": 12_345_678}),
    )


def drawn(server: Server, size: Size, found: Rates | None = None, trouble: str = "") -> list[str]:
    console = Console(width=size.width, force_terminal=True, color_system=None, highlight=False)
    with console.capture() as captured:
        console.print(picture("127.0.0.1:7420", server, found, lambda _: (1.0, 2.0), size, trouble))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_picture_shows_all_there_is() -> None:
    before = a_server(98.0, totals=ServerTotals(10, {Verdict.PASSED: 2}, 1, 3, {"tiny": 400}), jobs=(a_job(judged=6),))
    lines = drawn(a_server(), Size(120), rates(before, a_server()))
    assert lines == [
        "codesieve 1.2.3 at 127.0.0.1:7420, up 100 s, sandbox docker",
        "generated 20 (5.0/s)  judged 10 (4.0/s)",
        "no verdict 1 (0.0/s)  from the cache 25%  calls in flight 2",
        "jobs running here 1  waiting 0",
        "tokens: tiny 500 (50.0/s)",
        "",
        "verdict  count   /s  lately   waits for   depth  oldest",
        "PASSED       4  1.0  ▅█       generation      3   1.5 s",
        "FAILED       6  3.0  ▅█       judge           0       -",
        "",
        "worker     state    in hand  lost  what it is",
        "sandbox 0  running      7/4     0  docker, python:3.12-slim",
        "",
        "job                          judged   /s  passed  made  model",
        "job  ░░░░░░░░░░░░░░░░░░░░  10/1,000  2.0     50%    15  tiny",
    ]


def test_jobs_that_wait_are_shown_with_what_they_wait_for() -> None:
    begun = that_waits("begun", 40.0, caller="", state=JobState.RUNNING)
    begun = dataclasses.replace(begun, progress=Progress(1000, 15, 10, 0, {}))
    jobs = (begun, dataclasses.replace(that_waits("new", 98.0), model="large", model_ready=False))
    lines = drawn(a_server(waiting=ServerWaiting(7, 60.0, jobs)), Size(120))
    assert "jobs running here 1  waiting 7, the oldest for 60 s" in lines
    assert lines[-5:] == [
        "",
        "waiting job     age    judged  waits for",
        "begun          60 s  10/1,000  its turn",
        "somebody/new  2.0 s   0/1,000  its model, large",
        "and 5 more",
    ]
    for height in (24, 18):  # those that are cut and those that weren't sent
        lines = drawn(a_server(waiting=ServerWaiting(30, 60.0, (that_waits("one", 1.0),) * 20)), Size(80, height))
        shown = sum(line.startswith("somebody/one") for line in lines)
        assert 1 <= shown < 20
        assert lines[-1] == f"and {30 - shown} more"


def test_jobs_that_wait_and_were_not_sent_need_a_line_too() -> None:
    server = a_server(waiting=ServerWaiting(9, 60.0, (that_waits("one", 1.0),) * 4))
    whole = len(drawn(server, Size(80)))
    for height in range(10, whole + 1):
        assert len(drawn(server, Size(80, height))) <= height


def test_what_waits_is_not_known_and_never_none() -> None:
    text = "\n".join(drawn(a_server(waiting=None), Size(80)))
    assert "jobs running here 1  waiting not known" in text
    assert "waiting job" not in text


@pytest.mark.parametrize("width", [60, 75, 80, 100, 200])
@pytest.mark.parametrize("height", [10, 16, 24, 40, 60])
def test_a_crowded_server_fits_every_terminal(width: int, height: int) -> None:
    found = rates(a_server(99.0), crowded())
    lines = drawn(crowded(), Size(width, height), found, "since 10:00:00: reconnecting: no answer")
    assert len(lines) <= height
    assert max(cell_len(line) for line in lines) <= width
    assert any("since 10:00:00" in line for line in lines)
    if height >= 24:
        text = "\n".join(lines)
        assert text.count(" more") >= 2  # of workers and jobs
        assert "123,456" in text  # numbers are not what is cut
        assert "999/1,000" in text


def test_nothing_is_left_out_where_there_is_room() -> None:
    lines = drawn(crowded(), Size(100))
    assert [line for line in lines if line.endswith(" more")] == ["and 1,214 more"]  # those that the server didn't send
    assert sum("somebody/a-long-name-of-a-job-" in line for line in lines) == 40


def test_cut_tables_say_how_many_rows_are_missing() -> None:
    lines = drawn(crowded(), Size(60, 24))
    shown = sum(line.startswith("sandbox ") for line in lines)
    assert 1 <= shown < 30
    assert f"and {30 - shown} more" in lines


def test_workers_in_trouble_are_never_cut_before_those_that_run() -> None:
    workers = (*(a_worker(i) for i in range(29)), a_worker(29, WorkerState.STARTING, lost=2))
    lines = drawn(a_server(workers=workers), Size(80, 18))
    assert any(line.startswith("sandbox 29  starting") for line in lines)


def test_an_idle_server() -> None:
    idle = a_server(workers=(), queues=(), jobs=(), totals=ServerTotals(0, {}, 0, 0, {}))
    text = "\n".join(drawn(idle, Size(60, 24)))
    for what in ("no verdict so far", "no workers are told of", "no job runs here", "from the cache -"):
        assert what in text
    assert "waits for" not in text
    assert "tokens" not in text


@pytest.mark.parametrize("hostile", ["\x1b[2J\x07gone", "[red]markup[/red]", "two\nlines\tand tabs", "\u202egnp"])
def test_what_a_server_or_a_caller_sends_is_escaped(hostile: str) -> None:
    bad = a_server(
        version=hostile,
        sandbox=hostile,
        workers=(a_worker(pool=hostile, kind=hostile, detail=hostile),),
        queues=(ServerQueue(hostile, 1, 1.0),),
        jobs=(dataclasses.replace(a_job(hostile, caller=hostile), model=hostile),),
        waiting=ServerWaiting(1, 1.0, (that_waits(hostile, 1.0, caller=hostile, model=hostile, model_ready=False),)),
        totals=ServerTotals(1, {}, 0, 0, {hostile: 1}),
    )
    lines = drawn(bad, Size(250), trouble=hostile)
    text = "\n".join(lines)
    assert not set(text) & set("\x1b\x07\t\u202e")
    plain = a_server(totals=bad.totals, queues=bad.queues, waiting=ServerWaiting(1, 1.0, (that_waits("x", 1.0),)))
    assert len(lines) == len(drawn(plain, Size(250), trouble="x"))
    if hostile.startswith("["):
        assert text.count(hostile) >= 12


def test_a_terminal_without_unicode_gets_none() -> None:
    for server in (crowded(), a_server()):
        assert "\n".join(drawn(server, Size(60, 24, plain=True), rates(a_server(90), server))).isascii()


def test_lines_are_shared_evenly_and_nothing_is_given_away() -> None:
    assert shares(30, [5, 5, 5]) == [5, 5, 5]
    assert shares(12, [5, 20, 20]) == [4, 4, 4]
    assert shares(21, [3, 20, 30]) == [3, 9, 9]
    assert shares(20, [30, 2, 5]) == [13, 2, 5]
    assert shares(-3, [5, 5]) == [0, 0]


def test_small_pictures() -> None:
    assert spark([0, 1, 2, 4]) == "▁▃▅█"
    assert spark([0, 0]) == "▁▁"
    assert spark([]) == ""
    assert bar(0.5, 4, plain=True) == "##.."
    assert bar(2.0, 4, plain=False) == "████"
    assert [span(s) for s in (-1, 0.25, 12, 119, 120, 7200, 200_000)] == [
        *("0.0 s", "0.2 s", "12 s", "119 s", "2 min", "2 h", "2 d")
    ]
