# what: postponed annotations, dataclasses, typing generics and a TypedDict
# form: function
# expect: PASSED
from __future__ import annotations

import dataclasses
from typing import Generic, List, TypeVar

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, order=True)
class Box(Generic[T]):
    value: T
    tags: List[Undefined] = dataclasses.field(default_factory=list)


def solve(xs: List[Undefined]) -> Nowhere:
    return [box.value**2 for box in sorted(Box(x) for x in xs) if xs.count(box.value) == 1]
