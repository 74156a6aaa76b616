"""The judge's version: a digest over the sources that decide verdicts, so that it changes whenever they do.

A release's number would not do: two of one number may be built of different sources.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from codesieve.workers.sandbox import inside
from codesieve.workers.sandbox.inside import frames

OUTSIDE = ("judge.py", "plans.py", "compare.py", "worker.py")
"""Of this package: what is decided outside the cell, and when a program is judged once more."""


def judge_version() -> str:
    """Reads the sources. The same for the same ones, wherever they are installed."""
    digest = hashlib.sha256(f"protocol {frames.PROTOCOL}\n".encode())
    here = Path(__file__).parent
    for source in (*(here / name for name in OUTSIDE), *sorted(Path(inside.__path__[0]).glob("*.py"))):
        content = source.read_bytes()
        digest.update(f"{source.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]
