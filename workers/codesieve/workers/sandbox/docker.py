"""Cells as Docker containers: the backend of choice where an engine runs.

The agent is started in any image with Python 3.8 or newer: ``agent.py`` and the socket to which it connects lie in a
directory that is mounted read-only. Without a named image, this machine's own Python is imported as one (``image.py``).
The engine is spoken to from threads, as its SDK blocks.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from codesieve.workers.errors import SandboxUnavailable
from codesieve.workers.sandbox import agent
from codesieve.workers.sandbox.backend import CellSpec
from codesieve.workers.sandbox.cell import HELLO_SECONDS, Cell
from codesieve.workers.sandbox.cgroups import PROCESSES_PER_SLOT
from codesieve.workers.sandbox.image import prepare_root
from codesieve.workers.sandbox.uids import UidBlock, UidBlocks, identity_of, own_range

WORKER_LABEL = "codesieve.worker"
"""The runtime directory's identity: containers of other hosts' or users' workers are none of ours."""
BLOCK_LABEL = "codesieve.block"
"""The block of user ids, whose lock says whether the container's worker still lives."""
INSIDE = "/codesieve"
CAPABILITIES = [
    "SETUID",  # the agent becomes a program's user: in the child for good, and for a moment to kill all that user runs
    "SETGID",  # the child drops the agent's group and its supplementary groups
]
SYSCTLS = {
    # No System V segment, semaphore or queue can be made. They would outlive their program, and another user's can't be
    # removed without CAP_SYS_ADMIN.
    "kernel.shmmni": "0",
    "kernel.msgmni": "0",
    "kernel.sem": "32000 1024000000 500 0",
}
MEND = "start dockerd, let this user reach its socket, or use the namespaces backend"


class DockerBackend:
    """Makes cells as containers."""

    name = "docker"

    def __init__(self, image: str | None, runtime: str | None, runtime_dir: Path) -> None:
        self._image = image
        self._runtime = runtime
        self._runtime_dir = runtime_dir
        self._client: Any = None
        self._identity = ""
        self._blocks: UidBlocks | None = None
        self._cells: dict[str, Cell] = {}

    async def start(self) -> str:
        return await asyncio.to_thread(self._start)

    def _start(self) -> str:
        self._client = connect()
        try:
            if self._runtime is not None and self._runtime not in self._client.info()["Runtimes"]:
                raise SandboxUnavailable(
                    f"the Docker engine has no runtime {self._runtime!r}; add it to /etc/docker/daemon.json and restart it"
                )
            self._identity = identity_of(self._runtime_dir)
            self._blocks = UidBlocks(self._runtime_dir / "uids", own_range(self._identity))
            self._reap(self._blocks)
            if self._image is None:
                self._image = import_own_python(self._client, self._runtime_dir)
            else:
                find_image(self._client, self._image)
        except BaseException:
            self._client.close()
            raise
        return f"image {self._image}" + (f", runtime {self._runtime}" if self._runtime else "")

    def _reap(self, blocks: UidBlocks) -> None:
        """Removes what dead workers left: containers and directories whose block of user ids nobody holds."""
        found: dict[int, list[Any]] = {}
        for container in self._client.containers.list(all=True, filters={"label": f"{WORKER_LABEL}={self._identity}"}):
            found.setdefault(int(container.labels[BLOCK_LABEL]), []).append(container)
        for directory in (self._runtime_dir / "cells").glob("[0-9]*"):
            found.setdefault(int(directory.name), [])
        for index, containers in found.items():
            block = blocks.try_take(index)
            if block is None:
                continue
            try:
                for container in containers:
                    remove(container)
                shutil.rmtree(self._runtime_dir / "cells" / str(index), ignore_errors=True)
            finally:
                block.release()

    async def make_cell(self, spec: CellSpec) -> Cell:
        if self._blocks is None:
            raise SandboxUnavailable("the backend isn't started")
        block = self._blocks.take()
        directory = self._runtime_dir / "cells" / str(block.index)
        container: Any = None

        async def tear_down() -> None:
            if container is not None:
                await asyncio.to_thread(remove, container)
            await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)
            block.release()
            self._cells.pop(name, None)

        name = f"cell {block.index} (docker)"
        with socket.socket(socket.AF_UNIX) as listener:
            try:
                prepare_directory(directory, listener)
                creating = asyncio.create_task(asyncio.to_thread(self._run_container, spec, block, directory))
                try:
                    container = await asyncio.shield(creating)
                except asyncio.CancelledError:
                    container = await creating  # the engine makes it all the same, and then it has to go
                    raise
                connection = await self._accept(listener, container)
                # The programs in the cell must find no way to the host.
                (directory / "socket").unlink()
                cell = await Cell.connect(connection, name, spec.slots, tear_down)
            except BaseException:
                if block.lock >= 0:
                    await tear_down()
                raise
        self._cells[name] = cell
        return cell

    def _run_container(self, spec: CellSpec, block: UidBlock, directory: Path) -> Any:
        import docker.errors
        import docker.types

        arguments = [f"{INSIDE}/socket", str(block.first), str(spec.slots)]
        try:
            return self._client.containers.run(
                self._image,
                entrypoint=["python3", "-s", "-B", f"{INSIDE}/agent.py"],
                command=arguments,
                detach=True,
                auto_remove=True,
                init=False,
                runtime=self._runtime,
                user="0:0",
                working_dir="/",
                environment={"PYTHONHASHSEED": "0", "LANG": "C.UTF-8"},
                labels={WORKER_LABEL: self._identity, BLOCK_LABEL: str(block.index)},
                network_mode="none",
                ipc_mode="private",
                read_only=True,
                cap_drop=["ALL"],
                cap_add=CAPABILITIES,
                security_opt=["no-new-privileges"],
                sysctls=SYSCTLS,
                pids_limit=8 + spec.slots * PROCESSES_PER_SLOT,
                mem_limit=spec.memory_bytes,
                memswap_limit=spec.memory_bytes,
                shm_size=spec.scratch_bytes,
                tmpfs={"/tmp": f"size={spec.scratch_bytes},nr_inodes=16384,mode=1777,nosuid,nodev,exec"},
                ulimits=[docker.types.Ulimit(name="core", soft=0, hard=0)],
                volumes={str(directory.resolve()): {"bind": INSIDE, "mode": "ro"}},
            )
        except docker.errors.DockerException as error:
            raise SandboxUnavailable(f"a container of {self._image} can't be started: {explain(error)}") from None

    async def _accept(self, listener: socket.socket, container: Any) -> socket.socket:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                connection, _ = await loop.sock_accept(listener)
        except TimeoutError:
            raise SandboxUnavailable(
                f"the agent did not connect from a container of {self._image}; does the image have Python 3.8 or newer? "
                f"See: docker run --rm {self._image} python3 --version"
            ) from None
        connection.setblocking(False)
        return connection

    async def stop(self) -> None:
        await asyncio.gather(*(cell.destroy() for cell in tuple(self._cells.values())))
        if self._client is not None:
            await asyncio.to_thread(self._client.close)
            self._client = None


