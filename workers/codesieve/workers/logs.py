"""The log of a process: one line an event, as JSON, or for people on a terminal.

Modules log with the standard library: the message says what happened, always in the same words, and ``extra`` whom it
happened to, under the same few names everywhere (``job``, ``problem``, ``sample``, ``pool``, ``worker``, ``rpc``,
``request_id``, ``trace_id``, ``error``). What that looks like is decided here, for the lines of libraries too. An exception
is told by `faults.outline`, since its text may quote a program, and a line's end or a terminal's escape in a value is shown
escaped.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog

from codesieve.workers.faults import outline, printable

Event = MutableMapping[str, Any]
Form = Literal["auto", "json", "text"]
FORMS: tuple[Form, ...] = ("auto", "json", "text")
LEVELS = ("debug", "info", "warning", "error")
BLANK = vars(logging.LogRecord("", 0, "", 0, "", (), None)).keys()
OTHERS = ("message", "asctime")
"""What another formatter leaves on a record."""
FIRST = ("time", "level", "logger", "event")
"""What every line begins with."""


def configure(stream: TextIO, form: Form = "auto", level: str = "info", **always: str) -> None:
    """Has all that this process logs written to `stream`, with `always` in every line.

    "auto" is text on a terminal and JSON elsewhere. `level` is one of `LEVELS`, and holds for codesieve; of libraries only
    warnings are taken.
    """
    in_colour = stream.isatty()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter(form == "text" or (form == "auto" and in_colour), in_colour, **always))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("codesieve").setLevel(level.upper())


def formatter(as_text: bool, in_colour: bool = False, **always: str) -> logging.Formatter:
    """What makes a line of a record."""
    before: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _ours,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if as_text else "iso", utc=not as_text, key="time"),
        lambda _logger, _method, event: {**event, **always},
        _outlined,
        _printable,
    ]
    render: Any
    if as_text:
        render = structlog.dev.ConsoleRenderer(
            colors=in_colour, timestamp_key="time", pad_event_to=0, pad_level=False, sort_keys=False
        )
    else:
        render = structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=before,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _in_order, render],
    )


def _ours(_logger: object, _method: str, event: Event) -> Event:
    """Without what libraries put on every record: Ray and vLLM have it made by a function of theirs."""
    theirs = vars(logging.makeLogRecord({})).keys() - BLANK
    for key in (*OTHERS, *theirs):
        event.pop(key, None)
    return event


def _outlined(_logger: object, _method: str, event: Event) -> Event:
    """An exception that a library logged, without its text."""
    given = event.pop("exc_info", None)
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["error"] = outline(error)
    return event


def _printable(_logger: object, _method: str, event: Event) -> Event:
    """Ids come from clients: none makes a line of its own or speaks to a terminal."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = printable(value)
    return event


def _in_order(_logger: object, _method: str, event: Event) -> Event:
    first = {key: event.pop(key) for key in FIRST if key in event}
    return {**first, **event}
