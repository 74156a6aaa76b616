"""What the judge does with one program: runs its tests, and alone says what became of them.

The tests run here, in a fresh namespace for each program, and the program elsewhere: the names under test are stand-ins
(``session.py``). A test that holds is one that this process ran to its end. Compiled tests are kept.
"""

from __future__ import annotations

import os
import time

from . import channel as ch
from . import frames
from .candidate import own_exit_status
from .session import KEPT, Over, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PRELUDE_NAME = "<prompt>"
TEST_NAME = "<test>"
KEPT_TESTS = 200
MOST_COMPILED = 4096
"""Compiled sources that are kept; then all are forgotten and compiled again as needed."""

# -- one program's tests --


class Marks:
    """What became of each test. A report's test: index, kind, name, message, input, output, seconds."""

    def __init__(self, session: Session, count: int) -> None:
        self.session = session
        self.count = count
        self.seen: dict[int, tuple[Any, ...]] = {}
        self.current = -1
        self.last = -1
        self.began = time.monotonic()

    def begin(self, index: int) -> None:
        self.current = index

    def done(self, index: int, kind: int = frames.PASSED, name: str = "", message: str = "") -> None:
        now = time.monotonic()
        before = self.seen[index][4] if index in self.seen else 0.0
        if index < KEPT_TESTS:
            self.seen[index] = (kind, name, message, self.session.last_call, before + now - self.began)
        self.session.last_call = ("", "")
        self.current, self.last = -1, index
        self.began = now

    def fail(self, kind: int, name: str, message: str) -> None:
        """What is said of the test that was under way."""
        index = self.current if self.current >= 0 else self.last + 1
        if index < self.count:
            self.done(index, kind, name, message)

    def rows(self) -> list[Any]:
        values: list[Any] = []
        for index in sorted(self.seen):
            kind, name, message, call, seconds = self.seen[index]
            values += (index, kind, name, message, *map(as_kept, call), seconds)
        return values


