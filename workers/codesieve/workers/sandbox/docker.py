"""Cells as Docker containers: the backend of choice where an engine runs.

The agent is started in any image with Python 3.8 or newer: ``inside/`` and the socket to which it connects lie in a
directory that is mounted read-only. Without a named image, this machine's own Python is imported as one (``image.py``).
The engine is spoken to from threads, as its SDK blocks.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import os
import shutil
import socket
from pathlib import Path, PurePath
from typing import Any

from codesieve.workers.errors import SandboxUnavailable
from codesieve.workers.origin import OWN_PYTHON
from codesieve.workers.sandbox.backend import AGENT, CellSpec, MadeOf, cpu_of, install_inside
from codesieve.workers.sandbox.cell import HELLO_SECONDS, Cell
from codesieve.workers.sandbox.cgroups import PROCESSES_PER_CELL
from codesieve.workers.sandbox.docker_images import (
    engine_errors,
    explain,
    find_image,
    image_digest,
    import_own_python,
    remove_old_images,
)
from codesieve.workers.sandbox.image import own_python_digest
from codesieve.workers.sandbox.leftovers import SWEEP_SECONDS, Sweeper
from codesieve.workers.sandbox.seccomp import docker_profile
from codesieve.workers.sandbox.uids import UidBlock, UidBlocks, UidRange, identity_of, own_range, usable_range

log = logging.getLogger(__name__)

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
RUNSC_FLAGS = {
    "--network=none": "programs have no network, and some kernels let runsc start with no other",
    "--host-uds=open": "the agent connects to the worker's socket",
    "--oci-seccomp": "the list of system calls holds inside gVisor as well",
}
THREADS_OF_GVISOR = 2048
"""What is counted outside gVisor are its own threads: where it gets no more it dies, and the cell with it."""
RUNSC_MEND = f"runsc install -- {' '.join(RUNSC_FLAGS)} && kill -HUP $(pidof dockerd)"
LOOK_SECONDS = 1.0
MEND = "start dockerd, let this user reach its socket, or use the namespaces backend"


class DockerBackend:
    """Makes cells as containers."""

    name = "docker"

    def __init__(self, image: str | None, runtime: str | None, runtime_dir: Path) -> None:
        self._image = image
        self._own_python = image is None
        self._runtime = runtime
        self._gvisor = False
        self._profile = ""
        self._runtime_dir = runtime_dir
        self._client: Any = None
        self._identity = ""
        self._blocks: UidBlocks | None = None
        self._cells: dict[str, Cell] = {}
        self._left: list[tuple[Any, UidBlock]] = []
        """Containers of lost cells that the engine could not remove yet; their blocks stay held."""
        self._sweeper = Sweeper(self._sweep, SWEEP_SECONDS)

    async def start(self) -> MadeOf:
        made_of = await asyncio.to_thread(self._start)
        self._sweeper.start()
        return made_of

    def _start(self) -> MadeOf:
        self._client = connect()
        try:
            with engine_errors("the Docker engine can't be asked what it has"):
                engine = self._client.info()
            self._gvisor = self._runtime is not None and is_gvisor(self._runtime, engine["Runtimes"])
            self._profile = docker_profile(self._gvisor)
            self._identity = identity_of(self._runtime_dir)
            self._blocks = UidBlocks(self._runtime_dir / "uids", uid_range(engine, self._identity))
            self._sweep()
            if self._own_python:
                self._image = import_own_python(self._client, self._runtime_dir)
                remove_old_images(self._client, self._image, datetime.datetime.now(datetime.UTC))
                digest = own_python_digest(self._runtime_dir)
            else:
                assert self._image is not None
                find_image(self._client, self._image)
                digest = image_digest(self._client, self._image)
        except BaseException:
            self._client.close()
            self._client = None
            raise
        details = [f"image {self._image}", f"runtime {self._runtime}" if self._runtime else "", unbounded(engine)]
        image = OWN_PYTHON if self._own_python else self._image
        return MadeOf(", ".join(filter(None, details)), image, digest, self._runtime or "")

    def _sweep(self) -> None:
        """Removes what dead workers left: containers and directories whose block of user ids nobody holds."""
        self._remove_left()
        assert self._blocks is not None
        found: dict[int, list[Any]] = {}
        with engine_errors("what dead workers left can't be looked up"):
            ours = {"label": f"{WORKER_LABEL}={self._identity}"}
            for container in self._client.containers.list(all=True, filters=ours, ignore_removed=True):
                found.setdefault(int(container.labels[BLOCK_LABEL]), []).append(container)
        for directory in (self._runtime_dir / "cells").glob("[0-9]*"):
            found.setdefault(int(directory.name), [])
        for index, containers in found.items():
            block = self._blocks.try_take(index)
            if block is None:
                continue
            try:
                for container in containers:
                    remove(container)
                shutil.rmtree(self._runtime_dir / "cells" / str(index), ignore_errors=True)
            finally:
                block.release()

    def _remove_left(self) -> None:
        while self._left:
            container, block = self._left[-1]
            remove(container)
            shutil.rmtree(self._runtime_dir / "cells" / str(block.index), ignore_errors=True)
            block.release()
            self._left.pop()

    async def make_cell(self, spec: CellSpec) -> Cell:
        if self._blocks is None:
            raise SandboxUnavailable("the backend isn't started")
        block = self._blocks.take()
        directory = self._runtime_dir / "cells" / str(block.index)
        container: Any = None

        async def tear_down() -> None:
            self._cells.pop(name, None)
            if container is not None:
                try:
                    await asyncio.to_thread(remove, container)
                except SandboxUnavailable as error:
                    log.warning("a container is removed later", extra={"cell": name, "error": error.message})
                    self._left.append((container, block))
                    return
            await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)
            block.release()

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
                cell = await Cell.connect(connection, name, tear_down)
            except BaseException:
                if block.lock >= 0 and not any(left is block for _, left in self._left):
                    await tear_down()
                raise
        self._cells[name] = cell
        return cell

    def _run_container(self, spec: CellSpec, block: UidBlock, directory: Path) -> Any:
        import docker.errors

        with engine_errors(f"a container of {self._image} can't be started"):
            try:
                container = self._create_container(spec, block, directory)
            except docker.errors.ImageNotFound:
                # Somebody tidied up the engine's images while this worker ran.
                if self._own_python:
                    self._image = import_own_python(self._client, self._runtime_dir)
                else:
                    find_image(self._client, self._image or "")
                container = self._create_container(spec, block, directory)
            try:
                container.start()
            except BaseException:
                remove(container)
                raise
            return container

    def _create_container(self, spec: CellSpec, block: UidBlock, directory: Path) -> Any:
        import docker.types

        arguments = [f"{INSIDE}/socket", str(block.first)]
        return self._client.containers.create(
            self._image,
            entrypoint=["python3", *AGENT],
            command=arguments,
            auto_remove=True,
            init=False,
            runtime=self._runtime,
            user="0:0",
            working_dir=INSIDE,
            environment={"PYTHONHASHSEED": "0", "LANG": "C.UTF-8"},
            labels={WORKER_LABEL: self._identity, BLOCK_LABEL: str(block.index)},
            network_mode="none",
            ipc_mode="private",
            read_only=True,
            cap_drop=["ALL"],
            cap_add=CAPABILITIES,
            security_opt=["no-new-privileges", f"seccomp={self._profile}"],
            sysctls=SYSCTLS,
            pids_limit=THREADS_OF_GVISOR if self._gvisor else PROCESSES_PER_CELL,
            # gVisor's own threads need more than one.
            cpuset_cpus=None if self._gvisor else str(cpu_of(block.index)),
            mem_limit=spec.memory_bytes,
            memswap_limit=spec.memory_bytes,
            shm_size=spec.scratch_bytes,
            tmpfs={"/tmp": f"size={spec.scratch_bytes},nr_inodes=16384,mode=1777,nosuid,nodev,exec"},
            ulimits=[docker.types.Ulimit(name="core", soft=0, hard=0)],
            volumes={str(directory.resolve()): {"bind": INSIDE, "mode": "ro"}},
        )

    async def _accept(self, listener: socket.socket, container: Any) -> socket.socket:
        """The agent's connection. Raises SandboxUnavailable where it ends instead of connecting, or takes too long."""
        loop = asyncio.get_running_loop()
        came = asyncio.Event()
        ended = False
        # Accepted in the turn that gives it away: a cancelled `sock_accept` may leave behind what it had accepted.
        loop.add_reader(listener, came.set)
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                while not came.is_set() and not ended:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_SECONDS):
                            await came.wait()
                    ended = not came.is_set() and not await asyncio.to_thread(is_running, container)
        except TimeoutError:
            pass
        finally:
            loop.remove_reader(listener)
        if not came.is_set():
            what = "ended at once" if ended else f"did not connect within {HELLO_SECONDS:g} s"
            raise SandboxUnavailable(
                f"the agent {what} in a container of {self._image}; it needs Python 3.8 or newer with the whole standard "
                "library (Debian's python3, not python3-minimal). "
                f"See: docker run --rm --network none --entrypoint python3 {self._image} -c 'import resource, shutil'"
            )
        connection, _ = listener.accept()
        connection.setblocking(False)
        return connection

    async def stop(self) -> None:
        await asyncio.gather(*(cell.destroy() for cell in tuple(self._cells.values())))
        await self._sweeper.stop()
        try:
            await asyncio.to_thread(self._remove_left)
        except SandboxUnavailable as error:
            log.error("containers are left for the next worker to remove", extra={"error": error.message})
            for _, block in self._left:
                block.release()
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


