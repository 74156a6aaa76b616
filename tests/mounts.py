"""What a Docker engine of a test's own leaves mounted."""

from __future__ import annotations

import subprocess
from pathlib import Path


def unmount_below(place: Path) -> None:
    """dockerd mounts its data onto itself, and a later run of pytest could not remove what is mounted."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in reversed([mount for mount in mounts if mount.startswith(f"{place}/")]):
        subprocess.run(["umount", "--lazy", mount], check=True)
