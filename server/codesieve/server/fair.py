"""A queue that is fair: interactive work before batch work, callers by their weights, a caller's flows evenly.

Within a priority the caller that was served least goes next: each piece taken adds 1 / weight to what it has had (stride
scheduling). A caller that comes anew begins where the last one served was, so that having been away gives no credit, and one
that comes back soon begins where it left, so that having little in the queue gives none either. A caller's flows take turns,
and within a flow the first come is the first served. Batch work never starves: while both wait, every `BATCH_EVERY`th piece
is a batch one. What doesn't count any more is forgotten, and all of it when nothing waits.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

from codesieve.server.sharing import Priority, Share

BATCH_EVERY = 16
LOOK_AHEAD = 512
"""How many items of a flow are looked through for one that suits who takes it."""

ItemT = TypeVar("ItemT", bound=Hashable)


@dataclasses.dataclass(slots=True)
class _Caller(Generic[ItemT]):
    had: float
    """What it was served, in pieces over its weight."""
    flows: collections.OrderedDict[str, collections.OrderedDict[ItemT, None]]


class FairQueue(Generic[ItemT]):
    """Items that wait, each with its share. No two are equal."""

    def __init__(self) -> None:
        self._shares: dict[ItemT, Share] = {}
        self._callers: dict[Priority, dict[str, _Caller[ItemT]]] = {priority: {} for priority in Priority}
        self._reached = dict.fromkeys(Priority, 0.0)
        """What the caller that was served last had had before."""
        self._left: dict[Priority, dict[str, float]] = {priority: {} for priority in Priority}
        """What those had had who have nothing waiting, while that is more than what is reached."""
        self._since_batch = 0

    def __len__(self) -> int:
        return len(self._shares)

    def __iter__(self) -> Iterator[ItemT]:
        """All that wait, in no order that counts."""
        return iter(self._shares)

    @property
    def interactive(self) -> bool:
        """Whether any interactive item waits."""
        return bool(self._callers[Priority.INTERACTIVE])

    def push(self, item: ItemT, share: Share) -> None:
        """Puts an item at the end of its flow."""
        self._shares[item] = share
        callers = self._callers[share.priority]
        caller = callers.get(share.caller)
        if caller is None:
            left = self._left[share.priority].pop(share.caller, 0.0)
            had = max(left, self._reached[share.priority])
            caller = callers[share.caller] = _Caller(had, collections.OrderedDict())
        caller.flows.setdefault(share.flow, collections.OrderedDict())[item] = None

    def push_front(self, item: ItemT, share: Share) -> None:
        """Puts an item that was taken before at the front of its flow."""
        self.push(item, share)
        self._callers[share.priority][share.caller].flows[share.flow].move_to_end(item, last=False)

    def pop(
        self,
        interactive_only: bool = False,
        suits: Callable[[ItemT], bool] = lambda _: True,
        choosy: bool = False,
    ) -> ItemT:
        """Takes the first item that suits of the flow whose turn it is, of its next ones.

        If none of them does it takes the first of all, unless who takes it is choosy. Raises IndexError where there is none
        to take.
        """
        interactive = self._callers[Priority.INTERACTIVE]
        batch = {} if interactive_only else self._callers[Priority.BATCH]
        if batch and (not interactive or self._since_batch >= BATCH_EVERY - 1):
            priority, since_batch = Priority.BATCH, 0
        elif interactive:
            priority, since_batch = Priority.INTERACTIVE, self._since_batch + bool(batch)
        else:
            raise IndexError("nothing waits")
        caller = min(self._callers[priority].values(), key=lambda one: one.had)
        flow = next(iter(caller.flows))
        waiting = caller.flows[flow]
        suiting = filter(suits, itertools.islice(waiting, LOOK_AHEAD))
        item = next(itertools.chain(suiting, () if choosy else waiting), None)
        if item is None:
            raise IndexError("nothing suits")
        self._since_batch = since_batch
        self._reached[priority] = reached = caller.had
        left = self._left[priority]
        for name in [name for name, had in left.items() if had <= reached]:
            del left[name]
        caller.had += 1 / self._shares[item].weight
        caller.flows.move_to_end(flow)
        self._remove(item)
        return item

    def discard(self, item: ItemT) -> bool:
        """Takes an item out, if it waits; whether it did."""
        if item not in self._shares:
            return False
        self._remove(item)
        return True

    def _remove(self, item: ItemT) -> None:
        share = self._shares.pop(item)
        callers = self._callers[share.priority]
        flows = callers[share.caller].flows
        del flows[share.flow][item]
        if not flows[share.flow]:
            del flows[share.flow]
        if not flows:
            self._left[share.priority][share.caller] = callers.pop(share.caller).had
        if not callers:
            self._left[share.priority].clear()
            self._reached[share.priority] = 0.0
