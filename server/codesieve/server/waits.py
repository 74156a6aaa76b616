"""Where samples wait and for how long: one `Hop` for each name of `catalogue.HOPS`, over the places that belong to it.

A place says when it is asked how much waits in it, and since when what came first does; how long each thing waited the hop
is told when that goes on. All of it belongs to the event loop: who scrapes has it asked there (`Metrics.look`).
"""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar


class Place(Protocol):
    """Where something waits."""

    def waits(self) -> tuple[int, float]:
        """How much waits, and how many seconds what waits longest has; 0 for nothing."""


PlaceT = TypeVar("PlaceT", bound=Place)


class Hop:
    """All places of one kind. `went_on` takes the seconds of each thing that went on."""

    def __init__(self, went_on: Callable[[float], None], clock: Callable[[], float]) -> None:
        self.went_on = went_on
        self._clock = clock
        self._places: list[Place] = []

    def add(self, place: Place) -> None:
        """A place that stays."""
        self._places.append(place)

    @contextlib.contextmanager
    def with_place(self, place: PlaceT) -> Iterator[PlaceT]:
        """A place that is there meanwhile; what still waits in it then is forgotten."""
        self._places.append(place)
        try:
            yield place
        finally:
            self._places.remove(place)

    @contextlib.contextmanager
    def line(self) -> Iterator[Line]:
        """A line that is there meanwhile."""
        with self.with_place(Line(self.went_on, self._clock)) as line:
            yield line

    def waits(self) -> tuple[int, float]:
        """As `Place.waits`, of all of them."""
        all_of_them = [place.waits() for place in self._places]
        return sum(count for count, _ in all_of_them), max((oldest for _, oldest in all_of_them), default=0.0)


class Line:
    """A place that is left in the order of coming."""

    def __init__(self, went_on: Callable[[float], None], clock: Callable[[], float]) -> None:
        self._went_on = went_on
        self._clock = clock
        self._since: collections.deque[float] = collections.deque()

    def come(self, count: int = 1) -> None:
        """So many come now."""
        self._since.extend([self._clock()] * count)

    def go(self, count: int = 1) -> None:
        """The first `count` go on."""
        now = self._clock()
        for _ in range(count):
            self._went_on(now - self._since.popleft())

    def waits(self) -> tuple[int, float]:
        return len(self._since), self._clock() - self._since[0] if self._since else 0.0
