"""A server in a process of its own, with Ray and its workers below it."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.e2e.processes import descendants, processes, started, wait_for
from tests.ports import free_port

START_SECONDS = 120
GONE_SECONDS = 60
RAY_AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
"""Where a raylet is killed, these children of its try for a minute to tell that to a GCS that is dead too, and then end."""


class Server:
    """A server with its store and its log in `home`. It can be killed and started again, and listens where it did then."""

    def __init__(self, home: Path, options: tuple[str, ...]) -> None:
        self._home = home
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._seen: set[tuple[int, str]] = set()
        """What ran below it at any look: pid and when that was started."""
        self.address = f"127.0.0.1:{free_port()}"
        self.metrics = ""

    def start(self) -> None:
        announcement = self._home / "announcement"
        announcement.unlink(missing_ok=True)
        command = [
            sys.executable,
            "-m",
            "codesieve.server",
            "--listen",
            self.address,
            "--store",
            f"{self._home}/jobs.db",
        ]
        command += ["--metrics-listen", "127.0.0.1:0", "--announce", str(announcement), "--exit-with-parent"]
        with (self._home / "server.log").open("ab") as log:
            self._process = subprocess.Popen([*command, *self._options], stdout=log, stderr=log, start_new_session=True)
        wait_for(announcement.exists, START_SECONDS)
        told = json.loads(announcement.read_text())
        assert "listen" in told, told
        assert told["listen"] == self.address
        self.metrics = told["metrics"]
        self.descendants()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return (self._home / "server.log").read_text()

    def descendants(self, text: str = "") -> list[int]:
        """The processes below it whose command line holds `text`."""
        self._seen |= {(pid, started(pid)) for pid in descendants(self.pid)}
        return descendants(self.pid, text)

    def resident_bytes(self) -> int:
        """What the front end's own process holds in memory now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))

    def kill(self) -> None:
        """kill -9, to the front end alone. `stop` won't wait for its Ray's agents; test_chaos does, as for all else."""
        assert self._process is not None
        agents = {(pid, started(pid)) for name in RAY_AGENTS for pid in self.descendants(name)}
        self._seen -= agents
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Stops it; nothing that ever ran below it may be left."""
        assert self._process is not None
        self.descendants()
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(60) == 0, self.log
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not self._left(), GONE_SECONDS)
        assert self._left() == []

    def _left(self) -> list[tuple[int, int, str]]:
        return [one for one in processes() if (one[0], started(one[0])) in self._seen]
