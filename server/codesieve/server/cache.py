"""Equal programs are judged once: a cache before the sandbox workers.

Two programs are equal if problem, completion and limits are; the cells are the same for all that one server judges. What is
kept is bounded by its size, the least recently used goes first. Equal programs that come while the first of them is being
judged wait for it, and only one of them goes on if it ends without a verdict: an outage is never kept.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import hashlib
from collections.abc import Callable

from codesieve.server.pipeline import Judges
from codesieve.workers.types import Judgement, Program, WorkFailed

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
        self._under_way: dict[bytes, asyncio.Future[None]] = {}

    @property
    def capacity(self) -> int:
        return self._judge.capacity

    async def run(self, work: Program) -> Judgement | WorkFailed:
        """The verdict of this program or of an equal one before it, then marked as cached."""
        key = content_address(work)
        while (first := self._under_way.get(key)) is not None:
            await asyncio.wait([first])
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            self._on_hit()
            return dataclasses.replace(kept, work_id=work.work_id, cached=True)
        ended = self._under_way[key] = asyncio.get_running_loop().create_future()
        try:
            outcome = await self._judge.run(work)
            if isinstance(outcome, Judgement):
                self._keep(key, outcome)
            return outcome
        finally:
            del self._under_way[key]
            ended.set_result(None)

    def _keep(self, key: bytes, judgement: Judgement) -> None:
        self._kept[key] = judgement
        self._bytes += size(judgement)
        while self._bytes > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= size(oldest)


def content_address(program: Program) -> bytes:
    """A digest of all that the verdict depends on."""
    problem = program.problem
    digest = hashlib.sha256()
    parts = (problem.prompt, problem.entry_point, problem.check_function, program.completion, repr(program.limits))
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))  # so that text can't move from one part to the next
        digest.update(data)
    return digest.digest()


def size(judgement: Judgement) -> int:
    """About how many bytes an entry takes."""
    return OVERHEAD_BYTES + len(judgement.detail) + len(judgement.stdout) + len(judgement.stderr)
