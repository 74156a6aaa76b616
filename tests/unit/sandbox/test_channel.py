"""The channel to a candidate: one whole message at a time, or it is malformed."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator

import pytest

from codesieve.workers.sandbox.inside import channel

Sent = Callable[[bytes], int]


@pytest.fixture
def sent() -> Iterator[Sent]:
    """The end of a pipe into which some bytes were written, and nothing more will be."""
    opened = []

    def send(data: bytes) -> int:
        read, write = os.pipe()
        opened.append(read)
        os.write(write, data)
        os.close(write)
        return read

    yield send
    for fd in opened:
        os.close(fd)


@pytest.mark.parametrize("parts", [[], [b""], [b"a", b"", b"\x00\xff" * 1000], [b"x" * 60000]])
def test_a_message_comes_out_as_it_went_in(sent: Sent, parts: list[bytes]) -> None:
    assert channel.read_message(sent(channel.pack(channel.VALUE, 7, parts))) == (channel.VALUE, 7, parts)


@pytest.mark.parametrize(
    "data",
    [
        channel.pack(1, 1, [b"a"]) + b"x",
        channel.pack(1, 1, [b"a"]) * 2,
        struct.pack("!I", channel.MAX_MESSAGE) + b"x",
        struct.pack("!I", 0xFFFFFFFF) + b"x",
        struct.pack("!IB", 1, 1),
        struct.pack("!IBI", 8, 1, 1) + b"abc",
        struct.pack("!IBII", 10, 1, 1, 5) + b"a",
        struct.pack("!IBII", 9, 1, 1, 0xFFFFFFFF),
    ],
)
def test_what_is_no_message_is_malformed(sent: Sent, data: bytes) -> None:
    with pytest.raises(channel.Malformed):
        channel.read_message(sent(data))


@pytest.mark.parametrize("cut", [0, 1, 3, 4, 8, 12])
def test_a_message_that_ends_early_is_the_end(sent: Sent, cut: int) -> None:
    with pytest.raises(channel.Closed):
        channel.read_message(sent(channel.pack(1, 1, [b"abcd"])[:cut]))


def test_writing_to_nobody_is_the_end() -> None:
    read, write = os.pipe()
    os.close(read)
    with pytest.raises(channel.Closed):
        channel.write_all(write, b"x")
    os.close(write)