def is_gvisor(name: str, runtimes: dict[str, Any]) -> bool:
    """Whether the runtime called `name` is gVisor's. Raises SandboxUnavailable where it can't hold cells as it is."""
    if name not in runtimes:
        mend = RUNSC_MEND if name == "runsc" else "add it to /etc/docker/daemon.json and send dockerd a SIGHUP"
        raise SandboxUnavailable(f"the Docker engine has no runtime {name!r}; {mend}")
    runtime = runtimes[name]
    if PurePath(runtime.get("path") or "").name != "runsc":
        return False
    given = {f"--{argument.lstrip('-')}" for argument in runtime.get("runtimeArgs") or ()}
    for flag, why in RUNSC_FLAGS.items():
        if flag not in given:
            raise SandboxUnavailable(f"runtime {name} lacks {flag} ({why}); {RUNSC_MEND}")
    return True


def uid_range(engine: dict[str, Any], identity: str) -> UidRange:
    """The user ids that containers of this engine may have: its `info` says whether it maps them."""
    maps_ids = any("name=rootless" in option or "name=userns" in option for option in engine["SecurityOptions"] or ())
    return usable_range("0 0 65536", identity) if maps_ids else own_range(identity)


def unbounded(engine: dict[str, Any]) -> str:
    """What this engine can't bound, for people: a rootless one without delegated control groups bounds nothing."""
    names = {"MemoryLimit": "memory", "PidsLimit": "processes"}
    lacking = [what for key, what in names.items() if not engine.get(key)]
    return (
        f"this engine can't bound a cell's {' and '.join(lacking)} (delegate control groups to it)" if lacking else ""
    )


def prepare_directory(directory: Path, listener: socket.socket) -> None:
    """Makes the directory that the container mounts, with the agent and a listening socket in it."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    install_inside(directory)
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


def is_running(container: Any) -> bool:
    import docker.errors

    with engine_errors(f"container {container.short_id} can't be looked at"):
        try:
            container.reload()
        except docker.errors.NotFound:
            return False
    return bool(container.status == "running")


def remove(container: Any) -> None:
    """Removes a container, and waits until it is gone. Raises SandboxUnavailable where the engine can't do it."""
    import docker.errors

    with engine_errors(f"container {container.short_id} can't be removed"):
        try:
            container.remove(force=True)
        except docker.errors.NotFound:
            return  # gone by itself: the agent leaves when its host does
        except docker.errors.APIError as error:
            if "already in progress" not in str(error):
                raise
        try:
            container.wait(condition="removed")
        except docker.errors.NotFound:
            return
