"""The command line as its users start it, a process each, and a file of samples for it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.commands import CLI

SAMPLES: list[dict[str, Any]] = [
    {"task_id": "HumanEval/0", "completion": "    pass\n", "extra": [1]},
    {"task_id": "HumanEval/1", "completion": "    loop()\n", "temperature": 0.2},
    {"task_id": "HumanEval/0", "completion": "    no\n"},
    {"task_id": "HumanEval/0", "completion": "    outage\n"},
    {"task_id": "HumanEval/0", "completion": "    pass\n"},
]


def codesieve(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [*CLI, *arguments]
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def samples_file(directory: Path, rows: list[Any] = SAMPLES) -> str:
    path = directory / "s.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return "s.jsonl"
