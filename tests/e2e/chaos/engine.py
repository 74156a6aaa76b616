"""A Docker engine of the test's own, that can be killed without harm to anybody else's."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path

from tests.mounts import unmount_below

START_SECONDS = 60.0


class DockerEngine:
    """dockerd and its containerd, all of it below one directory. containerd has a life of its own, as init systems have it:
    one that dockerd started does not always find its way back to a dockerd that was killed.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.host = f"unix://{directory}/docker.sock"
        self._containerd: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if self._containerd is None:
            command = ["containerd", "--root", f"{self.directory}/containerd", "--state", f"{self.directory}/state"]
            self._containerd = self._run([*command, "--address", f"{self.directory}/containerd.sock"])
        command = ["dockerd", "--containerd", f"{self.directory}/containerd.sock"]
        command += ["--data-root", f"{self.directory}/data", "--exec-root", f"{self.directory}/exec"]
        command += ["--pidfile", f"{self.directory}/pid", "--host", self.host, "--bridge", "none", "--iptables=false"]
        # It would refuse to start where a process has the number of the one that was killed.
        (self.directory / "pid").unlink(missing_ok=True)
        self._process = self._run(command)
        until = time.monotonic() + START_SECONDS
        while self._call("version").returncode != 0:
            assert self._process.poll() is None, (self.directory / "log").read_text()[-1000:]
            assert time.monotonic() < until, "dockerd does not answer"
            time.sleep(0.1)

    def kill(self) -> None:
        """kill -9 to dockerd. Its containerd and the containers go on."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def containers(self, also_ended: bool = False) -> list[str]:
        """The ids of those that run."""
        return self._call("ps", "-q", "--no-trunc", *(["-a"] if also_ended else [])).stdout.split()

    def agent(self, container: str) -> int:
        """The pid of a container's first process; 0 where it doesn't run."""
        return int(self._call("inspect", "-f", "{{.State.Pid}}", container).stdout.strip() or 0)

    def remove_container(self, container: str) -> bool:
        return self._call("rm", "-f", container).returncode == 0

    def remove(self) -> None:
        """Ends it with all that it runs, and removes its directory."""
        if self._process is None:
            return
        for container in self.containers(also_ended=True):
            self.remove_container(container)
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(30)
        if self._containerd is not None:
            self._containerd.terminate()
            self._containerd.wait(30)
        unmount_below(self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _run(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.directory / "log").open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def _call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", *arguments],
            env={**os.environ, "DOCKER_HOST": self.host},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
