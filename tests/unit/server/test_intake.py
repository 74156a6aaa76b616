"""How requests come in: bounded, in their turn, and garbage as the client's error."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import grpc.aio
import pytest

from codesieve.server import intake as module
from codesieve.server.errors import InvalidRequest, Overloaded, TooSlow
from codesieve.server.intake import Incoming, Intake
from codesieve.server.interceptors import MAX_LINE, line
from codesieve.v1 import job_pb2, judge_pb2
from codesieve.workers.faults import outline

CREATE = job_pb2.DESCRIPTOR.services_by_name["JobService"].methods_by_name["CreateJob"]
JUDGE = judge_pb2.DESCRIPTOR.services_by_name["JudgeService"].methods_by_name["Judge"]


class Context:
    """Gives messages as gRPC's context does, and then the end; `until` holds them back."""

    def __init__(self, *messages: bytes, until: asyncio.Event | None = None) -> None:
        self._messages = list(messages)
        self._until = until

    async def read(self) -> Any:
        if self._until is not None:
            await self._until.wait()
        return self._messages.pop(0) if self._messages else grpc.aio.EOF


def incoming(intake: Intake, *messages: bytes, method: Any = CREATE, until: asyncio.Event | None = None) -> Incoming:
    context: Any = Context(*messages, until=until)
    return Incoming(context, method, intake)


def job(size: int) -> bytes:
    return job_pb2.CreateJobRequest(job_id="a" * size).SerializeToString()


async def test_what_calls_hold_is_bounded_and_let_go_at_their_end() -> None:
    intake = Intake(max_held_bytes=1000)
    async with incoming(intake, job(700)).taken(large=True, whole_stream=True) as request:
        assert request.job_id == "a" * 700
        assert intake.held_bytes > 700
        with pytest.raises(Overloaded) as refused:
            async with incoming(intake, job(700)).taken(large=True, whole_stream=True):
                pytest.fail("there is no room")
        assert refused.value.retry_after_seconds is not None
        async with incoming(intake, job(100)).taken(large=False, whole_stream=True):
            pass
    assert intake.held_bytes == 0
    # One alone is taken however large it is: gRPC bounds that.
    async with incoming(intake, job(5000)).taken(large=True, whole_stream=True):
        pass
    assert (intake.held_bytes, intake.receiving) == (0, 0)


async def test_of_a_stream_only_the_first_message_is_held_if_the_rest_is_not_kept() -> None:
    intake = Intake(max_held_bytes=1000)
    setup = judge_pb2.JudgeRequest(setup=judge_pb2.JudgeSetup()).SerializeToString()
    item = judge_pb2.JudgeRequest(item=judge_pb2.JudgeItem(id="a" * 600)).SerializeToString()
    async with incoming(intake, setup, item, item, method=JUDGE).taken(large=True, whole_stream=False) as messages:
        assert [message.WhichOneof("request") async for message in messages] == ["setup", "item", "item"]
        assert intake.held_bytes == len(setup)
    async with incoming(intake, setup, item, item, method=JUDGE).taken(large=True, whole_stream=True) as messages:
        with pytest.raises(Overloaded):
            [message async for message in messages]
    assert intake.held_bytes == 0


async def test_large_messages_are_received_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECEIVE_SECONDS", 0.2)
    intake = Intake(receiving=1)
    until = asyncio.Event()

    async def take(large: bool, until: asyncio.Event | None) -> None:
        async with incoming(intake, job(1), until=until).taken(large, whole_stream=True):
            pass

    slow = asyncio.create_task(take(True, until))
    await asyncio.sleep(0)
    await take(False, None)  # a small one passes by
    assert intake.receiving == 1
    with pytest.raises(TooSlow):
        await slow
    await take(True, None)
    assert intake.receiving == 0


@pytest.mark.parametrize("messages", [(), (b"\xff",), (b"\x0a\x03\xed\xa0\x80",)])
async def test_what_is_no_message_is_the_clients_error(messages: tuple[bytes, ...]) -> None:
    intake = Intake()
    with pytest.raises(InvalidRequest, match="request: is"):
        async with incoming(intake, *messages).taken(large=False, whole_stream=True):
            pytest.fail("it was read")
    gc.collect()
    assert intake.held_bytes == 0


@pytest.mark.parametrize("text", ["a\nb\x00\u202e", "\ud800", "a" * 5000, "\N{BIRD}" * 5000, "\n" * 5000])
def test_a_line_can_be_read_and_sent_whatever_a_client_put_into_it(text: str) -> None:
    made = line(text, MAX_LINE)
    assert made.isprintable()
    assert 0 < len(made.encode("utf-8")) <= MAX_LINE
    assert line("as it was", MAX_LINE) == "as it was"


def test_an_outline_has_no_text_of_the_error() -> None:
    def fail() -> None:
        try:
            raise ValueError("canary")
        except ValueError as error:
            raise KeyError("canary") from error

    with pytest.raises(KeyError) as raised:
        fail()
    said = outline(raised.value)
    assert "canary" not in said
    assert "\n" not in said
    assert said.startswith("KeyError at test_intake.py")
    assert "while handling ValueError at test_intake.py" in said
