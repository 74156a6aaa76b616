"""Which checkpoint an engine loaded: a digest over its directory's files, read in a thread of its own beside the load.

Nobody waits for it: a checkpoint of a hundred gigabytes takes a minute or more. It is told only of files that were the same
from before the engine began to read them until both had read them all; of others nobody knows which ones the engine has.

``provenance.proto`` says what it is a digest of, and a line of shell that makes it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import threading
from pathlib import Path
from typing import NoReturn

log = logging.getLogger(__name__)

_BUFFER_BYTES = 2**20

Files = dict[str, tuple[int, ...]]
"""By their paths below the directory, what tells of each whether it is the same and was left alone."""


class Checkpoint:
    """A directory whose files an engine loads."""

    def __init__(self, directory: Path) -> None:
        """Begins to read the files; to be made before the engine begins to."""
        self.digest = ""
        """Of the files that were loaded; empty until it is known, and for ever where it can't be."""
        self._directory = directory
        self._loaded = threading.Event()
        self._stopped = False
        # A daemon: who stops has not to wait for the end of a large file.
        self._thread = threading.Thread(target=self._read, name="codesieve-checkpoint", daemon=True)
        try:
            self._before = files_of(directory)
        except OSError as error:
            self._give_up(str(error))
        else:
            self._thread.start()

    def loaded(self) -> None:
        """The engine has read them all."""
        self._loaded.set()

    def stop(self) -> None:
        """Gives up reading: nobody will ask for the digest any more."""
        self._stopped = True
        self._loaded.set()

    def _read(self) -> None:
        whole = hashlib.sha256()
        try:
            for name in sorted(self._before, key=os.fsencode):
                whole.update(self._content(name).encode() + b"  " + os.fsencode(name) + b"\0")
            self._loaded.wait()
            if self._stopped:
                return
            if files_of(self._directory) != self._before:
                raise OSError("its files changed while they were loaded")
        except _Stopped:
            return
        except OSError as error:
            self._give_up(str(error))
            return
        self.digest = whole.hexdigest()

    def _content(self, name: str) -> str:
        digest, buffer = hashlib.sha256(), memoryview(bytearray(_BUFFER_BYTES))
        with open(self._directory / name, "rb", buffering=0) as file:
            while count := file.readinto(buffer):
                if self._stopped:
                    raise _Stopped
                digest.update(buffer[:count])
        return digest.hexdigest()

    def _give_up(self, error: str) -> None:
        log.warning("no digest of the checkpoint is told", extra={"directory": str(self._directory), "error": error})


class _Stopped(Exception):
    """Nobody wants the digest."""


def files_of(directory: Path) -> Files:
    """Those that the digest is of. Links to files are followed; a hub's snapshot is made of them. Raises `OSError`."""
    found: Files = {}
    for folder, folders, names in os.walk(directory, onerror=_fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.startswith("."):
                continue
            path = os.path.join(folder, name)
            try:
                told = os.stat(path)
            except FileNotFoundError:  # a link that leads nowhere
                continue
            if stat.S_ISREG(told.st_mode):
                seen = (told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns)
                found[os.path.relpath(path, directory)] = seen
    return found


def _fail(error: OSError) -> NoReturn:
    raise error
