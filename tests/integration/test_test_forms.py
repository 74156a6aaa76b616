"""Every form of tests from the SDK and the command line to the judge, and what became of each test all the way back.

The front end is the real one, over gRPC in this process; what judges is a stand-in that keeps what it is given.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry

from codesieve.client import (
    AssertionTests,
    AsyncClient,
    Comparison,
    Framework,
    FunctionTests,
    InvalidRequest,
    JudgeItem,
    Problem,
    RecordedSample,
    ScriptTests,
    StdioCase,
    StdioTests,
    TestResult,
    Verdict,
)
from codesieve.client.cli import app
from codesieve.server.cache import CachingJudge
from codesieve.server.door import OpenDoor
from codesieve.server.front import FrontEnd
from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.metrics import Metrics
from codesieve.server.models import ModelRegistry
from codesieve.server.sharing import Share
from codesieve.workers import types

PROBLEMS = [
    Problem("function", "def f(x):\n", FunctionTests("def check(f):\n    assert f(2) == 4\n"), entry_point="f"),
    Problem("assertions", "Write f.", AssertionTests(("assert f(1) == 1", "assert f(2) == 4"), "import math")),
    Problem("stdio", "Echo.", StdioTests((StdioCase(b"\xff", b"\xfe"),), Comparison.FLOATS, 0.0)),
    Problem("script", "Write Queue.", ScriptTests("import queues", Framework.UNITTEST, "queues")),
]
RESULTS = (
    types.TestResult("assert f(1) == 1", types.Verdict.PASSED, "", b"(1,)", b"1", 0.25),
    types.TestResult("assert f(2) == 4", types.Verdict.FAILED, "3 is not 4", b"(2,)", b"\xff\x00", 0.5),
    types.TestResult("assert f(3) == 9", None),
)


@dataclasses.dataclass
class KeepingJudge:
    """FAILED with `RESULTS` for everything, and keeps what it was given."""

    capacity: int = 8
    got: list[types.Program] = dataclasses.field(default_factory=list)

    async def run(self, work: types.Program, share: Share) -> types.Judgement:
        self.got.append(work)
        return types.Judgement(work.work_id, types.Verdict.FAILED, types.Integrity.SPLIT, tests=RESULTS)

    def problems(self) -> dict[str, types.Problem]:
        return {work.problem.problem_id: work.problem for work in self.got}


@pytest.fixture
async def house() -> AsyncIterator[tuple[str, KeepingJudge]]:
    judge = KeepingJudge()
    models = ModelRegistry(lambda name, source: pytest.fail("no model is loaded here"))
    cached = CachingJudge(judge, 2**20, lambda: None)
    front = FrontEnd(cached, "none", models, Metrics(CollectorRegistry()), MemoryStore(), OpenDoor())
    port = await front.start("127.0.0.1:0")
    try:
        yield f"127.0.0.1:{port}", judge
    finally:
        hurry = asyncio.Event()
        hurry.set()
        await front.stop(0, hurry)


def expected_results() -> tuple[TestResult, ...]:
    return tuple(
        TestResult(
            one.name,
            Verdict(one.verdict.value) if one.verdict else None,
            one.detail,
            one.input,
            one.output,
            one.wall_seconds,
        )
        for one in RESULTS
    )


def check_problems(got: dict[str, types.Problem]) -> None:
    assert got["function"].tests == types.FunctionTests("def check(f):\n    assert f(2) == 4\n")
    assert (got["function"].entry_point, got["function"].prompt) == ("f", "def f(x):\n")
    assert got["assertions"].tests == types.AssertionTests(("assert f(1) == 1", "assert f(2) == 4"), "import math")
    assert got["stdio"].tests == types.StdioTests((types.StdioCase(b"\xff", b"\xfe"),), types.Comparison.FLOATS, 0.0)
    assert got["script"].tests == types.ScriptTests("import queues", types.Framework.UNITTEST, "queues")


async def test_a_job_takes_every_form_and_keeps_what_became_of_each_test(house: tuple[str, KeepingJudge]) -> None:
    address, judge = house
    async with AsyncClient(address) as client:
        result = await client.evaluate([RecordedSample(each.problem_id, b"x") for each in PROBLEMS], PROBLEMS)
        again = await client.result(result.job)  # from what the server kept
    check_problems(judge.problems())
    for told in (result, again):
        judgements = [sample.judgement for sample in told.samples if sample.judgement is not None]
        assert [one.tests for one in judgements] == [expected_results()] * 4
        failed = judgements[0].first_failed
        assert failed is not None
        assert failed.name == "assert f(2) == 4"


async def test_a_stream_of_items_takes_every_form(house: tuple[str, KeepingJudge]) -> None:
    address, judge = house
    items = [JudgeItem(each.problem_id, each.problem_id, b"x") for each in PROBLEMS]
    async with AsyncClient(address) as client:
        judged = [one async for one in client.judge(items, problems=PROBLEMS)]
        cached = [one async for one in client.judge(items, problems=PROBLEMS)]
    check_problems(judge.problems())
    assert len(judge.got) == 4
    assert [one.judgement.cached for one in judged + cached] == [False] * 4 + [True] * 4
    assert all(one.judgement.tests == expected_results() for one in judged + cached)


async def test_each_job_and_each_stream_is_an_owner_of_its_own(house: tuple[str, KeepingJudge]) -> None:
    address, judge = house

    async def owner_of(completion: bytes, job_id: str | None) -> str:
        before = len(judge.got)
        async with AsyncClient(address) as client:
            if job_id is None:
                items = [JudgeItem(str(i), "stdio", completion + b"%d" % i) for i in range(3)]
                _ = [one async for one in client.judge(items, problems=PROBLEMS)]
            else:
                samples = [RecordedSample("stdio", completion + b"%d" % i) for i in range(3)]
                await client.evaluate(samples, PROBLEMS, job_id=job_id)
        owners = {work.owner for work in judge.got[before:]}
        assert len(owners) == 1
        return owners.pop()

    owners = [
        await owner_of(b"a", "mine"),
        await owner_of(b"b", "judge-1"),
        await owner_of(b"c", None),
        await owner_of(b"d", None),
    ]
    assert len(set(owners)) == 4
    assert owners[0].startswith("jobs//mine/")  # of a caller without a name
    assert all(owner.startswith("judge/") for owner in owners[2:])


async def test_wrong_tests_are_refused_by_their_field(house: tuple[str, KeepingJudge]) -> None:
    address, judge = house
    wrong = [
        *PROBLEMS[:3],
        Problem("s", "", StdioTests([StdioCase(b"\xff", b"")], checker="def check(*texts): ...", tolerance=-1)),
        Problem("a", "", AssertionTests([])),
    ]
    async with AsyncClient(address) as client:
        with pytest.raises(InvalidRequest) as refused:
            await client.evaluate([RecordedSample("a", b"x")], wrong)
    assert [field for field, _ in refused.value.violations] == [
        "job.problems.inline.problems[3].stdio.tolerance",
        "job.problems.inline.problems[3].stdio.cases[0].stdin",
        "job.problems.inline.problems[4].assertions.assertions",
    ]
    assert judge.got == []


async def test_the_command_line_takes_files_of_every_form_and_tells_of_each_test(
    house: tuple[str, KeepingJudge], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, judge = house
    monkeypatch.chdir(tmp_path)
    rows: list[dict[str, Any]] = [
        {"task_id": 7, "text": "Write f.", "test_list": ["assert f(1) == 1"], "test_setup_code": "", "code": "f = abs"},
        {"task_id": "io", "prompt": "Echo.", "cases": [{"stdin": "1", "stdout": "1"}], "comparison": "EXACT"},
        {"task_id": "file", "prompt": "Write Queue.", "script": "import unittest", "framework": "UNITTEST"},
    ]
    write(tmp_path / "p.jsonl", rows)
    write(tmp_path / "s.jsonl", [{"task_id": row["task_id"], "completion": "x"} for row in rows])
    arguments = ["evaluate", "s.jsonl", "--problems", "p.jsonl", "--server", address, "--out", "out"]
    told = await asyncio.to_thread(CliRunner().invoke, app.cli, arguments, env={"COLUMNS": "200"})
    assert told.exit_code == 0, told.output
    assert [type(each.tests) for each in judge.problems().values()] == [
        types.AssertionTests,
        types.StdioTests,
        types.ScriptTests,
    ]
    for line in (
        "Failed, for example, 7@-#0: FAILED",
        "  test    assert f(2) == 4",
        "  verdict FAILED: 3 is not 4",
        "  input   (2,)",
        "  tests   1 of 3 tests passed, 1 did not run",
    ):
        assert line in told.output.splitlines()
    for path in (tmp_path / "out" / "results.jsonl", tmp_path / "s.jsonl_results.jsonl"):
        results = [json.loads(line) for line in path.read_text().splitlines()]
        assert [[test["verdict"] for test in row["tests"]] for row in results] == [["PASSED", "FAILED", None]] * 3

    job = json.loads((tmp_path / "out" / "report.json").read_text())["job"]
    watch = ["jobs", "watch", job, "--server", address]
    shown = await asyncio.to_thread(CliRunner().invoke, app.cli, watch)
    assert shown.output.count("  test    assert f(2) == 4\n") == 3
    as_json = await asyncio.to_thread(CliRunner().invoke, app.cli, [*watch, "--json"])
    events = [json.loads(line) for line in as_json.output.splitlines()]
    judged = [event["sample_judged"] for event in events if "sample_judged" in event]
    assert [[test["name"] for test in one["tests"]] for one in judged] == [[one.name for one in RESULTS]] * 3


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
