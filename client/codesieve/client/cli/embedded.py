"""A server for one command: a child process that is told to announce itself, and is stopped with the command.

It runs in a session of its own, so that Ctrl-C reaches this process alone, which then stops it in order. Should this
process be killed, the child notices that its parent is gone and stops by itself. Should the child be killed, it is started
again at the same address and goes on with what its store holds, for as often as `RESTARTS`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from codesieve.client.errors import PreconditionFailed, ServerError

START_SECONDS = 1800.0
"""A large model takes minutes to load."""
STOP_SECONDS = 20.0
POLL_SECONDS = 0.05
RESTARTS = 2
FREE_SECONDS = 30.0
NEEDS = (
    *("grpc_health", "grpc_reflection", "grpc_status", "prometheus_client", "ray", "numpy", "click"),
    *("sqlalchemy", "alembic", "aiosqlite", "msgspec", "structlog"),
)
"""What the server imports as it starts and the light client doesn't have."""


class ServerStopped(ServerError):
    """The embedded server stopped before its work was done."""


def check_installed() -> None:
    """Raises `PreconditionFailed` where this installation has no server."""
    missing = [name for name in ("codesieve.server.__main__", *NEEDS) if not _is_there(name)]
    if missing:
        what = f"the server isn't installed here ({', '.join(missing)} missing)"
        raise PreconditionFailed(
            f"{what}; install it with: pip install 'codesieve[server,sandbox]', or name one with --server"
        )


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


class JobFile:
    """The file in which an embedded server keeps its job. It stays until the command has succeeded."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_new = not path.exists()
        self._made = [each for each in (path.parent, *path.parent.parents) if not each.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)

    def wait_until_free(self) -> None:
        """Waits for the server of an earlier command, which stops by itself once that command was killed.

        Raises `PreconditionFailed` where it doesn't: that command is still at it.
        """
        import fcntl  # where there is no such module there is no server either

        deadline = time.monotonic() + FREE_SECONDS
        with contextlib.suppress(FileNotFoundError), self._beside(".lock").open("rb") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise PreconditionFailed(f"another command works on the job in {self.path}") from None
                    time.sleep(POLL_SECONDS)
                else:
                    return

    def remove(self) -> None:
        """The job is done, and its results are elsewhere."""
        for ending in ("", "-wal", "-shm", "-journal", ".lock"):
            self._beside(ending).unlink(missing_ok=True)

    def _beside(self, ending: str) -> Path:
        return self.path.with_name(self.path.name + ending)

    def undo(self) -> None:
        """No job was made: nothing is left that was not there before."""
        if self._is_new:
            self.remove()
            with contextlib.suppress(OSError):  # something else is in there by now
                for directory in self._made:
                    directory.rmdir()


class EmbeddedServer:
    """The child process. `log` is its log file, which is kept only where something goes wrong."""

    def __init__(self, options: list[str]) -> None:
        self._options = options
        self._address = "127.0.0.1:0"
        self._restarts = 0
        self.keep_log = False
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        assert self._directory is not None
        return self._directory / "server.log"

    def __enter__(self) -> Self:
        check_installed()
        self._directory = Path(tempfile.mkdtemp(prefix="codesieve-"))
        self._start()
        return self

    def _start(self) -> None:
        command = [sys.executable, "-m", "codesieve.server", "--listen", self._address, "--exit-with-parent"]
        # Its jobs are this command's, which has ended when the server is told to stop.
        command += ["--drain-seconds", "0", "--announce", str(self._announcement), *self._options]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def revive(self, tell: Callable[[str], None]) -> bool:
        """Starts it again where it has stopped by itself, and tells so; False where it runs.

        Raises `ServerStopped` where it was started often enough, or can't be.
        """
        ended = self.died()
        if ended is None:
            return False
        if self._restarts == RESTARTS:
            raise ServerStopped(f"{ended}. It was started again {RESTARTS} times")
        self._restarts += 1
        tell(f"{ended}; starting it again")
        self._announcement.unlink(missing_ok=True)
        self._start()
        try:
            self.wait_until_serving()
        except PreconditionFailed as error:
            raise ServerStopped(f"{ended}; {error.message}") from error
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        if not (self.keep_log or isinstance(error, ServerStopped)) and self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    def wait_until_serving(self) -> str:
        """Its address. Raises `PreconditionFailed` or `ServerStopped` with what it says for why it can't."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            ended = self._running().poll() is not None  # asked first: it may announce an error and end at once
            told = self._read_announcement()
            if told is not None and "listen" in told:
                self._address = str(told["listen"])
                return self._address
            if told is not None:
                message = f"the server can't start: {told.get('error')}"
                raise PreconditionFailed(message) if told.get("exit") == 2 else ServerStopped(f"{message}; {self.see}")
            if ended:
                lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
                last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
                raise ServerStopped(f"{self.died()}, and it ends with: {last[:300]}")
            time.sleep(POLL_SECONDS)
        raise ServerStopped(f"the server was not ready after {START_SECONDS:g} s; {self.see}")

    def died(self) -> str | None:
        """One line that says how the server ended; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            # Its connections break a moment before it can be waited for.
            self._running().wait(1.0)
        code = self._running().poll()
        return None if code is None else f"the embedded server stopped by itself (exit status {code}); {self.see}"

    @property
    def _announcement(self) -> Path:
        return self.log.with_name("announce.json")

    def _read_announcement(self) -> dict[str, Any] | None:
        try:
            text = self._announcement.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        if not text.endswith("\n"):
            return None
        told = json.loads(text)
        return told if isinstance(told, dict) else {"error": f"it announces {text!r}"}

    @property
    def see(self) -> str:
        """Where to read on."""
        return f"its log is {self.log}"

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def _stop(self) -> None:
        process = self._running()
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            process.wait()
