"""The judge's end of a channel: the program as stand-ins that send arguments over and get results back.

What comes back is decoded as exact built-in types (``plain.py``) or stays with the program behind a handle. Whatever the
program sends can be a value, an exception, or malformed; a session that has once gone wrong is over and gives nothing more.
"""

from __future__ import annotations

import builtins
import os
import time

from . import channel as ch
from . import frames, plain
from .channel import Closed, Malformed, pack, read_message, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

KEPT = 1000
"""Characters of each call's arguments and result that are kept to be shown."""
NOT_REBUILT = ("SystemExit", "BaseExceptionGroup", "ExceptionGroup")


class Over(BaseException):
    """There is nothing more to be had from the program. The tests may swallow it; the session remembers."""


class Session:
    """One candidate at the other end of a channel."""

    def __init__(self, fd: int, wait: Callable[[], None]) -> None:
        """`wait` returns once there is something to read at `fd`."""
        self.fd = fd
        self.wait = wait
        self.number = 0
        self.over: tuple[int, str, str] | None = None
        self.raised: BaseException | None = None  # the last exception that the program raised into the tests
        self.last_call = ("", "")  # arguments and result, as Python shows them
        self.ready_at = 0.0  # when the candidate's process was seen to be ready
        self.remotes: dict[int, Remote] = {}  # so that one object of the program's is one here

    def end(self, kind: int, name: str = "", message: str = "") -> Over:
        if self.over is None:
            self.over = (kind, name, message)
        return Over()

    def exchange(self, operation: int, parts: list[bytes]) -> tuple[int, list[bytes]]:
        """Sends a request and gives the answer's kind and parts. Raises Over."""
        if self.over is not None:
            raise Over
        self.number += 1
        try:
            write_all(self.fd, pack(operation, self.number, parts))
        except Closed:
            raise self.end(frames.GONE) from None
        return self.answer()

    def answer(self) -> tuple[int, list[bytes]]:
        self.wait()
        try:
            kind, number, answer = read_message(self.fd)
        except Closed:
            raise self.end(frames.GONE) from None
        except Malformed as error:
            raise self.end(frames.FORGED, "", str(error)) from None
        if number != self.number:
            raise self.end(frames.FORGED, "", f"answer {number} to question {self.number}")
        return kind, answer

    def load(self, parts: list[bytes]) -> tuple[int, list[bytes]]:
        """The answer to the first request, which goes out before the candidate is known to be ready. Raises Over."""
        self.number += 1
        try:
            write_all(self.fd, pack(ch.LOAD, self.number, parts))
        except Closed:
            raise self.end(frames.GONE if self.is_ready() else frames.SETUP_FAILED) from None
        if not self.is_ready():
            raise self.end(frames.SETUP_FAILED)
        return self.answer()

    def is_ready(self) -> bool:
        """Whether the candidate's process had been made ready, before it had read a word of the program."""
        self.wait()
        try:
            ready = os.read(self.fd, 1) == ch.READY
        except ConnectionResetError:
            return False
        if ready:
            self.ready_at = time.monotonic()
        return ready

    def load_program(self, program: bytes) -> None:
        """Raises Over or what the program raised."""
        kind, answer = self.load([b"calls", program])
        if kind == ch.LOADED:
            return
        if kind == ch.BAD_SYNTAX and len(answer) == 2:
            raise self.end(frames.SYNTAX, *(part.decode("utf-8", "replace")[:1000] for part in answer))
        self.not_a_value(kind, answer)

    def ask(self, operation: int, target: str, args: Any = (), kwargs: Any = None) -> Any:
        """What the program's `target` gives. Raises what it raises."""
        kwargs = kwargs or {}
        try:
            asked = plain.encode((args, kwargs), handle_of, plain.ARGUMENTS)
        except FromProgram as error:
            raise TypeError(str(error)) from None
        except (plain.NotPlain, plain.TooDeep) as error:
            if operation in (ch.ITEM, ch.METHOD):
                # Plain data in place of its object would have taken this: the object mustn't have it judged together.
                raise TypeError(str(error)) from None
            raise self.end(frames.CANNOT_SPLIT, "", str(error)) from None
        except plain.TooLarge:
            # After the first call the program may have had a hand in it, and must not choose to be judged together.
            raise self.end(frames.CANNOT_SPLIT if self.number == 1 else frames.TOO_LARGE) from None
        given = shown_arguments(args, kwargs, len(asked))
        self.last_call = (given, "")
        kind, answer = self.exchange(operation, [target.encode("utf-8"), asked])
        if kind == ch.STOPPED and operation == ch.NEXT:
            raise StopIteration
        if kind == ch.ERROR and len(answer) == 3:
            self.change((args, kwargs), answer[2])
        if kind != ch.VALUE or len(answer) != 3:
            self.not_a_value(kind, answer)
        try:
            type_name = answer[2].decode("utf-8", "replace")[:200]
            value = plain.decode(answer[0], lambda number: self.remote(number, type_name))
        except (ValueError, RecursionError) as error:
            raise self.end(frames.FORGED, "", str(error)) from None
        self.last_call = (given, short(value, len(answer[0])))
        self.change((args, kwargs), answer[1])
        return value

    def change(self, arguments: tuple[Any, Any], changed: bytes) -> None:
        """Makes the arguments of a call what the program has made of them. Raises Over."""
        if not changed:
            return
        try:
            new = plain.decode(changed, lambda number: self.remote(number, "object"), plain.ARGUMENTS)
            copy_back(arguments, new)
        except Exception as error:  # noqa: BLE001  (whatever it is, the program sent what doesn't fit)
            raise self.end(frames.FORGED, "", f"changed arguments that don't fit: {error}") from None

    def not_a_value(self, kind: int, answer: list[bytes]) -> None:
        """Raises what an answer that is no value means."""
        if kind == ch.ERROR and len(answer) == 3:
            try:
                names = plain.decode(answer[0], no_handle)
                arguments = plain.decode(answer[1], no_handle)
            except (ValueError, RecursionError) as error:
                raise self.end(frames.FORGED, "", str(error)) from None
            if type(names) is tuple and type(arguments) is tuple and list(map(type, names)) == [str, str]:
                self.raised = rebuild(names[0], names[1], arguments)
                if isinstance(self.raised, StopIteration):
                    # Tests in the form of all(map(...)) would take it for the end of the tests.
                    self.raised = RuntimeError("the program raised StopIteration")
                raise self.raised
        elif kind == ch.EXITING and len(answer) == 1:
            raise self.end(frames.LEFT, "SystemExit", answer[0].decode("utf-8", "replace")[:1000])
        elif kind == ch.EXCEEDED:
            raise self.end(frames.TOO_LARGE)
        raise self.end(frames.FORGED, "", f"an answer of kind {kind}")

    def remote(self, number: int, type_name: str) -> Any:
        if type_name == "coroutine":
            return awaited(self, number)
        found = self.remotes.get(number)
        if found is None:
            found = self.remotes[number] = Remote(self, number, type_name)
        return found

    def stand_in(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            return self.ask(ch.CALL, name, args, kwargs)

        call.__name__ = call.__qualname__ = name
        return call


class Remote:
    """An object of the program's that isn't plain data. It is equal to itself only, whatever it says of that."""

    def __init__(self, session: Session, number: int, type_name: str) -> None:
        self.__dict__.update(_session=session, _number=number, _type=type_name)

    def __eq__(self, other: object) -> bool:
        return type(other) is Remote and other._number == self._number

    def __hash__(self) -> int:
        return hash(self._number)

    def __repr__(self) -> str:
        return f"<{self._type} of the program>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._session.ask(ch.CALL_HANDLE, str(self._number), args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._session.ask(ch.ATTRIBUTE, f"{self._number}.{name}")

    def __setattr__(self, name: str, value: Any) -> None:
        self._session.ask(ch.METHOD, f"{self._number}.__setattr__", (name, value))

    def __setitem__(self, place: Any, value: Any) -> None:
        self._session.ask(ch.METHOD, f"{self._number}.__setitem__", (place, value))

    def __delitem__(self, place: Any) -> None:
        self._session.ask(ch.METHOD, f"{self._number}.__delitem__", (place,))

    def __iter__(self) -> Any:
        return self._session.ask(ch.ITERATE, str(self._number))

    def __next__(self) -> Any:
        return self._session.ask(ch.NEXT, str(self._number))

    def __len__(self) -> int:
        value = self._session.ask(ch.LENGTH, str(self._number))
        return int(value) if type(value) is int else 0

    def __getitem__(self, place: Any) -> Any:
        place = (place.start, place.stop, place.step) if type(place) is slice else (place,)
        return self._session.ask(ch.ITEM, str(self._number), place)

    def __bool__(self) -> bool:
        return self._session.ask(ch.TRUTH, str(self._number)) is True

    def __str__(self) -> str:
        text = self._session.ask(ch.TEXT, str(self._number))
        return text if type(text) is str else repr(self)


async def awaited(session: Session, number: int) -> Any:
    return session.ask(ch.AWAIT, str(number))


class FromProgram(plain.NotPlain):
    """A test passes on something that isn't plain data and came from the program."""


def handle_of(value: Any) -> int:
    if type(value) is Remote:
        return int(value._number)
    # A method of a result is one that the program chose by choosing the result's type: that mustn't have it judged together.
    method = type(value) is type(len) and not isinstance(getattr(value, "__self__", builtins), type(builtins))
    if isinstance(value, BaseException) or type(value).__name__ == "coroutine" or method:
        raise FromProgram(f"an argument holds {type(value).__name__}, which can't be sent back to the program")
    raise plain.NotPlain(f"an argument holds {type(value).__name__}, which isn't plain data")


def no_handle(number: int) -> Any:
    raise ValueError("a handle where there can't be one")


def rebuild(own: str, built_in: str, arguments: tuple[Any, ...]) -> BaseException:
    """An exception like the program's: of its nearest built-in class, or derived from that under its own name."""
    known = getattr(builtins, built_in, None)
    base: type[BaseException] = Exception
    if isinstance(known, type) and issubclass(known, BaseException) and built_in not in NOT_REBUILT:
        base = known
    cls = base if own == built_in else type(own[:200].replace("\0", ""), (base,), {})
    error: BaseException = base.__new__(cls)
    error.args = arguments
    return error


def copy_back(old: Any, new: Any) -> Any:
    """Makes `old` what `new` is, in place where it can be. Gives what belongs in the place of `old`."""
    if type(old) is not type(new):
        return new
    if type(old) is tuple:
        return tuple(map(copy_back, old, new)) if len(old) == len(new) else new
    if type(old) is list:
        common = min(len(old), len(new))
        old[:] = [copy_back(old[at], new[at]) for at in range(common)] + new[common:]
        return old
    if isinstance(old, dict):
        kept = dict(old)
        old.clear()
        for key, value in new.items():
            old[key] = copy_back(kept[key], value) if key in kept else value
        return old
    if type(old) is set:
        old.clear()
        old.update(new)
        return old
    if type(old) is bytearray:
        old[:] = new
        return old
    if type(old).__name__ == "deque":
        old.clear()
        old.extend(new)
        return old
    if type(old).__name__ == "ndarray" and old.shape == new.shape and old.dtype == new.dtype:
        old[...] = new
        return old
    return new


def shown_arguments(args: Any, kwargs: Any, size: int) -> str:
    parts = [short(value, size) for value in args]
    if kwargs:
        parts += [f"{name}={short(value, size)}" for name, value in kwargs.items()]
    return ", ".join(parts)[:KEPT]


def short(value: Any, size: int) -> str:
    """`value` as Python shows it, cut. `size` is at most that of its encoded form."""
    if size > 4 * KEPT:
        if type(value) in (str, bytes, list, tuple):
            value = value[: KEPT // 4]
        else:
            return f"<{type(value).__name__}>"
    try:
        return repr(value)[:KEPT]
    except (ValueError, RecursionError):  # an int of too many digits
        return f"<{type(value).__name__}>"
