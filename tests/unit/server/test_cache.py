"""Equal programs are judged once, and an outage is never kept."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from codesieve.server.cache import OVERHEAD_BYTES, CachingJudge, content_address
from codesieve.workers.types import Integrity, Judgement, Limits, Problem, Program, Verdict, WorkFailed

PROBLEM = Problem("p", "def f():\n", "f", "def check(candidate): pass")


def program(completion: bytes, work_id: str = "w", limits: Limits = Limits(), problem: Problem = PROBLEM) -> Program:  # noqa: B008
    return Program(work_id, problem, completion, limits)


class CountingJudge:
    """Judges after a step of the loop, and counts."""

    capacity = 7

    def __init__(self) -> None:
        self.judged: list[str] = []
        self.outages = 0

    async def run(self, work: Program) -> Judgement | WorkFailed:
        await asyncio.sleep(0.01)
        self.judged.append(work.work_id)
        if self.outages:
            self.outages -= 1
            return WorkFailed(work.work_id, "CELL_LOST", "the cell died")
        return Judgement(work.work_id, Verdict.PASSED, Integrity.SHARED, stdout=work.completion)


async def test_equal_programs_are_judged_once_also_at_the_same_time() -> None:
    judge, hits = CountingJudge(), []
    cache = CachingJudge(judge, 10**6, lambda: hits.append(1))
    outcomes = await asyncio.gather(*(cache.run(program(b"x", str(i))) for i in range(20)))
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
        program(b"x", problem=dataclasses.replace(PROBLEM, check_function="def check(candidate): assert 0")),
        program(b"x", problem=dataclasses.replace(PROBLEM, entry_point="g")),
        program(b"f():\nx", problem=dataclasses.replace(PROBLEM, prompt="def ")),
    ],
)
async def test_programs_that_differ_anywhere_are_not_equal(other: Program) -> None:
    judge = CountingJudge()
    cache = CachingJudge(judge, 10**6, lambda: None)
    await cache.run(program(b"x"))
    outcome = await cache.run(other)
    assert isinstance(outcome, Judgement)
    assert not outcome.cached
    assert len(judge.judged) == 2


def test_the_problems_name_is_no_part_of_the_content() -> None:
    renamed = program(b"x", problem=dataclasses.replace(PROBLEM, problem_id="q", canonical_solution="pass"))
    assert content_address(renamed) == content_address(program(b"x"))


async def test_an_outage_is_not_kept_and_those_who_waited_are_judged() -> None:
    judge = CountingJudge()
    judge.outages = 1
    cache = CachingJudge(judge, 10**6, lambda: None)
    outcomes = await asyncio.gather(*(cache.run(program(b"x", str(i))) for i in range(3)))
    assert isinstance(outcomes[0], WorkFailed)
    assert [outcome.cached for outcome in outcomes[1:] if isinstance(outcome, Judgement)] == [False, True]


async def test_cancelling_the_first_lets_the_next_go_on() -> None:
    judge = CountingJudge()
    cache = CachingJudge(judge, 10**6, lambda: None)
    first = asyncio.create_task(cache.run(program(b"x", "first")))
    second = asyncio.create_task(cache.run(program(b"x", "second")))
    await asyncio.sleep(0)
    first.cancel()
    outcome = await second
    assert isinstance(outcome, Judgement)
    assert judge.judged == ["second"]


async def test_what_is_kept_is_bounded_and_the_least_used_goes_first() -> None:
    judge = CountingJudge()
    cache = CachingJudge(judge, 2 * (OVERHEAD_BYTES + 1), lambda: None)
    for completion in (b"a", b"b", b"a", b"c", b"a", b"b"):
        await cache.run(program(completion, completion.decode()))
    assert judge.judged == ["a", "b", "c", "b"]
    await cache.run(program(b"larger than everything" * 100, "large"))
    await cache.run(program(b"larger than everything" * 100, "large"))
    assert judge.judged[-2:] == ["large", "large"]
