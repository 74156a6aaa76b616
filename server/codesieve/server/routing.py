"""Which member of a pool has seen a piece's prefix before: work that begins alike goes where its beginning is in the cache.

An engine keeps the keys and values of the prompts that it worked on. Whoever asks it for another sample of one of these
prompts saves that work, so all samples of a problem should go to one replica, unless another would stand idle. Only what a
piece begins with is compared (`Prefixed`): what doesn't say so suits every member alike.
"""

from __future__ import annotations

import collections
from collections.abc import Hashable
from typing import Any, Protocol, runtime_checkable

KEPT_PREFIXES = 4096
"""More than engines keep in their caches."""


@runtime_checkable
class Prefixed(Protocol):
    """Work that says what it begins with."""

    @property
    def prefix(self) -> Hashable: ...


class Routes:
    """Remembers which members were given which prefixes. Members are told apart by identity."""

    def __init__(self) -> None:
        self._members: collections.OrderedDict[Hashable, set[Any]] = collections.OrderedDict()

    def suits(self, work: object, member: Hashable) -> bool:
        """Whether the member had the work's prefix already, or nobody did."""
        if not isinstance(work, Prefixed):
            return True
        had = self._members.get(work.prefix)
        return not had or member in had

    def note(self, work: object, member: Hashable) -> None:
        """The member is given the work."""
        if isinstance(work, Prefixed):
            self._members.setdefault(work.prefix, set()).add(member)
            self._members.move_to_end(work.prefix)
            if len(self._members) > KEPT_PREFIXES:
                self._members.popitem(last=False)

    def forget(self, member: Hashable) -> None:
        """The member's cache is gone."""
        for had in self._members.values():
            had.discard(member)
