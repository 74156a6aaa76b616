"""Equal programs are judged once: a cache before the sandbox workers.

Two programs are equal if what runs, its tests and its limits are; the cells are the same for all that one server judges.
What is kept is bounded by its size, the least recently used goes first. Equal programs of one job or stream that come while
the first of them is being judged wait for it, and only one of them goes on if it ends without a verdict: an outage is never
kept. They wait for none of another: its turn may be far away, and theirs close.

Whose program it is doesn't count: the same content has the same verdict. A client that guesses program, tests and limits of
another learns that they were judged before, and the verdict that it would have got anyway; nothing that it didn't send.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import hashlib
import weakref
from collections.abc import Callable

from codesieve.server.digests import feed
from codesieve.server.pipeline import Judges
from codesieve.server.sharing import Share
from codesieve.workers.types import FunctionTests, Judgement, Problem, Program, WorkFailed

OVERHEAD_BYTES = 500
"""What an entry takes besides its text, roughly."""


class CachingJudge:
    """`Judges`, with equal programs judged once. `max_bytes` bounds what is kept; `on_hit` is told of each verdict saved."""

    def __init__(self, judge: Judges, max_bytes: int, on_hit: Callable[[], None]) -> None:
        self._judge = judge
        self._max_bytes = max_bytes
        self._on_hit = on_hit
        self._kept: collections.OrderedDict[bytes, Judgement] = collections.OrderedDict()
        self._bytes = 0
        self._under_way: dict[tuple[bytes, Share], asyncio.Future[None]] = {}
        # Tests may be megabytes and come with every sample, so each problem is read once for as long as it is in use.
        self._problems: weakref.WeakKeyDictionary[Problem, bytes] = weakref.WeakKeyDictionary()

    @property
    def capacity(self) -> int:
        return self._judge.capacity

    async def run(self, work: Program, share: Share) -> Judgement | WorkFailed:
        """The verdict of this program or of an equal one before it, then marked as cached."""
        problem = self._problems.get(work.problem)
        if problem is None:
            problem = self._problems[work.problem] = digest_of_problem(work.problem)
        key = content_address(problem, work)
        while (first := self._under_way.get((key, share))) is not None:
            await asyncio.wait([first])
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            self._on_hit()
            return dataclasses.replace(kept, work_id=work.work_id, cached=True)
        ended = self._under_way[key, share] = asyncio.get_running_loop().create_future()
        try:
            outcome = await self._judge.run(work, share)
            if isinstance(outcome, Judgement):
                self._keep(key, outcome)
            return outcome
        finally:
            del self._under_way[key, share]
            ended.set_result(None)

    def _keep(self, key: bytes, judgement: Judgement) -> None:
        if key in self._kept:
            return  # another job's was faster
        self._kept[key] = judgement
        self._bytes += size(judgement)
        while self._bytes > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= size(oldest)


def content_address(problem: bytes, program: Program) -> bytes:
    """A digest of all that the verdict depends on; `problem` is `digest_of_problem` of the program's."""
    digest = hashlib.sha256(problem)
    feed(digest, program.completion)
    feed(digest, program.limits)
    return digest.digest()


def digest_of_problem(problem: Problem) -> bytes:
    """A digest of the tests and of what they are run with. Only function tests are run with the prompt."""
    digest = hashlib.sha256()
    feed(digest, problem.tests)
    if isinstance(problem.tests, FunctionTests):
        feed(digest, (problem.prompt, problem.entry_point))
    return digest.digest()


def size(judgement: Judgement) -> int:
    """About how many bytes an entry takes."""
    tests = sum(
        OVERHEAD_BYTES + len(one.name) + len(one.detail) + len(one.input) + len(one.output) for one in judgement.tests
    )
    return OVERHEAD_BYTES + len(judgement.detail) + len(judgement.stdout) + len(judgement.stderr) + tests
