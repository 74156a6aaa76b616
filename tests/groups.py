"""The control groups of this machine's cells."""

from __future__ import annotations

import os
from pathlib import Path


def groups_of(identity: str) -> list[Path]:
    """The groups of one runtime directory's cells. Other groups come and go meanwhile, which `Path.glob` can't bear."""
    return sorted(
        Path(directory) / name
        for directory, names, _ in os.walk("/sys/fs/cgroup")
        for name in names
        if name.startswith(f"codesieve-{identity}-")
    )
