"""The program's side: what a candidate's process does after the agent has forked it.

It loads the program and then either answers the judge's calls, one at a time, or runs it to its end. Everything here is in
the program's hands once that runs, so nothing is decided here: see ``testing.py``.
"""

from __future__ import annotations

import builtins
import os
import sys
import time

from . import channel as ch
from . import frames, plain
from .channel import Closed, pack, read_message, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Any

PROGRAM_NAME = "<program>"
TEST_NAME = "<test>"
RESERVE = 2**20
BUILT_IN = frozenset(value for value in vars(builtins).values() if isinstance(value, type))


def run(fd: int) -> None:
    """Does what the judge asks for over `fd`. Never returns."""
    own_pid = os.getpid()
    streams = sys.stdout, sys.stderr
    reserve.append(bytearray(RESERVE))
    try:
        write_all(fd, ch.READY)
        _, number, parts = read_message(fd)
        mode = parts[0]
        if mode == b"calls":
            answer_calls(fd, number, parts[1], own_pid, streams)
        elif mode == b"together":
            told, rows = run_together(parts[1], parts[2], parts[3:-1])
            report(fd, number, parts[-1], told, own_pid, streams, rows)
        elif mode == b"script":
            from .script import run_script

            told, rows = run_script(*parts[1:5])
            report(fd, number, parts[5], told, own_pid, streams, rows)
        else:
            run_as_script(fd, number, parts[1], own_pid)
    except Closed:
        pass  # the judge has what it needs
    os._exit(0)


# -- calls --


def answer_calls(fd: int, number: int, program: bytes, own_pid: int, streams: tuple[Any, Any]) -> None:
    module = new_main()
    try:
        code = compile(program.decode("utf-8"), PROGRAM_NAME, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError) as error:
        answer = pack(ch.BAD_SYNTAX, number, [as_bytes(text) for text in describe(error)])
    except BaseException as error:  # noqa: BLE001  (MemoryError: the program is too large to compile)
        answer = exception_answer(number, error)
    else:
        try:
            exec(code, module.__dict__)
            answer = pack(ch.LOADED, number, [])
        except BaseException as error:  # noqa: BLE001  (whatever it is, it is the program's)
            answer = exception_answer(number, error)
    objects = Objects(module.__dict__)
    # What comes out of the program meets its own overrides only inside these calls, never in what the judge does.
    while True:
        if os.getpid() != own_pid:
            os._exit(0)  # a fork of the program that ran on to here: the answer isn't its to give
        flush(streams)
        write_all(fd, answer)
        operation, number, parts = read_message(fd)
        answer = objects.answer(operation, number, parts)


class Objects:
    """The program's names, and those of its objects that the judge holds handles of."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names
        self.held: list[Any] = []
        self.numbers: dict[int, int] = {}

    def handle(self, value: Any) -> int:
        number = self.numbers.get(id(value))
        if number is None:
            number = self.numbers[id(value)] = len(self.held)
            self.held.append(value)
        return number

    def answer(self, operation: int, number: int, parts: list[bytes]) -> bytes:
        """Does one operation, and gives the answer's bytes."""
        args, kwargs = ((), {})
        try:
            if len(parts) > 1:
                args, kwargs = plain.decode(parts[1], self.held.__getitem__, plain.ARGUMENTS)
            result = self.do(operation, parts[0].decode("utf-8"), args, kwargs)
            value = plain.encode(result, self.handle)
            changed = self.changed(parts, args, kwargs)
            return pack(ch.VALUE, number, [value, changed, as_bytes(type(result).__name__)])
        except plain.TooLarge:
            return pack(ch.EXCEEDED, number, [])
        except BaseException as error:  # noqa: BLE001  (whatever it is, it is the program's)
            if isinstance(error, StopIteration) and operation == ch.NEXT:
                return pack(ch.STOPPED, number, [])
            make_room(error)
            try:
                changed = self.changed(parts, args, kwargs)
            except BaseException:  # noqa: BLE001  (what can't cross doesn't; the exception does)
                changed = b""
            return exception_answer(number, error, changed)

    def changed(self, parts: list[bytes], args: Any, kwargs: Any) -> bytes:
        """The arguments as they are now, if they aren't what they were."""
        if not kwargs and all(map(plain.is_scalar, args)):
            return b""
        now = plain.encode((args, kwargs), self.handle, plain.ARGUMENTS)
        return b"" if now == parts[1] else now

    def do(self, operation: int, target: str, args: Any, kwargs: Any) -> Any:
        if operation == ch.CALL:
            if target not in self.names:
                raise NameError(f"name {target!r} is not defined")
            return self.names[target](*args, **kwargs)
        place, _, name = target.partition(".")
        value = self.held[int(place)]
        if operation == ch.CALL_HANDLE:
            return value(*args, **kwargs)
        if operation == ch.METHOD:
            return getattr(value, name)(*args, **kwargs)
        if operation == ch.ATTRIBUTE:
            return getattr(value, name)
        if operation == ch.ITERATE:
            return Iterator(value)
        if operation == ch.NEXT:
            return next(value)
        if operation == ch.LENGTH:
            return len(value)
        if operation == ch.ITEM:
            return value[slice(*args) if len(args) == 3 else args[0]]
        if operation == ch.TRUTH:
            return bool(value)
        if operation == ch.AWAIT:
            import asyncio

            return asyncio.run(value)
        if operation == ch.TEXT:
            return repr(value)
        raise ValueError(f"unknown operation {operation}")


