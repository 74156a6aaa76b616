"""Which of the sampled tokens stand in a completion that a stop sequence ended. Pure.

An engine samples until a stop sequence is there and cuts the text in front of it, so that the last tokens are in the text
in part or not at all. A token counts if its text stands in the completion, in whole or in part; one whose bytes only begin
a character counts with that character. So the counted tokens are always the first ones, up to the one whose text reaches
the completion's end, and they say of a completion what they would say had the model been asked for its probability.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

_WINDOW = 8
"""Tokens from the end in which a stop sequence is looked for first."""


def tokens_within(pieces: Iterable[str], length: int) -> int:
    """How many tokens it takes for a text of `length` characters. `pieces` are what each adds to the text."""
    count = reached = 0
    for piece in pieces:
        if reached >= length:
            break
        reached += len(piece)
        count += 1
    return count


def tokens_before_stop(text: str, stop: str, total: int, pieces_from: Callable[[int], Sequence[str]]) -> int:
    """How many of `total` tokens stand in `text`, which was cut in front of `stop` once the last token had completed it.

    `pieces_from(start)` is what each token from that place on adds to the text. Only the end is looked at, as far as it has
    to be: a stop sequence is a few tokens long and a sample thousands.
    """
    window = _WINDOW
    while True:
        start = max(total - window, 0)
        pieces = pieces_from(start)
        tail = "".join(pieces)
        # The last token completed it, or it would have ended the sample before.
        earliest = len(tail) - len(pieces[-1]) - len(stop) + 1
        cut = tail.find(stop, max(earliest, 0))
        # Text that was decoded from the middle on is trusted only where it agrees with the whole.
        if start == 0 or (cut > 0 and earliest >= 0 and text.endswith(tail[:cut])):
            return start + tokens_within(pieces, len(text) if start == 0 else cut)
        window *= 4


def cut(text: str, stops: Iterable[str]) -> str:
    """The text in front of the stop sequence that is complete first, as an engine that looks at every token would cut it."""
    found = [(text.find(stop) + len(stop), text.find(stop)) for stop in stops if stop in text]
    return text[: min(found)[1]] if found else text
