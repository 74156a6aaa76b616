"""What a schedule is let loose on: a front end, its workers and cells, its store, and a client, all real processes.

`World` starts them and keeps them running; each of `evils` does one kind of harm to them and says what it hit. Everything
that is started is found below processes of this one, so that nobody else's is ever touched.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.e2e.chaos import samples
from tests.e2e.chaos.engine import DockerEngine
from tests.e2e.chaos.supervised import Supervised
from tests.e2e.processes import descendants, processes
from tests.ports import free_port
from tests.postgres import Postgres

CODESIEVE = str(Path(sys.executable).with_name("codesieve"))
DISK_MIB = 64
MARK = "CODESIEVE_CHAOS"
ACTOR = "ray::_Host"
AGENT = "from inside import agent"


class World:
    """`postgres` and `engine`: where they are None, the store is SQLite on a small disk, and cells are namespaces."""

    def __init__(self, directory: Path, postgres: Postgres | None, engine: DockerEngine | None, chance: random.Random):
        self.directory = directory
        self.postgres = postgres
        self.engine = engine
        self.address = f"127.0.0.1:{free_port()}"
        self.job_id = "chaos"
        self._chance = chance
        self._mark = uuid.uuid4().hex
        self._recorded = directory / "recorded.jsonl"
        self._disk = directory / "disk"
        self._store = ""
        self.front_ends: list[Supervised] = []
        self.clients: list[Supervised] = []

    @contextlib.contextmanager
    def running(self) -> Iterator[World]:
        """The store is there; everything that was started is stopped at the end, and the disk removed."""
        self.directory.mkdir(parents=True, exist_ok=True)
        samples.write(self._recorded)
        if self.postgres is not None:
            self._store = self.postgres.fresh()
        else:
            self._disk.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", self._disk], check=True)
            self._store = str(self._disk / "jobs.db")
        try:
            yield self
        finally:
            for one in (*self.clients, *self.front_ends):
                if not one.ended:
                    one.stop(60)
            if self.postgres is None:
                subprocess.run(["umount", "--lazy", self._disk], check=True)

    def start_front_end(self, address: str = "") -> Supervised:
        command = [sys.executable, "-m", "codesieve.server", "--listen", address or self.address]
        command += ["--sandbox", "namespaces" if self.engine is None else "docker"]
        command += ["--sandbox-workers", "2", "--cells", "2", "--cache-mib", "0", "--drain-seconds", "5"]
        command += ["--model", f"replay:{self._recorded}", "--store", self._store]
        number = len(self.front_ends)
        one = Supervised(f"front end {number}", command, self._environment(), self.directory / f"server{number}.log")
        self.front_ends.append(one)
        one.start()
        return one

    def start_client(self, address: str = "", job_id: str = "") -> Supervised:
        """`codesieve run`, until it has its result."""
        number = len(self.clients)
        command = [CODESIEVE, "run", "humaneval", "--limit", str(samples.PROBLEMS), "-n", str(samples.EACH)]
        command += ["--model", "replay-recorded", "--server", address or self.address]
        command += ["--job-id", job_id or self.job_id, "--json", "--out", str(self.out(number))]
        one = Supervised(
            f"client {number}", command, self._environment(), self.directory / f"client{number}.log", once=True
        )
        self.clients.append(one)
        one.start()
        return one

    def out(self, client: int) -> Path:
        return self.directory / f"out{client}"

    def _environment(self) -> dict[str, str]:
        environment = {**os.environ, MARK: self._mark}
        if self.engine is not None:
            environment["DOCKER_HOST"] = self.engine.host
        return environment

    # --- harm ---

    def evils(self) -> dict[str, Callable[[], str]]:
        """By name. Each returns what it hit, or "" where there was nothing to hit."""
        found = {
            "kill front end": self._kill_front_end,
            "kill generation actor": lambda: self._kill_actor(sandbox=False),
            "kill sandbox actor": lambda: self._kill_actor(sandbox=True),
            "kill agent": self._kill_agent,
            "kill client": lambda: self._kill(self.clients[-1]),
        }
        if self.engine is not None:
            found["kill container"] = self._remove_container
            found["kill dockerd"] = self._kill_dockerd
        if self.postgres is not None:
            found["stop PostgreSQL"] = self._stop_postgres
        else:
            found["fill disk"] = self._fill_disk
        return found

    def _kill_front_end(self) -> str:
        return self._kill(self.front_ends[-1])

    @staticmethod
    def _kill(one: Supervised) -> str:
        return one.name if one.kill() else ""

    def _kill_actor(self, sandbox: bool) -> str:
        pid = self.front_ends[-1].pid
        actors = descendants(pid, ACTOR) if pid is not None else []
        return self._kill_one([actor for actor in actors if holds_cells(actor) is sandbox])

    def _kill_agent(self) -> str:
        if self.engine is not None:
            containers = self.engine.containers()
            return self._kill_one([agent for one in containers if (agent := self.engine.agent(one))])
        pid = self.front_ends[-1].pid
        family = set(descendants(pid, AGENT)) if pid is not None else set()
        # Its forks, the judge and the programs, look like it. A program that is killed has crashed: that is its verdict.
        return self._kill_one([one for one, parent, _ in processes() if one in family and parent not in family])

    def _kill_one(self, pids: list[int]) -> str:
        if not pids:
            return ""
        pid = self._chance.choice(pids)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return f"pid {pid}"
        return ""

    def _remove_container(self) -> str:
        assert self.engine is not None
        containers = self.engine.containers()
        if not containers:
            return ""
        one = self._chance.choice(containers)
        return one[:12] if self.engine.remove_container(one) else ""

    def _kill_dockerd(self) -> str:
        assert self.engine is not None
        self.engine.kill()
        time.sleep(self._chance.uniform(0, 5))
        self.engine.start()
        return "and started it"

    def _stop_postgres(self) -> str:
        assert self.postgres is not None
        if self._chance.random() < 0.5:
            self.postgres.kill()
        else:
            self.postgres.stop()
        time.sleep(self._chance.uniform(0, 5))
        self.postgres.start()
        return "and started it"

    def _fill_disk(self) -> str:
        ballast = self._disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        time.sleep(self._chance.uniform(1, 5))
        free = shutil.disk_usage(self._disk).free
        ballast.unlink()
        return f"to its last {free} bytes, and freed it"

    # --- what is left ---

    def left(self) -> list[str]:
        """Processes, containers and mounts that should be gone once all is stopped."""
        found = [line for one in (*self.front_ends, *self.clients) for line in one.left()]
        mark = f"{MARK}={self._mark}".encode()
        for pid, _, command in processes():
            with contextlib.suppress(OSError):
                if pid != os.getpid() and mark in Path(f"/proc/{pid}/environ").read_bytes():
                    found.append(f"{pid} {command[:100]}")
        if self.engine is not None:
            found += [f"container {one[:12]}" for one in self.engine.containers(also_ended=True)]
        return sorted(set(found))


def holds_cells(actor: int) -> bool:
    """Whether a worker is one with cells: it holds the locks on their user ids."""
    with contextlib.suppress(OSError):
        for fd in Path(f"/proc/{actor}/fd").iterdir():
            with contextlib.suppress(OSError):
                if "/uids/" in os.readlink(fd):
                    return True
    return False