class Iterator:
    """An iterator of the program's, kept here as an object that isn't plain."""

    def __init__(self, value: Any) -> None:
        self.iterator = iter(value)

    def __next__(self) -> Any:
        return next(self.iterator)


def exception_answer(number: int, error: BaseException, changed: bytes = b"") -> bytes:
    make_room(error)
    if isinstance(error, SystemExit):
        return pack(ch.EXITING, number, [as_bytes(describe(error)[1])])
    mro = type.__dict__["__mro__"].__get__(type(error))
    built_in = next(cls for cls in mro if cls in BUILT_IN)
    names = (class_name(mro[0]), class_name(built_in))
    text = describe(error)[1]
    try:
        arguments: bytes = plain.encode(tuple(error.args), refuse)
    except BaseException:  # noqa: BLE001  (hostile or not plain; the text will do)
        arguments = plain.encode((text,), refuse)
    if len(arguments) > 10_000:
        arguments = plain.encode((text,), refuse)
    return pack(ch.ERROR, number, [plain.encode(names, refuse), arguments, changed])


reserve: list[bytearray] = []
"""Memory for the answer that there is no more."""


def make_room(error: BaseException) -> None:
    if isinstance(error, MemoryError):
        reserve.clear()
        error.__traceback__ = None  # and with it what the program's frames hold


def refuse(value: Any) -> int:
    raise plain.NotPlain(type(value).__name__)


# -- programs that run to their end --


def run_together(program: bytes, before: bytes, tests: Sequence[bytes]) -> tuple[tuple[int, str, str], bytes]:
    """Runs the program, `before` and then each of the tests in this process.

    Gives how it went as a whole (kind, exception type and message), and a frame's body that tells of each of the tests.
    """
    module = new_main()
    code, told = compile_program(program)
    if code is None:
        return told, b""
    try:
        exec(code, module.__dict__)
    except BaseException as error:  # noqa: BLE001
        return classify(error, testing=False), b""
    first = run_test(before, module)
    rows: list[Any] = []
    for index, test in enumerate(tests if first[0] == frames.PASSED else ()):
        began = time.monotonic()
        told = run_test(test, module)
        rows += (index, *told, b"", b"", time.monotonic() - began)
        if first[0] == frames.PASSED:
            first = told
        if told[0] == frames.LEFT:
            break
    return first, frames.encode(*rows)[4:]


def compile_program(program: bytes) -> tuple[Any, tuple[int, str, str]]:
    """The program's code; or None, and what that means."""
    try:
        # Decoded first, so that a coding line in the program means nothing, as in exec() of a string.
        return compile(program.decode("utf-8"), PROGRAM_NAME, "exec", dont_inherit=True), (frames.PASSED, "", "")
    except MemoryError:
        return None, (frames.MEMORY, "MemoryError", "")
    except (SyntaxError, ValueError, OverflowError, RecursionError) as error:
        return None, (frames.SYNTAX, *describe(error))


