"""The channel between a judge and a candidate: one request at a time, answered once.

    request  length, operation, number, target, body       answer  length, kind, number, body, changed arguments

The candidate's end is in the hands of the program, which may write what it likes. That earns it nothing: an answer is a
value, or an exception, or it is malformed. Lengths are checked before anything is read.
"""

from __future__ import annotations

import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# What is asked of the candidate.
LOAD = 1  # target: how it is tested; body: what that needs
CALL = 2  # target: a name of the program's; body: (args, kwargs)
CALL_HANDLE = 3  # target: a handle
METHOD = 4  # target: handle.name
ATTRIBUTE = 5
ITERATE = 6  # this and the following: target: a handle
NEXT = 7
LENGTH = 8
ITEM = 9
TRUTH = 10
AWAIT = 11
TEXT = 12

# What it answers.
VALUE = 1
ERROR = 2  # body: (its class's name, its nearest built-in class's), arguments, text
STOPPED = 3  # an iterator has ended
EXITING = 4  # SystemExit; body: its code's text
EXCEEDED = 5  # the value is too large to cross
BAD_SYNTAX = 6  # body: (name, text)
LOADED = 7

READY = b"R"
"""What the candidate sends once its process is ready, before it reads its first request."""

MAX_MESSAGE = 40 * 2**20

_HEAD = struct.Struct("!IBI")
_LENGTH = struct.Struct("!I")


class Closed(Exception):
    """The other end is closed."""


class Malformed(Exception):
    """What came is no message."""


def write_all(fd: int, data: bytes) -> None:
    """Raises Closed."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except (BrokenPipeError, ConnectionResetError):
        raise Closed from None


def pack(kind: int, number: int, parts: Iterable[bytes]) -> bytes:
    body = b"".join([part for data in parts for part in (_LENGTH.pack(len(data)), data)])
    return _HEAD.pack(len(body) + 5, kind, number) + body


def read_message(fd: int) -> tuple[int, int, list[bytes]]:
    """The kind, the number and the parts of the next message. Raises Closed and Malformed.

    Each end speaks only when it is the other's turn, so that more than one message at a time is malformed.
    """
    try:
        data = os.read(fd, 65536)
        while 0 < len(data) < 4:
            more = os.read(fd, 65536)
            if not more:
                raise Closed
            data += more
        if not data:
            raise Closed
        size = _LENGTH.unpack_from(data)[0] + 4
        if size > MAX_MESSAGE or size < _HEAD.size:
            raise Malformed(f"a message of {size} bytes")
        if len(data) < size:
            whole = bytearray(data)
            while len(whole) < size:
                more = os.read(fd, min(size - len(whole), 1 << 20))
                if not more:
                    raise Closed
                whole += more
            data = bytes(whole)
    except ConnectionResetError:
        raise Closed from None
    if len(data) > size:
        raise Malformed("two messages at once")
    _, kind, number = _HEAD.unpack_from(data)
    parts = []
    at = _HEAD.size
    while at < size:
        if at + 4 > size:
            raise Malformed("a part ends early")
        end = at + 4 + _LENGTH.unpack_from(data, at)[0]
        if end > size:
            raise Malformed("a part ends early")
        parts.append(data[at + 4 : end])
        at = end
    return kind, number, parts
