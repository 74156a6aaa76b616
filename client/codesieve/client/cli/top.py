"""`codesieve top`: looks at a server again and again, and shows what it sees.

A look is asked for in a thread of its own, so that a key is heard while a server doesn't answer. One that fails in a way
that may pass is said, and another is tried in its time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import click
from rich.console import Console
from rich.live import Live

from codesieve.client.cli import connecting, results, show, top_view
from codesieve.client.cli.looks import Looks, Rates
from codesieve.client.errors import TryLater
from codesieve.client.retry import Retry
from codesieve.client.server_types import Server
from codesieve.client.sync_client import Client

LOOK_SECONDS = 10.0
"""How long an answer is waited for."""
TICK_SECONDS = 0.1
NO_RETRY = Retry(give_up_after_seconds=0)
"""The next look is the retry."""

Asked = Callable[[float], bool]


@click.command(
    epilog="""\b
A look tells of one front end: the jobs that it runs, for all callers, its workers, what waits at each hop, and what it
has counted since it was started; and of the jobs that wait in its store, for any front end. It needs a token with the
scope admin, where the server asks for one.
Exit codes: 0 ended by q or Ctrl-C, or printed; 1 the server failed; 2 bad usage, refused, or no server.
Examples: codesieve top
          codesieve top --once --json | jq .queues"""
)
@connecting.server_option
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 3600),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks.",
)
@click.option("--once", is_flag=True, help="Look once, print it and end; so it is too where stdout is no terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print each look as one line with a JSON object.")
def top(server: connecting.Server, interval: float, once: bool, as_json: bool) -> int:
    """Watch a server's jobs, workers, queues and verdicts."""
    console = show.stdout()
    live = console.is_terminal and not console.is_dumb_terminal and not as_json
    with connecting.connect(server, Retry() if once else NO_RETRY) as client:
        try:
            if as_json:
                _print(client, interval, once)
            elif once or not live:
                size = top_view.Size(console.width, plain=console.options.ascii_only)
                seen = client.server()
                console.print(top_view.picture(server.target, seen, None, lambda _: (), size))
            else:
                _watch(client, server.target, interval, console)
        except KeyboardInterrupt:
            return 0
    return 0


def _print(client: Client, interval: float, once: bool) -> None:
    """One object a line, until it is interrupted or `once`."""
    looks, outages = Looks(), show.Outages()
    while True:
        try:
            seen = client.server(LOOK_SECONDS)
        except TryLater as error:
            if once:
                raise
            outages(error)
        else:
            outages(None)
            click.echo(json.dumps(row(seen, looks.add(seen))))
        if once:
            return
        time.sleep(interval)


def _watch(client: Client, target: str, interval: float, console: Console) -> None:
    """The whole terminal, until q or Ctrl-C."""
    looks = Looks()
    seen = client.server()  # what is refused is said in a line, not on a screen that goes away with it
    rates = looks.add(seen)
    trouble = ""

    def draw(live: Live) -> None:
        size = top_view.Size(console.width, console.height, console.options.ascii_only)
        live.update(top_view.picture(target, seen, rates, looks.history, size, trouble), refresh=True)

    look: Future[Server] | None = None
    due = time.monotonic() + interval
    # The terminal is given back first, then the call that may be under way is given up, and then its thread ends.
    with (
        ThreadPoolExecutor(1) as asking,
        contextlib.closing(client),
        _asked_to_end() as asked_to_end,
        Live(console=console, screen=True, auto_refresh=False) as live,
    ):
        draw(live)
        drawn = console.size
        while not asked_to_end(TICK_SECONDS):
            if look is None and time.monotonic() >= due:
                look = asking.submit(client.server, LOOK_SECONDS)
                due = time.monotonic() + interval
            if look is not None and look.done():
                try:
                    seen = look.result()
                except TryLater as error:
                    trouble = trouble or f"since {datetime.datetime.now().astimezone():%H:%M:%S}: {show.outage(error)}"
                else:
                    rates, trouble = looks.add(seen), ""
                look = None
                draw(live)
            elif console.size != drawn:
                draw(live)
            drawn = console.size


@contextlib.contextmanager
def _asked_to_end() -> Iterator[Asked]:
    """Gives what waits some seconds for q, and says whether it was pressed. Without a keyboard it never is."""
    try:
        import termios
        import tty
    except ImportError:  # not on every system
        termios = None  # type: ignore[assignment]
    if termios is None or not sys.stdin.isatty():
        yield _never
        return
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)

    def asked(seconds: float) -> bool:
        ready, _, _ = select.select([keyboard], [], [], seconds)
        if not ready:
            return False
        pressed = os.read(keyboard, 64)
        return not pressed or b"q" in pressed.lower()  # nothing at all: the terminal is gone

    try:
        tty.setcbreak(keyboard)
        yield asked
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _never(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def row(server: Server, rates: Rates | None) -> dict[str, Any]:
    """A look for programs. What is told a second is null at the first one."""
    told: dict[str, Any] = dataclasses.asdict(server)
    told |= {"start_time": server.start_time.isoformat(), "read_time": server.read_time.isoformat()}
    waiting = [] if server.waiting is None else told["waiting"]["jobs"]
    for wire in (*told["jobs"], *waiting):
        for name in ("start_time", "create_time"):
            wire[name] = results.time(wire[name])
    for job, wire in zip(server.jobs, told["jobs"], strict=True):
        wire["judged_per_second"] = None if rates is None else rates.jobs.get((job.caller, job.job_id))
    per_second: dict[str, Any] | None = None
    if rates is not None:
        per_second = dataclasses.asdict(rates)
        for name in ("jobs", "seconds", "cached_share"):
            del per_second[name]
    return {**told, "cached_share": None if rates is None else rates.cached_share, "per_second": per_second}
