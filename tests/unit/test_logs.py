"""The log: what a line looks like, and what it never holds."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from codesieve.workers import logs

log = logging.getLogger("codesieve.tried")


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("codesieve")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    root.handlers.clear()  # pytest's own, which configure() would close
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_with_its_ids() -> None:
    logs.configure(stream := io.StringIO(), component="sandbox")
    log.warning("a worker was lost", extra={"job": "mine", "problem": "HumanEval/3", "sample": "HumanEval/3@0.2#1"})
    (line,) = lines(stream)
    assert list(line)[:4] == ["time", "level", "logger", "event"]
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "codesieve.tried",
        "event": "a worker was lost",
        "job": "mine",
        "problem": "HumanEval/3",
        "sample": "HumanEval/3@0.2#1",
        "component": "sandbox",
    }


def test_a_terminal_shows_it_to_people() -> None:
    logs.configure(stream := Terminal())
    log.info("the job changed", extra={"job": "mine", "state": "RUNNING"})
    (line,) = stream.getvalue().splitlines()
    assert "the job changed" in line
    assert "mine" in line
    with pytest.raises(json.JSONDecodeError):
        json.loads(line)


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_id_makes_no_line_and_no_colour_of_its_own(form: logs.Form) -> None:
    logs.configure(stream := io.StringIO(), form)
    log.info("taken in", extra={"job": "evil\nINFO all is well\x1b[31m\u202e\udc80"})
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text[:-1].isprintable()
    assert text.encode()


def test_an_exception_is_told_without_its_text() -> None:
    logs.configure(stream := io.StringIO())
    try:
        raise ValueError("print('a program')")
    except ValueError:
        logging.getLogger("asyncio").exception("it failed")
        log.exception("so did this")
    assert "a program" not in stream.getvalue()
    assert all("ValueError at test_logs.py" in line["error"] for line in lines(stream))
    assert len(lines(stream)) == 2


def test_what_libraries_put_on_every_record_is_no_event() -> None:
    class Theirs(logging.LogRecord):
        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            self.of_a_library = "MainProcess"

    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(Theirs)
    try:
        logs.configure(stream := io.StringIO())
        log.warning("a worker was lost", extra={"job": "mine"})
    finally:
        logging.setLogRecordFactory(before)
    (line,) = lines(stream)
    assert set(line) == {"time", "level", "logger", "event", "job"}


def test_the_level_is_for_codesieve_and_libraries_only_warn() -> None:
    logs.configure(stream := io.StringIO(), level="debug")
    log.debug("each sample")
    logging.getLogger("alembic").info("another look at the tables")
    logging.getLogger("alembic").warning("this is wrong")
    assert [line["event"] for line in lines(stream)] == ["each sample", "this is wrong"]
    logs.configure(stream := io.StringIO(), level="warning")
    log.info("not now")
    assert stream.getvalue() == ""
