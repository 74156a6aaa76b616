"""What tests ask of an engine: the body of one short function, sample by sample."""

from __future__ import annotations

import dataclasses
from typing import Any

from codesieve.workers.types import GenerationRequest

PROMPT = 'def add(a: int, b: int) -> int:\n    """Return the sum of a and b.\n    >>> add(1, 2)\n    3\n    """\n'


def request(index: int, **changes: Any) -> GenerationRequest:
    made = GenerationRequest(f"w{index}", "P/0", PROMPT, 0.8, index, seed=index, max_tokens=24)
    return dataclasses.replace(made, **changes)
