"""`codesieve top`: rates from differences, and the command against a small server."""

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
from rich.console import Console
from tests.unit.client.servers import START, a_job, a_server, that_waits

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
from codesieve.v1 import job_pb2, server_pb2

CLI = [sys.executable, "-c", "from codesieve.client.cli import main; main()"]


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
