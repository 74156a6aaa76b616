"""What the store in memory does beyond what every store does: it keeps so many jobs only."""

from __future__ import annotations

import pytest
from tests.house import MINE, NOW, a_job, key

from codesieve.server.errors import Overloaded
from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.jobs.model import (
    JobState,
)
from codesieve.server.jobs.store import Admission


async def test_the_store_makes_room_by_forgetting_jobs_that_have_ended() -> None:
    store = MemoryStore(2)
    await store.create(*a_job("a"), Admission())
    await store.create(*a_job("b"), Admission())
    with pytest.raises(Overloaded) as refused:
        await store.create(*a_job("c"), Admission())
    assert refused.value.retry_after_seconds is not None
    assert (await store.request_cancel(key("b"), NOW)).state is JobState.CANCELLED
    await store.create(*a_job("c"), Admission())
    assert [job.job_id for job in await store.list(MINE.name, 10, None)] == ["c", "a"]
    assert [job.job_id for job in await store.list(MINE.name, 1, "c")] == ["a"]


async def test_a_job_that_is_refused_makes_no_room() -> None:
    store = MemoryStore(1)
    await store.create(*a_job("a"), Admission())
    await store.request_cancel(key("a"), NOW)
    with pytest.raises(Overloaded, match="0 samples a day"):
        await store.create(*a_job("b"), Admission(caller_samples_per_day=0))
    assert (await store.get(key("a"))).state is JobState.CANCELLED
