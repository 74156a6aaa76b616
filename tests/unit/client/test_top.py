"""`codesieve top`: the picture at every size, rates from differences, and the command against a small server."""

from __future__ import annotations

import dataclasses
import datetime
import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from rich.cells import cell_len
from rich.console import Console

from codesieve.client import (
    AsyncClient,
    Client,
    JobState,
    NotAllowed,
    Progress,
    Server,
    ServerJob,
    ServerQueue,
    ServerTotals,
    ServerWaiting,
    ServerWorker,
    Unavailable,
    Verdict,
    WorkerState,
)
from codesieve.client.cli import top as top_command
from codesieve.client.cli.looks import HISTORY, Looks, Rates, rates
from codesieve.client.cli.top import row
from codesieve.client.cli.top_view import Size, bar, picture, shares, span, spark
from codesieve.v1 import job_pb2, server_pb2

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
CLI = [sys.executable, "-c", "from codesieve.client.cli import main; main()"]


def a_job(job_id: str = "job", judged: int = 10, caller: str = "", unjudged: int = 0) -> ServerJob:
    verdicts = {"PASSED": (judged - unjudged) // 2, "FAILED": judged - unjudged - (judged - unjudged) // 2}
    return ServerJob(
        job_id, caller, JobState.RUNNING, "tiny", START, Progress(1000, judged + 5, judged, unjudged, verdicts)
    )


def that_waits(job_id: str, made: float, **other: Any) -> ServerJob:
    """A job that was made so many seconds after the server's start."""
    created = START + datetime.timedelta(seconds=made)
    progress = Progress(1000, 0, 0, 0, {})
    job = ServerJob(job_id, "somebody", JobState.PENDING, "tiny", None, progress, created, model_ready=True)
    return dataclasses.replace(job, **other)


def a_worker(place: int = 0, state: WorkerState = WorkerState.RUNNING, **other: Any) -> ServerWorker:
    worker = ServerWorker("sandbox", place, state, "docker", "python:3.12-slim", capacity=4, in_hand=7, lost=0)
    return dataclasses.replace(worker, **other)


def a_server(seconds: float = 100.0, **other: Any) -> Server:
    server = Server(
        version="1.2.3",
        start_time=START,
        read_time=START + datetime.timedelta(seconds=seconds),
        sandbox="docker",
        workers=(a_worker(),),
        queues=(ServerQueue("generation", 3, 1.5), ServerQueue("judge", 0, 0.0)),
        jobs=(a_job(),),
        totals=ServerTotals(20, {Verdict.PASSED: 4, Verdict.FAILED: 6}, 1, 5, {"tiny": 500}),
        rpcs_in_flight=2,
        waiting=ServerWaiting(0, 0.0, ()),
    )
    return dataclasses.replace(server, **other)


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


# -- the picture --


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


# -- rates --


def test_rates_are_differences_by_the_servers_clock() -> None:
    before = a_server(100.0, jobs=(a_job("a", 10), a_job("b", 20)))
    now = a_server(
        104.0,
        jobs=(a_job("a", 30), a_job("c", 5)),
        totals=ServerTotals(60, {Verdict.PASSED: 4, Verdict.FAILED: 8, Verdict.CRASHED: 2}, 5, 7, {"tiny": 900}),
    )
    found = rates(before, now)
    assert found == Rates(
        seconds=4.0,
        generated=10.0,
        verdicts={Verdict.PASSED: 0.0, Verdict.FAILED: 0.5, Verdict.CRASHED: 0.5},
        unjudged=1.0,
        cached_share=0.5,
        tokens={"tiny": 100.0},
        jobs={("", "a"): 5.0},
    )
    assert found.judged == 1.0


def test_two_callers_jobs_of_one_name_are_two() -> None:
    before = a_server(jobs=(a_job("a", 10, "x"), a_job("a", 100, "y")))
    now = a_server(101.0, jobs=(a_job("a", 12, "x"), a_job("a", 101, "y")))
    found = rates(before, now)
    assert found is not None
    assert found.jobs == {("x", "a"): 2.0, ("y", "a"): 1.0}


@pytest.mark.parametrize(
    "now",
    [
        a_server(105.0, start_time=START + datetime.timedelta(seconds=101)),
        a_server(105.0, totals=ServerTotals(0, {Verdict.PASSED: 4, Verdict.FAILED: 6}, 1, 5, {"tiny": 500})),
        a_server(105.0, totals=ServerTotals(20, {Verdict.PASSED: 3, Verdict.FAILED: 60}, 1, 5, {"tiny": 500})),
        a_server(105.0, totals=ServerTotals(20, {Verdict.PASSED: 40}, 1, 5, {"tiny": 500})),
        a_server(105.0, totals=ServerTotals(20, {Verdict.PASSED: 4, Verdict.FAILED: 6}, 1, 5, {})),
        a_server(100.0),
        a_server(90.0),
    ],
    ids=["another start", "generated", "a verdict", "a verdict is gone", "tokens", "no time", "the clock went back"],
)
def test_a_server_that_was_started_again_begins_anew(now: Server) -> None:
    looks = Looks()
    assert looks.add(a_server(98.0)) is None
    assert looks.add(a_server(100.0)) is not None
    assert looks.history(Verdict.PASSED) == (0.0,)
    assert looks.add(now) is None
    assert looks.history(Verdict.PASSED) == ()
    assert looks.add(dataclasses.replace(now, read_time=now.read_time + datetime.timedelta(seconds=2))) is not None


def test_only_the_last_rates_are_kept() -> None:
    looks = Looks()
    for i in range(HISTORY + 20):
        totals = ServerTotals(0, {Verdict.PASSED: i * i}, 0, 0, {})
        looks.add(a_server(float(i), totals=totals))
    assert len(looks.history(Verdict.PASSED)) == HISTORY
    assert looks.history(Verdict.PASSED)[-1] == 2 * (HISTORY + 19) - 1


def test_a_look_as_json() -> None:
    told = json.loads(json.dumps(row(a_server(102.0, jobs=(a_job(judged=20),)), rates(a_server(), a_server(102.0)))))
    assert (told["start_time"], told["jobs"][0]["start_time"]) == (START.isoformat(), START.isoformat())
    assert told["totals"]["verdicts"] == {"PASSED": 4, "FAILED": 6}
    assert told["per_second"]["verdicts"] == {"PASSED": 0.0, "FAILED": 0.0}
    assert told["jobs"][0]["judged_per_second"] == 0.0
    assert told["waiting"] == {"count": 0, "oldest_seconds": 0.0, "jobs": []}
    first = row(a_server(waiting=None), None)
    assert first["waiting"] is None
    (job,) = json.loads(json.dumps(row(a_server(waiting=ServerWaiting(9, 2.5, (that_waits("one", 3),))), None)))[
        "waiting"
    ]["jobs"]
    assert (job["job_id"], job["create_time"], job["start_time"]) == ("one", "2026-01-01T00:00:03+00:00", None)
    assert (job["model"], job["model_ready"], job["progress"]["samples_total"]) == ("tiny", True, 1000)
    assert (first["per_second"], first["jobs"][0]["judged_per_second"], first["cached_share"]) == (None, None, None)


# -- the command --


def wire(seconds: int = 60, passed: int = 3) -> server_pb2.Server:
    server = server_pb2.Server(name="server", version="1.2.3", sandbox="docker", rpcs_in_flight=1)
    server.start_time.FromDatetime(START)
    server.read_time.FromDatetime(START + datetime.timedelta(seconds=seconds))
    server.workers.add(pool="sandbox", state="RESTING", kind="docker", detail="d", capacity=2, in_hand=1, lost=4)
    queue = server.queues.add(hop="judge", depth=5)
    queue.oldest_age.FromMilliseconds(2500)
    job = server.jobs.add(name="jobs/mine\x1b[2J", caller="somebody", state=job_pb2.Job.RUNNING, model="m")
    job.progress.samples_total, job.progress.samples_judged = 8, 2
    waiting = server.waiting.jobs.add(name="jobs/next", state=job_pb2.Job.PENDING, model="m", model_ready=True)
    waiting.create_time.FromDatetime(START)
    server.waiting.count = 3
    server.waiting.oldest_age.FromMilliseconds(1500)
    server.totals.samples_generated = 4
    server.totals.verdicts.add(verdict="PASSED", count=passed)
    server.totals.tokens.add(model="models/m", count=77)
    return server


def top(fake: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*CLI, "top", "--server", fake.target, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False)


async def test_both_clients_give_the_same_values(fake: Any) -> None:
    fake.server = wire()
    with Client(fake.target) as client:
        seen = client.server()
    async with AsyncClient(fake.target) as other:
        assert await other.server() == seen
    assert fake.requests[-1].name == "server"
    assert seen.workers == (ServerWorker("sandbox", 0, WorkerState.RESTING, "docker", "d", 2, 1, 4),)
    assert seen.queues == (ServerQueue("judge", 5, 2.5),)
    assert seen.jobs == (ServerJob("mine\x1b[2J", "somebody", JobState.RUNNING, "m", None, Progress(8, 0, 2, 0, {})),)
    assert seen.totals == ServerTotals(4, {Verdict.PASSED: 3}, 0, 0, {"m": 77})
    next_one = ServerJob("next", "", JobState.PENDING, "m", None, Progress(0, 0, 0, 0, {}), START, model_ready=True)
    assert seen.waiting == ServerWaiting(3, 1.5, (next_one,))
    fake.server.ClearField("waiting")
    with Client(fake.target) as client:
        assert client.server().waiting is None
    fake.refuse("PERMISSION_DENIED")
    with Client(fake.target) as client, pytest.raises(NotAllowed):
        client.server()


def test_once_prints_one_view_and_ends(fake: Any) -> None:
    fake.server = wire()
    for arguments in (["--once"], []):  # stdout is no terminal
        done = top(fake, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert "sandbox 0  resting" in done.stdout
        assert "somebody/mine\\x1b[2J" in done.stdout
        assert "waiting 3, the oldest for 1.5 s" in done.stdout
        assert "\x1b" not in done.stdout


def test_json_prints_an_object_for_each_look_until_it_is_interrupted(fake: Any) -> None:
    fake.server = wire()
    done = top(fake, "--once", "--json")
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    assert json.loads(done.stdout)["queues"] == [{"hop": "judge", "depth": 5, "oldest_seconds": 2.5}]
    command = [*CLI, "top", "--server", fake.target, "--json", "--interval", "0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["per_second"] is None
        fake.server = wire(62, 9)
        while (told := json.loads(process.stdout.readline()))["read_time"] == "2026-01-01T00:01:00+00:00":
            pass
        assert told["per_second"]["verdicts"] == {"PASSED": 3.0}
        fake.refuse("UNAVAILABLE")
        fake.until(lambda: not fake.refusals)
        assert json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=30)
        assert all(json.loads(line) for line in rest.splitlines())
        assert process.returncode == 0
        assert "the reason in words" in said
        assert "answers again" in said


def test_no_server_and_no_scope_are_one_line_each(fake: Any) -> None:
    fake.refuse("PERMISSION_DENIED", reason="SCOPE")
    done = top(fake, "--once")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "codesieve: the reason in words\n")
    wrong = top(fake, "--interval", "0")
    assert wrong.returncode == 2
    assert "--interval" in wrong.stderr


# -- on a terminal --


class Terminal:
    """What the command has written to its terminal."""

    def __init__(self, process: subprocess.Popen[bytes], end: int) -> None:
        self.process = process
        self.end = end
        self.text = ""

    def until(self, what: str) -> None:
        """Waits until it is there, and forgets what came before it."""
        deadline = time.monotonic() + 60
        while what not in self.text:
            assert time.monotonic() < deadline, self.text
            ready, _, _ = select.select([self.end], [], [], 0.1)
            if ready:
                self.text += os.read(self.end, 65536).decode()
        self.text = self.text.partition(what)[2]


@contextmanager
def terminal(fake: Any, **environment: str) -> Iterator[Terminal]:
    end, theirs = pty.openpty()
    command = [*CLI, "top", "--server", fake.target, "--interval", "0.1"]
    size = {"COLUMNS": "80", "LINES": "24", "TERM": "xterm", **environment}
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, **size}, start_new_session=True
    )
    os.close(theirs)
    try:
        yield Terminal(process, end)
    finally:
        process.kill()
        process.wait(30)
        os.close(end)


