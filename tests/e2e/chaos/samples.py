"""2,000 recorded samples of HumanEval's first 100 problems: right and wrong ones, all different, and some that take time."""

from __future__ import annotations

import json
from pathlib import Path

from codesieve.server import datasets

PROBLEMS, EACH = 100, 20
TOTAL = PROBLEMS * EACH


def write(path: Path) -> None:
    """For the replay engine."""
    with path.open("w", encoding="utf-8") as file:
        for problem in datasets.load("humaneval")[:PROBLEMS]:
            for index in range(EACH):
                row = {"task_id": problem.problem_id, "completion": completion(problem.canonical_solution or "", index)}
                file.write(json.dumps(row) + "\n")


def completion(solution: str, index: int) -> str:
    """Three in five are right. No two are equal, so each is judged."""
    mark = f"    # {index}\n"
    if index % 10 == 0:
        return f"{solution}{mark}\nimport time\ntime.sleep(0.5)\n"  # once, not in each call
    if index % 5 == 1:
        return f"    return None{mark}"
    if index % 5 == 2:
        return f"    raise RuntimeError('wrong'){mark}"
    return solution + mark
