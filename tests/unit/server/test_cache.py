"""Equal programs are judged once, and an outage is never kept."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import weakref

import pytest

from codesieve.server import cache as cache_module
from codesieve.server.cache import OVERHEAD_BYTES, CachingJudge, content_address, digest_of_problem, size
from codesieve.server.sharing import Priority, Share
from codesieve.workers.types import (
    AssertionTests,
    Comparison,
    Framework,
    FunctionTests,
    Integrity,
    Judgement,
    Limits,
    Problem,
    Program,
    ScriptTests,
    StdioCase,
    StdioTests,
    TestResult,
    Tests,
    Verdict,
    WorkFailed,
)

PROBLEM = Problem("p", "def f():\n", "f", FunctionTests("def check(candidate): pass"))
TESTED = TestResult("case 1", Verdict.FAILED, "1 != 2", b"in", b"out", 0.5)


def program(completion: bytes, work_id: str = "w", limits: Limits = Limits(), problem: Problem = PROBLEM) -> Program:  # noqa: B008
    return Program(work_id, problem, completion, limits)


SHARE = Share("caller", "flow")


class CountingJudge:
    """Judges after a step of the loop, and counts."""

    capacity = 7

    def __init__(self) -> None:
        self.judged: list[str] = []
        self.outages = 0
        self.tests: tuple[TestResult, ...] = ()

    async def run(self, work: Program, share: Share) -> Judgement | WorkFailed:
        await asyncio.sleep(0.01)
        self.judged.append(work.work_id)
        if self.outages:
            self.outages -= 1
            return WorkFailed(work.work_id, "CELL_LOST", "the cell died")
        return Judgement(work.work_id, Verdict.PASSED, Integrity.SHARED, stdout=work.completion, tests=self.tests)


async def test_equal_programs_are_judged_once_also_at_the_same_time() -> None:
    judge, hits = CountingJudge(), []
    cache = CachingJudge(judge, 10**6, lambda: hits.append(1))
    outcomes = await asyncio.gather(*(cache.run(program(b"x", str(i)), SHARE) for i in range(20)))
    assert judge.judged == ["0"]
    assert [outcome.work_id for outcome in outcomes] == [str(i) for i in range(20)]
    assert [outcome.cached for outcome in outcomes if isinstance(outcome, Judgement)] == [False] + [True] * 19
    assert len(hits) == 19
    assert cache.capacity == 7


@pytest.mark.parametrize(
    "other",
    [
        program(b"y"),
        program(b"x", limits=Limits(cpu_time_seconds=1)),
        program(b"x", problem=dataclasses.replace(PROBLEM, tests=FunctionTests("def check(candidate): assert 0"))),
        program(b"x", problem=dataclasses.replace(PROBLEM, entry_point="g")),
        program(b"f():\nx", problem=dataclasses.replace(PROBLEM, prompt="def ")),
    ],
)
async def test_programs_that_differ_anywhere_are_not_equal(other: Program) -> None:
    judge = CountingJudge()
    cache = CachingJudge(judge, 10**6, lambda: None)
    await cache.run(program(b"x"), SHARE)
    outcome = await cache.run(other, SHARE)
    assert isinstance(outcome, Judgement)
    assert not outcome.cached
    assert len(judge.judged) == 2


def test_the_problems_name_is_no_part_of_the_content() -> None:
    renamed = program(b"x", problem=dataclasses.replace(PROBLEM, problem_id="q", canonical_solution="pass"))
    assert address(renamed) == address(program(b"x"))


def address(work: Program) -> bytes:
    return content_address(digest_of_problem(work.problem), work)


CASE = StdioCase(b"1", b"2")
ONE_OF_EACH: list[Tests] = [
    FunctionTests("a"),
    FunctionTests("b"),
    AssertionTests(("a",)),
    AssertionTests(("a", "b")),
    AssertionTests(("ab",)),
    AssertionTests(("a",), setup="b"),
    StdioTests((CASE,)),
    StdioTests((CASE, CASE)),
    StdioTests((StdioCase(b"12", b""),)),
    StdioTests((StdioCase(b"", b"12"),)),
    StdioTests((CASE,), Comparison.FLOATS),
    StdioTests((CASE,), tolerance=1e-9),
    StdioTests((CASE,), checker="a"),
    ScriptTests("a"),
    ScriptTests("b"),
    ScriptTests("a", Framework.UNITTEST),
    ScriptTests("a", module="b"),
]


def test_tests_that_differ_anywhere_make_programs_differ() -> None:
    addresses = [address(program(b"x", problem=dataclasses.replace(PROBLEM, tests=tests))) for tests in ONE_OF_EACH]
    assert len(set(addresses)) == len(ONE_OF_EACH)


@pytest.mark.parametrize("tests", ONE_OF_EACH[2:])
def test_what_only_function_tests_are_run_with_counts_only_there(tests: Tests) -> None:
    mine = Problem("p", "prompt", "f", tests)
    other = Problem("p", "another", "g", tests)
    assert address(program(b"x", problem=mine)) == address(program(b"x", problem=other))


def test_whose_program_it_is_does_not_count() -> None:
    assert address(dataclasses.replace(program(b"x"), owner="jobs/1")) == address(program(b"x"))


async def test_a_verdict_from_the_cache_has_its_tests_and_they_take_room() -> None:
    judge = CountingJudge()
    judge.tests = (TESTED, dataclasses.replace(TESTED, name="case 2", output=b"x" * 1000))
    cache = CachingJudge(judge, 10**6, lambda: None)
    outcomes = [await cache.run(program(b"x", work_id), SHARE) for work_id in "ab"]
    assert [one.tests for one in outcomes if isinstance(one, Judgement)] == [judge.tests] * 2
    untested = Judgement("w", Verdict.PASSED, Integrity.SPLIT)
    texts = sum(len(one.name) + len(one.detail) + len(one.input) + len(one.output) for one in judge.tests)
    assert size(dataclasses.replace(untested, tests=judge.tests)) == size(untested) + 2 * OVERHEAD_BYTES + texts


async def test_a_problem_is_read_once_and_forgotten_with_its_last_user(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counted(problem: Problem) -> bytes:
        read.append(problem.problem_id)
        return digest_of_problem(problem)

    monkeypatch.setattr(cache_module, "digest_of_problem", counted)
    cache = CachingJudge(CountingJudge(), 10**6, lambda: None)
    problem = dataclasses.replace(PROBLEM, problem_id="large")
    for completion in (b"a", b"b"):
        await cache.run(program(completion, problem=problem), SHARE)
    assert read == ["large"]
    gone = weakref.ref(problem)
    del problem
    gc.collect()
    assert gone() is None


async def test_an_outage_is_not_kept_and_those_who_waited_are_judged() -> None:
    judge = CountingJudge()
    judge.outages = 1
    cache = CachingJudge(judge, 10**6, lambda: None)
    outcomes = await asyncio.gather(*(cache.run(program(b"x", str(i)), SHARE) for i in range(3)))
    assert isinstance(outcomes[0], WorkFailed)
    assert [outcome.cached for outcome in outcomes[1:] if isinstance(outcome, Judgement)] == [False, True]


async def test_cancelling_the_first_lets_the_next_go_on() -> None:
    judge = CountingJudge()
    cache = CachingJudge(judge, 10**6, lambda: None)
    first = asyncio.create_task(cache.run(program(b"x", "first"), SHARE))
    second = asyncio.create_task(cache.run(program(b"x", "second"), SHARE))
    await asyncio.sleep(0)
    first.cancel()
    outcome = await second
    assert isinstance(outcome, Judgement)
    assert judge.judged == ["second"]


async def test_what_is_kept_is_bounded_and_the_least_used_goes_first() -> None:
    judge = CountingJudge()
    cache = CachingJudge(judge, 2 * (OVERHEAD_BYTES + 1), lambda: None)
    for completion in (b"a", b"b", b"a", b"c", b"a", b"b"):
        await cache.run(program(completion, completion.decode()), SHARE)
    assert judge.judged == ["a", "b", "c", "b"]
    await cache.run(program(b"larger than everything" * 100, "large"), SHARE)
    await cache.run(program(b"larger than everything" * 100, "large"), SHARE)
    assert judge.judged[-2:] == ["large", "large"]


async def test_a_program_waits_for_no_equal_one_of_another_job() -> None:
    batch, urgent = Share("caller", "job"), Share("caller", "stream", priority=Priority.INTERACTIVE)
    turn = asyncio.Event()

    class SlowForBatch(CountingJudge):
        async def run(self, work: Program, share: Share) -> Judgement | WorkFailed:
            if share == batch:
                await turn.wait()
            return await super().run(work, share)

    judge = SlowForBatch()
    cache = CachingJudge(judge, 10**6, lambda: None)
    slow = [asyncio.create_task(cache.run(program(b"x", f"slow {i}"), batch)) for i in range(2)]
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        outcomes = [await cache.run(program(b"x", f"urgent {i}"), urgent) for i in range(2)]
    assert [outcome.cached for outcome in outcomes if isinstance(outcome, Judgement)] == [False, True]
    turn.set()
    await asyncio.gather(*slow)
    assert judge.judged == ["urgent 0", "slow 0"]


async def test_a_verdict_that_two_jobs_came_to_is_kept_and_counted_once() -> None:
    judge = CountingJudge()
    cache = CachingJudge(judge, 2 * (OVERHEAD_BYTES + 1), lambda: None)
    await asyncio.gather(*(cache.run(program(b"a", f"a{i}"), Share("caller", f"job {i}")) for i in range(2)))
    for completion in (b"b", b"a", b"b"):
        await cache.run(program(completion, completion.decode()), SHARE)
    assert judge.judged == ["a0", "a1", "b"]
