"""A process that is kept running, as an init system would: what was killed is started again with the same command."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

from tests.e2e.processes import descendants, started

PAUSE_SECONDS = 0.3


class Supervised:
    """`command`, started again whenever it ends; with `once`, until it has ended well."""

    def __init__(
        self, name: str, command: list[str], environment: dict[str, str], log: Path, once: bool = False
    ) -> None:
        self.name = name
        self.starts = 0
        self.seen: set[tuple[int, str]] = set()
        """What ran below it at any look: pid and when that was started."""
        self._command = command
        self._environment = environment
        self._log = log
        self._once = once
        self._stopping = False
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep_running, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Of the process that runs now, if one does."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text(errors="replace")

    @property
    def ended(self) -> bool:
        """Whether it has ended for good."""
        return not self._thread.is_alive()

    def look(self) -> None:
        """Remembers what runs below it now."""
        pid = self.pid
        if pid is not None:
            self.seen |= {(one, begun) for one in (pid, *descendants(pid)) if (begun := started(one))}

    def kill(self, for_good: bool = False) -> bool:
        """kill -9, `for_good` without a new start; whether there was anything to kill."""
        self.look()
        self._stopping = for_good
        pid = self.pid
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return True

    def stop(self, seconds: float) -> int | None:
        """Has it end for good, with a SIGTERM; its exit status."""
        self.look()
        self._stopping = True
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            if process.poll() is None:
                process.kill()
        self._thread.join()
        return process.returncode if process is not None else None

    def left(self) -> list[str]:
        """What was seen below it and still runs."""
        alive = []
        for pid, begun in sorted(self.seen):
            if started(pid) == begun:
                with contextlib.suppress(OSError):
                    alive.append(f"{pid} {Path(f'/proc/{pid}/cmdline').read_bytes()[:100]!r}")
        return alive

    def _keep_running(self) -> None:
        while not self._stopping:
            self.starts += 1
            with self._log.open("ab") as log:
                log.write(f"--- {self.name}, start {self.starts} ---\n".encode())
                log.flush()
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._environment,
                    start_new_session=True,
                )
            if self._process.wait() == 0 and self._once:
                return
            time.sleep(PAUSE_SECONDS)