@pytest.mark.parametrize("how", ["q", "Ctrl-C"])
def test_a_live_view_is_kept_up_and_ends_with_the_screen_given_back(fake: Any, how: str) -> None:
    fake.server = wire()
    with terminal(fake, NO_COLOR="1") as screen:
        screen.until("\x1b[?1049h")  # a screen of its own
        screen.until("resting")
        fake.server = wire(62, 9)
        screen.until("3.0")
        fake.refuse("UNAVAILABLE")
        screen.until("reconnecting: the reason in words")
        if how == "q":
            os.write(screen.end, b"x")
            os.write(screen.end, b"\x1b[Aq")
        else:
            screen.process.send_signal(signal.SIGINT)
        screen.until("\x1b[?1049l")
        assert screen.process.wait(30) == 0


def test_q_is_heard_while_the_server_does_not_answer(fake: Any) -> None:
    fake.server = wire()
    with terminal(fake) as screen:
        screen.until("resting")
        fake.server_hangs = True
        looked = len(fake.calls)
        fake.until(lambda: len(fake.calls) > looked)
        os.write(screen.end, b"q")
        screen.until("\x1b[?1049l")
        assert screen.process.wait(30) == 0


def test_ending_gives_up_the_look_that_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, closed = threading.Event(), threading.Event()
    given_up: list[bool] = []

    class Hanging:
        """Answers once."""

        def server(self, timeout_seconds: float | None = None) -> Server:
            if timeout_seconds is None:
                return a_server()
            begun.set()
            given_up.append(closed.wait(30))
            raise Unavailable("the client was closed")

        def close(self) -> None:
            closed.set()

    @contextmanager
    def asked_to_end() -> Iterator[Callable[[float], bool]]:
        yield begun.wait

    monkeypatch.setattr(top_command, "_asked_to_end", asked_to_end)
    terminal = Console(file=io.StringIO(), force_terminal=True, width=80, height=24)
    top_command._watch(cast("Client", Hanging()), "127.0.0.1:7420", 0.01, terminal)
    assert given_up == [True]


def test_a_refusal_that_does_not_pass_ends_the_view_with_a_line(fake: Any) -> None:
    fake.server = wire()
    with terminal(fake) as screen:
        screen.until("resting")
        fake.refuse("UNAUTHENTICATED")
        screen.until("\x1b[?1049l")
        screen.until("codesieve: the reason in words")
        assert screen.process.wait(30) == 2
