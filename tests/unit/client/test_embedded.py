"""A command's own server: started again when it is killed, a bounded number of times, and its file of jobs."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from pathlib import Path

import pytest

from codesieve.client import PreconditionFailed
from codesieve.client.cli import embedded
from codesieve.client.cli.embedded import RESTARTS, EmbeddedServer, JobFile, ServerStopped

STAND_IN = """#!{python}
import json, os, sys, threading
arguments = sys.argv[1:]
place = arguments[arguments.index("--listen") + 1]
where = arguments[arguments.index("--announce") + 1]
with open("{starts}", "a") as starts:
    starts.write(" ".join(arguments) + "\\n")
what = {{"error": "no room", "exit": 2}} if os.path.exists("{refuse}") else {{"listen": place.replace(":0", ":12345")}}
with open(where + ".part", "w") as file:
    file.write(json.dumps({{**what, "pid": os.getpid()}}) + "\\n")
os.rename(where + ".part", where)
if "listen" in what:
    threading.Event().wait()
"""


@pytest.fixture
def starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts a stand-in for the server in place; the file that it writes its arguments to, a line for each start."""
    stand_in, starts = tmp_path / "python", tmp_path / "starts"
    stand_in.write_text(STAND_IN.format(python=sys.executable, starts=starts, refuse=tmp_path / "refuse"))
    stand_in.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    monkeypatch.setattr(embedded, "check_installed", lambda: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return starts


def kill(server: EmbeddedServer) -> None:
    told = server._read_announcement()
    assert told is not None
    os.kill(told["pid"], signal.SIGKILL)


def test_a_killed_server_comes_back_at_its_address_so_many_times(starts: Path) -> None:
    told: list[str] = []
    with EmbeddedServer(["--store", "j.db"]) as server:
        assert server.wait_until_serving() == "127.0.0.1:12345"
        assert server.revive(told.append) is False  # it runs
        for _ in range(RESTARTS):
            kill(server)
            assert server.revive(told.append) is True
        kill(server)
        with pytest.raises(ServerStopped, match=rf"\(exit status -9\); its log is .*started again {RESTARTS} times"):
            server.revive(told.append)
    assert len(told) == RESTARTS
    assert all("(exit status -9)" in line and line.endswith("; starting it again") for line in told)
    lines = starts.read_text().splitlines()
    assert len(lines) == 1 + RESTARTS
    assert "--listen 127.0.0.1:0" in lines[0]
    assert all("--listen 127.0.0.1:12345" in line and "--store j.db" in line for line in lines[1:])


def test_a_server_that_cannot_come_back_says_why(starts: Path, tmp_path: Path) -> None:
    with EmbeddedServer([]) as server:
        server.wait_until_serving()
        (tmp_path / "refuse").touch()
        kill(server)
        with pytest.raises(ServerStopped, match=r"exit status -9.*; the server can't start: no room"):
            server.revive(lambda _: None)


def test_a_jobs_file_goes_with_all_that_lies_beside_it(tmp_path: Path) -> None:
    file = JobFile(tmp_path / "out/job/j.db")
    for name in ("j.db", "j.db-wal", "j.db-shm", "samples.jsonl"):
        (file.path.parent / name).touch()
    file.remove()
    assert [each.name for each in file.path.parent.iterdir()] == ["samples.jsonl"]
    file.undo()  # what isn't its own stays
    assert (tmp_path / "out/job/samples.jsonl").exists()


def test_where_no_job_was_made_nothing_is_left(tmp_path: Path) -> None:
    new = JobFile(tmp_path / "out/job/j.db")
    new.path.touch()
    new.undo()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old.db").touch()
    JobFile(tmp_path / "old.db").undo()  # it was there before, with a job
    assert (tmp_path / "old.db").exists()


def test_a_jobs_file_that_is_in_use_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = JobFile(tmp_path / "j.db")
    file.wait_until_free()  # nobody has used it yet
    with (tmp_path / "j.db.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        monkeypatch.setattr(embedded, "FREE_SECONDS", 0.1)
        with pytest.raises(PreconditionFailed, match=r"another command works on the job in .*j\.db"):
            file.wait_until_free()
    file.wait_until_free()
