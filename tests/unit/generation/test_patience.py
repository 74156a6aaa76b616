"""When a call is made again, on a clock of the test's own."""

from __future__ import annotations

import asyncio

import pytest

from codesieve.workers.errors import EngineError
from codesieve.workers.generation.patience import Patience, TryAgain, retry_after_seconds

NOON = 1_767_268_800.0  # 2026-01-01T12:00:00Z


class Time:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


class Endpoint:
    """Answers in turn: a number of seconds to wait, None for a failure, or a text."""

    def __init__(self, time: Time, *answers: float | str | None) -> None:
        self._time = time
        self._answers = list(answers)
        self.called_at: list[float] = []

    async def call(self) -> str:
        self.called_at.append(self._time.now)
        answer = self._answers.pop(0)
        if isinstance(answer, str):
            return answer
        raise TryAgain(EngineError("not now"), answer)


def patience(time: Time) -> Patience:
    return Patience(lambda: time.now, time.sleep, lambda: 0.0)


async def test_each_call_that_is_made_again_is_told_with_what_was_asked_for() -> None:
    time = Time()
    told: list[float | None] = []
    endpoint = Endpoint(time, None, 2.0, None, *[None] * 9)
    with pytest.raises(EngineError):
        await Patience(lambda: time.now, time.sleep, lambda: 0.0, told.append).run(endpoint.call)
    assert told == [None, 2.0, None, None, None, None, None]
    assert len(told) == len(endpoint.called_at) - 1


async def test_failures_are_tried_again_after_pauses_that_double() -> None:
    time = Time()
    endpoint = Endpoint(time, None, None, None, "done")
    assert await patience(time).run(endpoint.call) == "done"
    assert time.slept == [0.5, 1.0, 2.0]


async def test_a_call_that_keeps_failing_ends_with_its_own_error() -> None:
    time = Time()
    endpoint = Endpoint(time, *[None] * 20)
    with pytest.raises(EngineError, match="not now"):
        await patience(time).run(endpoint.call)
    assert len(endpoint.called_at) == 7


async def test_what_an_endpoint_asks_for_is_obeyed_by_every_call() -> None:
    time = Time()
    endpoint = Endpoint(time, 90.0, "first", "second")
    shared = patience(time)
    first = asyncio.create_task(shared.run(endpoint.call))
    await asyncio.sleep(0)  # the first has been told to wait
    assert sorted(await asyncio.gather(first, shared.run(endpoint.call))) == ["first", "second"]
    assert endpoint.called_at[0] == 100.0
    assert min(endpoint.called_at[1:]) == 190.0


async def test_waiting_uses_up_no_tries_but_does_not_last_for_ever() -> None:
    time = Time()
    endpoint = Endpoint(time, *[1.0] * 30, "done")
    assert await patience(time).run(endpoint.call) == "done"
    hopeless = Endpoint(time, *[600.0] * 30)
    with pytest.raises(EngineError, match="not now"):
        await patience(time).run(hopeless.call)
    assert len(hopeless.called_at) == 4
    in_no_hurry = Endpoint(time, *[0.0] * 30)
    with pytest.raises(EngineError, match="not now"):
        await patience(time).run(in_no_hurry.call)
    assert len(in_no_hurry.called_at) == 7


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after": "Thu, 01 Jan 2026 12:01:00 GMT"}, 60.0),
        ({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
    ],
)
def test_every_form_of_retry_after_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers, NOON) == seconds