def connect(timeout_seconds: float = 60) -> Any:
    """A client of the engine that the environment names. Raises SandboxUnavailable where none answers."""
    try:
        import docker
        import docker.errors
        import requests
    except ImportError:
        raise SandboxUnavailable("the docker SDK isn't installed; pip install codesieve[sandbox]") from None
    try:
        return docker.from_env(timeout=timeout_seconds)
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise SandboxUnavailable(f"no Docker engine answers ({explain(error)}); {MEND}") from None


def explain(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error).strip().replace("\n", " ")


def prepare_directory(directory: Path, listener: socket.socket) -> None:
    """Makes the directory that the container mounts, with the agent and a listening socket in it."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / "agent.py").write_bytes(Path(agent.__file__).read_bytes())
    (directory / "agent.py").chmod(0o644)
    # The agent has no capability to pass over permissions, and is another user than a worker without root. Only the
    # host's users can't reach this: the runtime directory is closed to them.
    directory.chmod(0o755)
    here = os.open(directory, os.O_PATH)
    try:
        # By way of the descriptor: a socket's path may have 107 bytes only.
        listener.bind(f"/proc/self/fd/{here}/socket")
    finally:
        os.close(here)
    (directory / "socket").chmod(0o666)
    listener.listen(1)
    listener.setblocking(False)


def remove(container: Any) -> None:
    import docker.errors

    try:
        container.remove(force=True)
        container.wait(condition="removed")
    except docker.errors.NotFound:
        return  # gone by itself: the agent leaves when its host does
    except docker.errors.APIError as error:
        if "already in progress" not in str(error):
            raise
        try:
            container.wait(condition="removed")
        except docker.errors.NotFound:
            return


def find_image(client: Any, name: str) -> None:
    """Pulls `name` unless it is there. Raises SandboxUnavailable where it can't be had."""
    import docker.errors

    try:
        client.images.get(name)
        return
    except docker.errors.ImageNotFound:
        pass
    try:
        client.images.pull(name, None if ":" in name.rpartition("/")[2] else "latest")
    except docker.errors.DockerException as error:
        raise SandboxUnavailable(
            f"image {name} isn't here and can't be pulled ({explain(error)}); docker load it, or leave --image out to use "
            "this machine's own Python"
        ) from None


def import_own_python(client: Any, runtime_dir: Path) -> str:
    """This machine's Python as an image, imported once. Gives its name."""
    import docker.errors

    root = prepare_root(runtime_dir)
    name = f"codesieve-cell:{root.name}"
    try:
        client.images.get(name)
        return name
    except docker.errors.ImageNotFound:
        pass
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            archive.add(root, arcname=".", filter=as_root)
        file.flush()
        client.api.import_image_from_file(
            file.name, *name.split(":"), changes=["ENV PATH=/usr/local/bin:/usr/bin:/bin"]
        )
    return name


def as_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
