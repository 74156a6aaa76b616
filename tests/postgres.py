"""A PostgreSQL server of the tests' own, that can be stopped, killed and started again.

    with Postgres() as server:
        url = server.fresh()          # of a new, empty database
        server.stop(); server.start()

It listens on loopback and has its data in a short temporary directory, which goes with it. Its server is a child of the
process that made it. PostgreSQL refuses to run as root: then it runs as the user `postgres`.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.ports import free_port

USER, PASSWORD = "codesieve", "p@ss/word"
START_SECONDS = 60.0
_SETTINGS = (
    "max_connections=100",
    "shared_buffers=32MB",
    "logging_collector=off",
    "wal_level=minimal",
    "max_wal_senders=0",
)


class Stop(enum.Enum):
    """How PostgreSQL is told to stop."""

    SMART = signal.SIGTERM
    """When the last client has gone."""
    FAST = signal.SIGINT
    """Clients are sent away, transactions rolled back."""
    IMMEDIATE = signal.SIGQUIT
    """As if it crashed: it recovers from its log when it starts."""


@functools.cache
def binaries() -> Path | None:
    """Where PostgreSQL's programs are."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    debian = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(debian, key=lambda path: int(path.parent.name), default=None)


def missing() -> str | None:
    """Why no server can be started here; None where one can."""
    if binaries() is None:
        return "no initdb; apt-get install postgresql"
    if os.getuid() == 0:
        with contextlib.suppress(KeyError):
            pwd.getpwnam("postgres")
            return None
        return "PostgreSQL doesn't run as root, and there is no user postgres"
    return None


class Postgres:
    """One server. `start` and `stop` may be called again and again; it keeps its port and its data."""

    def __init__(self) -> None:
        found = binaries()
        assert found is not None, missing()
        self._binaries = found
        self._user: dict[str, Any] = {}
        self._home = Path(tempfile.mkdtemp(prefix="cspg", dir="/tmp"))
        if os.getuid() == 0:
            entry = pwd.getpwnam("postgres")
            os.chown(self._home, entry.pw_uid, entry.pw_gid)
            self._user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        password = self._home / "password"
        password.write_text(PASSWORD + "\n")
        command: list[str | Path] = [
            self._binaries / "initdb",
            "-D",
            self._home / "data",
            "-U",
            USER,
            "-A",
            "scram-sha-256",
        ]
        command += ["--pwfile", password, "--encoding", "UTF8", "--locale", "C"]
        subprocess.run(command, check=True, capture_output=True, cwd=self._home, **self._user)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    @property
    def pid(self) -> int:
        """Of its first process."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return (self._home / "log").read_text(errors="replace")

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        command = [str(self._binaries / "postgres"), "-D", str(self._home / "data"), "-k", str(self._home)]
        command += ["-h", "127.0.0.1", "-p", str(self.port)]
        for setting in _SETTINGS:
            command += ["-c", setting]
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._home, **self._user
            )
        ready: list[str | Path] = [self._binaries / "pg_isready", "-h", "127.0.0.1", "-p", str(self.port)]
        until = time.monotonic() + START_SECONDS
        while subprocess.run(ready, check=False, capture_output=True).returncode != 0:
            assert self._process.poll() is None, self.log
            assert time.monotonic() < until, self.log
            time.sleep(0.05)

    def stop(self, mode: Stop = Stop.FAST) -> None:
        """Stops it, and waits until it is gone."""
        if self._process is not None:
            self._process.send_signal(mode.value)
            self._process.wait(START_SECONDS)
            self._process = None

    def kill(self) -> None:
        """kill -9 to all its processes. The next start recovers."""
        if self._process is None:
            return
        family = self.family()
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
        until = time.monotonic() + START_SECONDS
        while any(Path(f"/proc/{pid}").exists() for pid in family):  # a start is refused while one of them is left
            assert time.monotonic() < until
            time.sleep(0.02)

    def remove(self) -> None:
        """Stops it and removes its data."""
        self.stop(Stop.IMMEDIATE)
        shutil.rmtree(self._home)

    def url(self, database: str) -> str:
        """Of a database, for `--store`."""
        return (
            f"postgresql://{USER}:{PASSWORD.replace('@', '%40').replace('/', '%2F')}@127.0.0.1:{self.port}/{database}"
        )

    def fresh(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Runs one statement; what it answers, one row to a line."""
        command: list[str | Path] = [
            self._binaries / "psql",
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            statement,
        ]
        command += ["-h", "127.0.0.1", "-p", str(self.port), "-U", USER, database]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env={**os.environ, "PGPASSWORD": PASSWORD}
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def family(self) -> list[int]:
        """All its processes, the first one first."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [self.pid, *map(int, children.split())]