def run_test(test: bytes, module: Any) -> tuple[int, str, str]:
    try:
        exec(compile(test.decode("utf-8"), TEST_NAME, "exec", dont_inherit=True), module.__dict__)
    except BaseException as error:  # noqa: BLE001
        return classify(error, testing=True)
    return frames.PASSED, "", ""


def run_as_script(fd: int, number: int, program: bytes, own_pid: int) -> None:
    """Runs the program as Python runs a file. What it wrote is judged outside; only how it failed is told from here."""
    module = new_main()
    status = 0
    told = (frames.PASSED, "", "")
    try:
        code = compile(program.decode("utf-8"), PROGRAM_NAME, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError) as error:
        told = (frames.SYNTAX, *describe(error))
        sys.excepthook(*sys.exc_info())
        status = 1
    else:
        try:
            exec(code, module.__dict__)
        except SystemExit as error:
            status, told = exit_status(error)
        except BaseException as error:  # noqa: BLE001  (told, and shown as Python shows it)
            told = classify(error, testing=False)
            sys.excepthook(*sys.exc_info())
            status = 1
    if os.getpid() == own_pid:
        write_all(fd, pack(ch.VALUE, number, [as_bytes(str(told[0])), as_bytes(told[1]), as_bytes(told[2])]))
    leave(status)


def exit_status(error: SystemExit) -> tuple[int, tuple[int, str, str]]:
    code = error.code
    if code is None:
        return 0, (frames.PASSED, "", "")
    if type(code) is int:
        return code & 0xFF, (frames.LEFT if code & 0xFF else frames.PASSED, "SystemExit", str(code))
    sys.stderr.write(f"{code}\n")
    return 1, (frames.LEFT, "SystemExit", "1")


def leave(status: int) -> None:
    """Ends this process as Python ends: waits for threads, runs what was registered, writes what is held."""
    try:
        threading = sys.modules.get("threading")
        if threading is not None:
            threading._shutdown()
        atexit = sys.modules.get("atexit")
        if atexit is not None:
            atexit._run_exitfuncs()
    except BaseException:  # noqa: BLE001  (shown, as Python does)
        sys.excepthook(*sys.exc_info())
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # noqa: BLE001  (what it held is lost; Python would say so with this status)
            status = status or 120
    os._exit(status)


def report(
    fd: int, number: int, nonce: bytes, told: tuple[int, str, str], own_pid: int, streams: tuple[Any, Any], *more: bytes
) -> None:
    """Tells how tests in this process went. It counts only together with the exit status that only we know."""
    if os.getpid() != own_pid:
        os._exit(0)
    flush(streams)
    kind, name, message = told
    write_all(fd, pack(ch.VALUE, number, [nonce, as_bytes(str(kind)), as_bytes(name), as_bytes(message), *more]))
    os._exit(own_exit_status(nonce))


def own_exit_status(nonce: bytes) -> int:
    """The exit status of our own way out: a report counts only together with it."""
    return 100 + nonce[0] % 100


# -- shared --


def new_main() -> Any:
    module = type(sys)("__main__")
    sys.modules["__main__"] = module
    return module


def flush(streams: tuple[Any, Any]) -> None:
    for stream in streams:
        try:
            stream.flush()
        except (OSError, ValueError, MemoryError):
            continue  # the program closed it: what it held is lost, as it would be in a run of its own


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def classify(error: BaseException, testing: bool) -> tuple[int, str, str]:
    if isinstance(error, MemoryError):
        make_room(error)
        return frames.MEMORY, "MemoryError", ""
    if isinstance(error, SystemExit):
        return (frames.LEFT, *describe(error))
    if testing and isinstance(error, AssertionError) and not passes_through_program(error.__traceback__):
        return (frames.ASSERTION, *describe(error))
    return (frames.RAISED, *describe(error))


def passes_through_program(traceback: TracebackType | None) -> bool:
    """Whether the exception came out of the program: then it isn't the test's own assertion that failed."""
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == PROGRAM_NAME:
            return True
        traceback = traceback.tb_next
    return False


def class_name(cls: type) -> str:
    return str(type.__dict__["__name__"].__get__(cls))[:200]  # a metaclass has no say in it


def describe(error: BaseException) -> tuple[str, str]:
    name = class_name(type(error))
    try:
        return name, str(error)[:1000]
    except BaseException:  # noqa: BLE001  (a hostile __str__ must not decide how the program ends)
        return name, "(its text can't be had)"
