"""Real servers for the end-to-end tests, each in a process of its own with Ray and its workers below it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.processes import descendants, processes, wait_for

START_SECONDS = 120


class Server:
    """A server that serves."""

    def __init__(self, process: subprocess.Popen[bytes], announcement: dict[str, Any], log: Path) -> None:
        self.process = process
        self.address = str(announcement["listen"])
        self.log = log

    def resident_bytes(self) -> int:
        """What the front end's own process holds in memory now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))

    def descendants(self, text: str = "") -> list[int]:
        """The processes below it whose command line holds `text`."""
        return descendants(self.process.pid, text)


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers with options of the test's; they are stopped at its end, and leave nothing running."""
    with ExitStack() as stack:
        yield lambda *options: stack.enter_context(_served(tmp_path, options))


@contextmanager
def _served(directory: Path, options: tuple[str, ...]) -> Iterator[Server]:
    announcement, log = directory / "announcement", directory / "server.log"
    command = [sys.executable, "-m", "codesieve.server", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]
    command += ["--store", str(directory / "jobs.db"), "--announce", str(announcement), "--exit-with-parent", *options]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    started: set[int] = set()
    try:
        wait_for(announcement.exists, START_SECONDS)
        started = set(descendants(process.pid))
        told = json.loads(announcement.read_text())
        assert "listen" in told, told
        yield Server(process, told, log)
    finally:
        started |= set(descendants(process.pid))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()
        wait_for(lambda: not started & {pid for pid, _, _ in processes()}, 10)
