"""The first processes of cells, as a test finds them on this machine and gets at what they see."""

from __future__ import annotations

import os
from pathlib import Path

from codesieve.workers.sandbox.uids import BLOCK_SIZE, identity_of, own_range


def is_first(process: Path) -> bool:
    (line,) = (line for line in (process / "status").read_text().splitlines() if line.startswith("NSpid:"))
    return line.split()[-1] == "1"


def agents_of(runtime_dir: Path) -> set[int]:
    """The first processes of all cells that were made with this runtime directory."""
    uids = own_range(identity_of(runtime_dir))
    ours = range(uids.first, uids.first + uids.blocks * BLOCK_SIZE)
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            arguments = (entry / "cmdline").read_bytes().split(b"\0")[:-1] if entry.name.isdigit() else []
            if len(arguments) < 3 or b"agent.main" not in arguments[-3] or not is_first(entry):
                continue
            # A namespace cell's agent is a user of ours; a container's is root and was told its block.
            if int(arguments[-1]) in ours or entry.stat().st_uid in ours:
                found.add(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def make_file(process: int, directory: str, name: str) -> None:
    """Makes a file where `process` sees `directory`, owned by the user of `process`."""
    place = os.open(f"/proc/{process}/root{directory}", os.O_DIRECTORY)
    owner = os.stat(f"/proc/{process}")
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=place))
    finally:
        os.seteuid(os.getuid())
        os.setegid(os.getgid())
        os.close(place)
