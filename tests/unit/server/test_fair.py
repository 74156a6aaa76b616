"""The fair queue: who is served when."""

from __future__ import annotations

import collections

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesieve.server.fair import BATCH_EVERY, FairQueue
from codesieve.server.sharing import Priority, Share

SHARES = st.builds(
    Share,
    caller=st.sampled_from("abc"),
    flow=st.sampled_from("xyz"),
    weight=st.sampled_from([0.5, 1.0, 4.0]),
    priority=st.sampled_from(Priority),
)


@given(st.lists(SHARES, max_size=60), st.lists(st.integers(0, 59)))
def test_each_item_comes_out_once_and_a_flow_keeps_its_order(shares: list[Share], dropped: list[int]) -> None:
    queue: FairQueue[int] = FairQueue()
    for item, share in enumerate(shares):
        queue.push(item, share)
    gone = {item for item in dropped if queue.discard(item)}
    assert len(queue) == len(shares) - len(gone)
    taken = [queue.pop() for _ in range(len(queue))]
    assert sorted(taken) == sorted(set(range(len(shares))) - gone)
    places = collections.defaultdict(list)
    for item in taken:
        share = shares[item]
        places[share.priority, share.caller, share.flow].append(item)
    assert all(items == sorted(items) for items in places.values())
    with pytest.raises(IndexError):
        queue.pop()


def served(queue: FairQueue[tuple[str, int]], count: int) -> collections.Counter[str]:
    return collections.Counter(queue.pop()[0] for _ in range(count))


def filled(*shares: Share, each: int = 1000) -> FairQueue[tuple[str, int]]:
    queue: FairQueue[tuple[str, int]] = FairQueue()
    for share in shares:
        for number in range(each):
            queue.push((f"{share.caller}{share.flow}", number), share)
    return queue


def test_callers_share_by_their_weights_and_flows_evenly() -> None:
    queue = filled(Share("a", "1", 1.0), Share("b", "1", 3.0), Share("b", "2", 3.0))
    assert served(queue, 400) == {"a1": 100, "b1": 150, "b2": 150}


def test_who_comes_late_waits_for_no_queue_and_gets_no_credit() -> None:
    queue = filled(Share("a", "1"))
    served(queue, 500)
    for number in range(1000):
        queue.push(("b1", number), Share("b", "1"))
    assert served(queue, 200) == {"a1": 100, "b1": 100}


def test_who_has_one_piece_at_a_time_gets_no_more_than_its_weight_either() -> None:
    heavy, light = Share("a", "1", 4.0), Share("b", "1", 1.0)
    queue = filled(heavy)
    taken: collections.Counter[str] = collections.Counter()
    for number in range(500):
        if not taken["waits"]:
            queue.push(("b1", number), light)
            taken["waits"] = 1
        name, _ = queue.pop()
        taken[name] += 1
        if name == "b1":
            taken["waits"] = 0
    assert 399 <= taken["a1"] <= 401


def test_interactive_work_passes_and_batch_work_does_not_starve() -> None:
    queue = filled(Share("a", "1"), Share("b", "1", priority=Priority.INTERACTIVE))
    assert served(queue, 10 * BATCH_EVERY) == {"a1": 10, "b1": 10 * (BATCH_EVERY - 1)}


def test_what_is_given_back_is_next_in_its_flow() -> None:
    queue = filled(Share("a", "1"), each=3)
    first = queue.pop()
    queue.push_front(first, Share("a", "1"))
    assert queue.pop() == first


def test_nothing_is_kept_of_who_has_nothing_waiting() -> None:
    queue: FairQueue[int] = FairQueue()
    for number in range(1000):
        queue.push(number, Share(f"caller {number}", f"flow {number}"))
        queue.pop()
    assert not queue._callers[Priority.BATCH]
    assert not queue._left[Priority.BATCH]


def test_who_went_is_forgotten_once_the_others_have_caught_up() -> None:
    queue = filled(Share("stays", "1"), each=3000)
    for number in range(1000):
        queue.push((f"{number}", 0), Share(f"{number}", "1"))
        queue.pop()
        queue.pop()
    assert len(queue._left[Priority.BATCH]) <= 2


def test_interactive_items_can_be_had_alone() -> None:
    queue: FairQueue[str] = FairQueue()
    queue.push("batch", Share("a", "job"))
    assert not queue.interactive
    with pytest.raises(IndexError):
        queue.pop(interactive_only=True)
    queue.push("urgent", Share("a", "stream", priority=Priority.INTERACTIVE))
    assert queue.interactive
    assert set(queue) == {"batch", "urgent"}
    assert queue.pop(interactive_only=True) == "urgent"
    assert [queue.pop(), len(queue)] == ["batch", 0]
