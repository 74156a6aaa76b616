"""On a cluster whose nodes say what they are for, a worker runs on a node of its kind only, and waits where none is free."""

from __future__ import annotations

import json
import subprocess
import sys


def test_sandbox_workers_go_to_sandbox_nodes_and_wait_for_one() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.ray_nodes"], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["waited"], "the first sandbox node offers two of the resource; the third worker has to wait"
    assert said["seen"] == [said["first"], said["first"], said["second"]]
