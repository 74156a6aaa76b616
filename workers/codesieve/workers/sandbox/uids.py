"""Blocks of user ids, each held by one cell of this host at a time.

User ids must be unique over all cells of a host: RLIMIT_NPROC counts host-wide, and without a pid namespace of its own
one cell could kill another's programs. A block is held by a lock (flock) on a file in the runtime directory, which all
workers of a host share; the kernel frees it when its last holder dies. Workers that were given different runtime
directories draw from different ranges, by each directory's identity.
"""

from __future__ import annotations

import dataclasses
import fcntl
import os
import uuid
import zlib
from pathlib import Path

from codesieve.workers.errors import SandboxUnavailable

BLOCK_SIZE = 64
"""User ids in a block: one for the cell's root, one for each slot."""
FIRST_UID = 1_900_000_000
"""Above everything that Linux distributions and systemd hand out, below 2**31."""
BLOCKS = 1024
RANGES = 2048
"""So the last user id of all is below 2**31."""


@dataclasses.dataclass(frozen=True, slots=True)
class UidRange:
    """User ids that blocks may be cut from."""

    first: int
    blocks: int = BLOCKS


def identity_of(runtime_dir: Path) -> str:
    """A name for this runtime directory, chosen once. Makes the directory where it isn't there."""
    runtime_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = runtime_dir / "identity"
    if not path.exists():
        fresh = runtime_dir / f"identity.{uuid.uuid4().hex}"
        fresh.write_text(uuid.uuid4().hex[:12])
        try:
            os.link(fresh, path)  # never half written, and the first one wins
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text()


def own_range(identity: str) -> UidRange:
    """The range of a runtime directory, out of all user ids that there are."""
    return UidRange(FIRST_UID + zlib.crc32(identity.encode()) % RANGES * BLOCKS * BLOCK_SIZE)


def usable_range(uid_map: str, identity: str) -> UidRange:
    """The range to use where `uid_map` (the text of /proc/self/uid_map) says which ids there are.

    Inside a user namespace the usual range may not be mapped; then the upper end of what is mapped is taken.
    Raises SandboxUnavailable where fewer than four blocks are left.
    """
    uids = own_range(identity)
    end = uids.first + uids.blocks * BLOCK_SIZE
    extents = [tuple(int(field) for field in line.split()) for line in uid_map.splitlines()]
    if any(first <= uids.first and end <= first + count for first, _, count in extents):
        return uids
    first, _, count = max(extents, key=lambda extent: extent[2])
    blocks = min(BLOCKS, count // 4 // BLOCK_SIZE)
    if blocks < 4:
        raise SandboxUnavailable(
            f"only {count} user ids are mapped here, too few for cells; give this container a full range of user ids"
        )
    # The very last of 65,536 ids are the overflow user's.
    return UidRange(first + count - (blocks + 1) * BLOCK_SIZE, blocks)


@dataclasses.dataclass(slots=True)
class UidBlock:
    """A held block. `first` is the cell's root where it has user ids of its own, the slots' ids follow it."""

    index: int
    first: int
    lock: int
    """The file descriptor that holds the lock: a process that inherits it holds the block as well."""

    def release(self) -> None:
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


class UidBlocks:
    """Hands out blocks."""

    def __init__(self, directory: Path, uids: UidRange) -> None:
        self._directory = directory
        self._uids = uids
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def try_take(self, index: int) -> UidBlock | None:
        """That very block, or None while someone holds it."""
        lock = os.open(self._directory / f"{index:04}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return UidBlock(index, self._uids.first + index * BLOCK_SIZE, lock)

    def take(self) -> UidBlock:
        """The first free block. Raises SandboxUnavailable where all are held."""
        for index in range(self._uids.blocks):
            block = self.try_take(index)
            if block is not None:
                return block
        raise SandboxUnavailable(
            f"all {self._uids.blocks} blocks of user ids are held ({self._directory}); stop workers that aren't needed"
        )