def as_kept(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")[:KEPT]


compiled: dict[tuple[bytes, str], Any] = {}


def compile_once(source: bytes, name: str) -> Any:
    code = compiled.get((source, name))
    if code is None:
        if len(compiled) >= MOST_COMPILED:
            compiled.clear()
        code = compiled[source, name] = compile(source.decode("utf-8"), name, "exec", dont_inherit=True)
    return code


def run_split(session: Session, program: bytes, payload: tuple[Any, ...]) -> bytes:
    """Runs the tests on this side and the program on the other. Gives the report."""
    prelude, names, modules, entry, count, *steps = payload
    marks = Marks(session, count)
    first: tuple[int, str, str] | None = None

    def note(told: tuple[int, str, str]) -> None:
        nonlocal first
        if first is None:
            first = told

    try:
        setup = compile_once(prelude, PRELUDE_NAME)
        for step in steps:
            compile_once(step, TEST_NAME)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        return frames.encode(frames.BROKEN_TESTS, type(error).__name__, str(error)[:1000], -1)
    try:
        session.load_program(program)
        marks.began = time.monotonic()
        namespace: dict[str, Any] = {"__name__": "__main__"}
        for name in modules.split():
            namespace[name] = __import__(name)
        for name in names.split():
            namespace[name] = session.stand_in(name)
        exec(setup, namespace)
        if entry:
            namespace[entry] = session.stand_in(entry)
            # HumanEval's form: one source with marks in it, which ends at the first test that doesn't hold.
            namespace.update(__codesieve_begin__=marks.begin, __codesieve_done__=marks.done)
            exec(compile_once(steps[0], TEST_NAME), namespace)
            namespace["check"](session.stand_in(entry))
        else:
            for index, step in enumerate(steps):
                marks.begin(index)
                told = run_step(session, step, namespace)
                if told[0] != frames.PASSED:
                    note(told)
                marks.done(index, *told)
                if session.over is not None:
                    break
    except BaseException as error:  # noqa: BLE001  (the tests' own, or the program's)
        told = classify(session, error)
        marks.fail(*told)
        note(told)
    if session.over is not None:  # however the tests took it
        note(session.over)
        if session.over[0] in (frames.CANNOT_SPLIT, frames.FORGED):
            first = session.over
    return frames.encode(*(first or (frames.PASSED, "", "")), -1, *marks.rows())


def run_step(session: Session, step: bytes, namespace: dict[str, Any]) -> tuple[int, str, str]:
    try:
        exec(compile_once(step, TEST_NAME), namespace)
    except BaseException as error:  # noqa: BLE001
        return classify(session, error)
    if session.over is not None:
        return session.over
    return frames.PASSED, "", ""


def classify(session: Session, error: BaseException) -> tuple[int, str, str]:
    if session.over is not None:
        return session.over
    name = type(error).__name__
    try:
        message = str(error)[:1000]
    except Exception:  # noqa: BLE001  (an exception rebuilt without its parts may have no text)
        message = ""
    if isinstance(error, MemoryError):
        return frames.MEMORY, name, message
    if error is session.raised:
        return frames.RAISED, name, message
    if isinstance(error, AssertionError):
        return frames.ASSERTION, "" if not message else name, message
    return frames.RAISED, name, message + " (in the tests)"


# What a process that holds the program may say of it. The other kinds are trouble of ours, and not the program's to claim.
TOLD_OF_A_SCRIPT = (frames.PASSED, frames.SYNTAX, frames.RAISED, frames.LEFT, frames.MEMORY)
TOLD_OF_TESTS = (*TOLD_OF_A_SCRIPT, frames.ASSERTION, frames.FORGED, frames.BROKEN_TESTS)
ROW = (int, int, str, str, bytes, bytes, float)


def run_in_candidate(session: Session, parts: list[bytes], needs_report: bool) -> bytes:
    """Has the program and its tests run in the candidate's process, and gives what it reports."""
    nonce = os.urandom(16)
    try:
        kind, answer = session.load([*parts, nonce] if needs_report else parts)
        if needs_report:
            if not answer or answer[0] != nonce:
                raise session.end(frames.FORGED)
            del answer[0]
        if kind != ch.VALUE or len(answer) < 3 or not answer[0].isdigit():
            raise session.end(frames.FORGED)
        told = int(answer[0][:4]), answer[1].decode("utf-8", "replace"), answer[2].decode("utf-8", "replace")
        if told[0] not in (TOLD_OF_TESTS if needs_report else TOLD_OF_A_SCRIPT):
            raise session.end(frames.FORGED)
        rows = frames.decode(answer[3]) if len(answer) > 3 else ()
        if tuple(map(type, rows)) != ROW * (len(rows) // len(ROW)):
            raise session.end(frames.FORGED)
    except Over:
        return frames.encode(*(session.over or (frames.GONE, "", "")), -1)
    except ValueError:
        return frames.encode(frames.FORGED, "", "", -1)
    return frames.encode(*told, own_exit_status(nonce) if needs_report else -1, *rows)


def run_checker(checker: bytes, texts: tuple[str, ...]) -> bytes:
    """Runs a checker program: ``check(stdin, stdout, expected)``."""
    namespace: dict[str, Any] = {"__name__": "checker"}
    try:
        exec(compile_once(checker, "<checker>"), namespace)
        check = namespace["check"]
    except BaseException as error:  # noqa: BLE001  (the checker's, whatever the program wrote)
        return frames.encode(frames.BROKEN_TESTS, type(error).__name__, str(error)[:1000], -1)
    try:
        right = bool(check(*texts))
    except BaseException as error:  # noqa: BLE001  (the checker's)
        return frames.encode(frames.RAISED, type(error).__name__, str(error)[:1000], -1)
    return frames.encode(frames.PASSED if right else frames.ASSERTION, "", "", -1)
