"""Messages between the host, the judge and the agent: length-prefixed frames of int, float, bytes and str.

Every process of these is ours. What the program answers comes in another form (``plain.py``), which nothing here decodes.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROTOCOL = 3

# Kinds of message: the first value of each.
HELLO = 1  # cell to host: protocol, Python version, one line of what it found
RUN = 2  # host to judge: id, mode, cpu s, wall s, memory B, output B, file B, processes, program, stdin, payload
CANCEL = 3  # host to judge: id
DONE = 4  # judge to host: id, the fields of ``judge.Seen``, and why the cell mustn't be used again, or ""
DIRTY = 5  # agent to host: a reason, and a line about it; the cell is gone
RETIRE = 6  # host to judge, judge to agent: another judge, which answers READY
READY = 7
BEGIN = 8  # judge to agent: the fields of ``Agent.begin``; descriptors go along where there is to be a candidate
KILL = 9  # judge to agent: how the program is ended
END = 12  # judge to agent: the tests are done; how the program is ended, or NATURAL
# agent to judge: end, status, wall s, cpu s, peak B, waited s, when it ended, what it left, why the cell mustn't be used
# again, or ""
ENDED = 10
LEAVE = 11  # judge to agent: the host is gone

# How a program is tested.
SPLIT = 1  # the judge runs the tests and calls the program
TOGETHER = 2  # the tests run in the program's process
SCRIPT = 3  # a unittest or pytest file runs in the program's process
STDIO = 4  # the program runs as a script
CHECKER = 5  # no program: the judge runs a checker on what one wrote

# How a program's process ended.
EXIT = 0
SIGNALLED = 1
CPU_LIMIT = 2
WALL_LIMIT = 3
OUTPUT_LIMIT = 4
OOM_KILLED = 5
CANCELLED = 6
JUDGE_CPU_LIMIT = 7  # the tests used up their CPU time
NATURAL = -1  # in END: the program ends by itself
PROCESS_LIMIT = 8  # only where the kernel doesn't hold a program to it

# What a program left behind, added up.
LEFT_FILES = 1
LEFT_PROCESSES = 2
LEFT_IPC = 4  # System V's, or in the places of POSIX' shared memory, semaphores and queues

# What became of the tests, or of one of them.
NOT_RUN = 0
PASSED = 1
SYNTAX = 2  # the program does not compile
ASSERTION = 3
RAISED = 4
LEFT = 5  # SystemExit; the message holds its code
MEMORY = 6
SETUP_FAILED = 7  # the child could not be made ready: our trouble, not the program's
FORGED = 8  # something was written to the judge's channel, and not by us
GONE = 9  # the program's process ended before its tests had
TOO_LARGE = 10  # a value was too large to cross
CANNOT_SPLIT = 11  # an argument isn't plain data
BROKEN_TESTS = 12  # the tests themselves don't compile

MAX_FRAME = 256 * 2**20

_U32 = struct.Struct("!I")
_I64 = struct.Struct("!q")
_F64 = struct.Struct("!d")


def encode(*values: int | float | bytes | str) -> bytes:
    """One frame: a length of four bytes, then each value with its tag."""
    parts = [b""]
    for value in values:
        if isinstance(value, bytes):
            parts += (b"b", _U32.pack(len(value)), value)
        elif isinstance(value, str):
            data = value.encode("utf-8", "backslashreplace")
            parts += (b"s", _U32.pack(len(data)), data)
        elif isinstance(value, int):
            parts += (b"i", _I64.pack(value))
        else:
            parts += (b"f", _F64.pack(value))
    parts[0] = _U32.pack(sum(map(len, parts)))
    return b"".join(parts)


def decode(body: bytes) -> tuple[Any, ...]:
    """The values of one frame's body. Raises ValueError where it is malformed."""
    values: list[Any] = []
    at = 0
    try:
        while at < len(body):
            tag = body[at : at + 1]
            at += 1
            if tag == b"i":
                values.append(_I64.unpack_from(body, at)[0])
                at += 8
            elif tag == b"f":
                values.append(_F64.unpack_from(body, at)[0])
                at += 8
            elif tag in (b"b", b"s"):
                end = at + 4 + _U32.unpack_from(body, at)[0]
                if end > len(body):
                    raise ValueError("a value is longer than its frame")
                values.append(body[at + 4 : end] if tag == b"b" else body[at + 4 : end].decode("utf-8"))
                at = end
            else:
                raise ValueError(f"unknown tag {tag!r}")
    except struct.error as error:
        raise ValueError(f"a frame ends early: {error}") from None
    return tuple(values)


class Frames:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[tuple[Any, ...]]:
        """The messages that `data` completes. Raises ValueError where the stream is malformed."""
        self._data += data
        messages = []
        at = 0
        while len(self._data) - at >= 4:
            size = _U32.unpack_from(self._data, at)[0]
            if size > MAX_FRAME:
                raise ValueError(f"a frame of {size} bytes is too long")
            if len(self._data) - at < 4 + size:
                break
            messages.append(decode(bytes(self._data[at + 4 : at + 4 + size])))
            at += 4 + size
        del self._data[:at]
        return messages
