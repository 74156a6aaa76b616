"""Following a job's events."""

from __future__ import annotations

import asyncio
import datetime

import pytest
from prometheus_client import CollectorRegistry
from tests.house import a_job, key

from codesieve.server.errors import Draining
from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.jobs.store import Admission
from codesieve.server.jobs.stream import EventStream
from codesieve.server.metrics import Metrics


async def test_a_closed_stream_sends_followers_away() -> None:
    store = MemoryStore(1)
    stream = EventStream(
        store, Metrics(CollectorRegistry()).hops["client"], lambda: datetime.datetime.now(datetime.UTC)
    )
    await store.create(*a_job("j"), Admission())
    follower = stream.follow(key("j"), 0)
    assert (await anext(follower)).sequence == 1
    waiting = asyncio.ensure_future(anext(follower))
    await asyncio.sleep(0.01)
    stream.close()
    with pytest.raises(Draining):
        await waiting
