"""The command line as users run it, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CLI = [sys.executable, "-c", "from codesieve.client.cli import main; main()"]


def codesieve(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A command that has to succeed, without a server."""
    done = subprocess.run(
        [*CLI, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "CODESIEVE_SERVER": ""},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return done
