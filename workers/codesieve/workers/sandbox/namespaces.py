"""Cells out of Linux namespaces: the embedded default where there is no Docker engine.

``launcher.py`` does the work, in a process of its own; this is who starts it, bounds it with a control group where one
can be made, and cleans up after it. The agent's connection is one end of a socket pair that it inherits.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import socket
import sys
from pathlib import Path

from codesieve.workers.errors import SandboxUnavailable
from codesieve.workers.origin import OWN_PYTHON
from codesieve.workers.sandbox import launcher
from codesieve.workers.sandbox.backend import CellSpec, MadeOf, cpu_of, install_inside
from codesieve.workers.sandbox.cell import Cell
from codesieve.workers.sandbox.cgroups import Groups, find_groups
from codesieve.workers.sandbox.image import Root, contents_digest, prepare_root
from codesieve.workers.sandbox.leftovers import SWEEP_SECONDS, Sweeper
from codesieve.workers.sandbox.seccomp import compile_filter
from codesieve.workers.sandbox.uids import BLOCK_SIZE, UidBlock, UidBlocks, UidRange, identity_of, usable_range

log = logging.getLogger(__name__)

MEND = "allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone) or use Docker"


class NamespaceBackend:
    """Makes cells with `launcher.py`."""

    name = "namespaces"

    def __init__(self, runtime_dir: Path) -> None:
        self._runtime_dir = runtime_dir
        self._root: Root | None = None
        self._blocks: UidBlocks | None = None
        self._groups = Groups("")
        self._cells: dict[str, Cell] = {}
        self._sweeper = Sweeper(self._sweep, SWEEP_SECONDS)

    async def start(self) -> MadeOf:
        if not sys.platform.startswith("linux"):
            raise SandboxUnavailable("namespaces are Linux's; use Docker")
        self._blocks = await asyncio.to_thread(self._prepare)
        self._sweeper.start()
        version = ".".join(map(str, sys.version_info[:3]))
        line = f"this machine's Python {version}; {self._groups.describe()}"
        assert self._root is not None
        return MadeOf(line, OWN_PYTHON, await asyncio.to_thread(contents_digest, self._root.path))

    def _prepare(self) -> UidBlocks:
        identity = identity_of(self._runtime_dir)
        self._root = prepare_root(self._runtime_dir)
        (self._runtime_dir / "agent").mkdir(mode=0o755, exist_ok=True)
        install_inside(self._runtime_dir / "agent")
        blocks = UidBlocks(self._runtime_dir / "uids", self._uid_range(identity))
        self._groups = find_groups(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup").read_text(), identity)
        self._groups.reap(blocks.try_take)
        return blocks

    def _sweep(self) -> None:
        """Removes the control groups of dead workers: all else that they had went with them."""
        assert self._blocks is not None
        self._groups.reap(self._blocks.try_take)

    @staticmethod
    def _uid_range(identity: str) -> UidRange:
        if os.geteuid() == 0:
            return usable_range(Path("/proc/self/uid_map").read_text(), identity)
        if shutil.which("newuidmap") is None or shutil.which("newgidmap") is None:
            raise SandboxUnavailable("without root, cells need newuidmap and newgidmap; install the package uidmap")
        return subordinate_range(Path("/etc/subuid").read_text(), Path("/etc/subgid").read_text(), os.geteuid())

    async def make_cell(self, spec: CellSpec) -> Cell:
        if self._blocks is None:
            raise SandboxUnavailable("the backend isn't started")
        block = self._blocks.take()
        try:
            return await self._launch(spec, block)
        except BaseException:
            block.release()
            raise

    async def _launch(self, spec: CellSpec, block: UidBlock) -> Cell:
        assert self._root is not None
        group = self._groups.make(block.index, spec)
        name = f"cell {block.index} (namespaces)"
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        request = {
            "root": str(self._root.path),
            "agent_directory": str(self._runtime_dir / "agent"),
            "filter": compile_filter(os.uname().machine).hex(),
            "oom_counter": group.oom_counter,
            "cgroup_procs": group.procs,
            "first_uid": block.first,
            "uid_count": BLOCK_SIZE,
            "scratch_bytes": spec.scratch_bytes,
            "socket": theirs.fileno(),
            "cpu": cpu_of(block.index),
            "lock": block.lock,
        }
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                launcher.__file__,
                json.dumps(request),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=(theirs.fileno(), block.lock),
            )
        except BaseException:
            ours.close()
            await group.remove()
            raise
        finally:
            theirs.close()
        assert process.stderr is not None
        # The agent inherits stderr: it is read to its end, or a chatty one would block.
        said = asyncio.create_task(process.stderr.read())

        async def tear_down() -> None:
            if process.returncode is None:
                process.kill()  # and with it the first process of the cell's pid namespace, and so all of the cell
            await process.wait()
            await asyncio.wait([said])
            self._cells.pop(name, None)
            try:
                await group.remove()
            except OSError as error:
                log.warning("a control group is removed later", extra={"cell": name, "error": str(error)})
            block.release()

        try:
            cell = await Cell.connect(ours, name, tear_down)
        except SandboxUnavailable as error:
            why = said.result().decode(errors="replace").strip().replace("\n", "; ")
            if why:
                raise SandboxUnavailable(f"a namespace cell can't be made: {why}; {MEND}") from None
            raise error from None
        self._cells[name] = cell
        return cell

    async def stop(self) -> None:
        await asyncio.gather(*(cell.destroy() for cell in tuple(self._cells.values())))
        await self._sweeper.stop()
        if self._root is not None:
            self._root.release()


def subordinate_range(subuid: str, subgid: str, uid: int) -> UidRange:
    """The user ids that /etc/subuid and /etc/subgid both give this user. Raises SandboxUnavailable where none."""
    import pwd

    names = {str(uid), pwd.getpwuid(uid).pw_name}

    def extent(text: str) -> tuple[int, int] | None:
        for line in text.splitlines():
            owner, _, rest = line.partition(":")
            if owner in names:
                first, _, count = rest.partition(":")
                return int(first), int(count)
        return None

    users, groups = extent(subuid), extent(subgid)
    if users is None or users != groups or users[1] < 4 * BLOCK_SIZE:
        raise SandboxUnavailable(
            "this user has no equal ranges in /etc/subuid and /etc/subgid; add them: usermod --add-subuids FIRST-LAST "
            "--add-subgids FIRST-LAST USER"
        )
    return UidRange(users[0], users[1] // BLOCK_SIZE)
