"""Which tokens of a sample count: those whose text stands in the completion, whatever the tokens and the stop sequence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesieve.workers.generation.counting import cut, tokens_before_stop, tokens_within

SETTLED = settings(deadline=None, derandomize=True, database=None)


@pytest.mark.parametrize(
    ("pieces", "length", "count"),
    [
        (["ab", "cd", "ef"], 6, 3),
        (["ab", "cd", "ef"], 4, 2),
        (["ab", "cd", "ef"], 3, 2),  # in part
        (["ab", "cd", "ef"], 0, 0),
        (["ab", "", "é", "\n"], 3, 3),  # the bytes that begin a character count with it
        (["ab", "", "é", "\n"], 2, 1),
        ([], 0, 0),
    ],
)
def test_a_token_counts_if_any_of_its_text_stands(pieces: list[str], length: int, count: int) -> None:
    assert tokens_within(pieces, length) == count


def sampled(tokens: list[str], stop: str) -> tuple[list[str], str] | None:
    """The tokens up to the one that completes the stop sequence, and the text in front of it, as an engine makes them."""
    text = ""
    for count, token in enumerate(tokens, start=1):
        text += token
        if stop in text:
            return tokens[:count], text[: text.find(stop)]
    return None


@SETTLED
@given(st.lists(st.text("ab\n", max_size=3), max_size=60), st.text("ab\n", min_size=1, max_size=4))
def test_the_end_of_a_sample_tells_as_much_as_the_whole(tokens: list[str], stop: str) -> None:
    made = sampled(tokens, stop)
    if made is None:
        return
    kept, text = made
    assert tokens_before_stop(text, stop, len(kept), lambda start: kept[start:]) == tokens_within(kept, len(text))


def test_no_more_of_a_long_sample_is_looked_at_than_has_to_be() -> None:
    tokens = ["x"] * 5000 + ["\n", "def", " f"]
    starts: list[int] = []

    def pieces_from(start: int) -> list[str]:
        starts.append(start)
        return tokens[start:5002]

    assert tokens_before_stop("x" * 5000, "\ndef", 5002, pieces_from) == 5000
    assert starts == [4994]


def test_an_end_that_decodes_otherwise_than_the_whole_is_not_trusted() -> None:
    tokens = ["a", "b", *("x" for _ in range(20)), "\nd"]

    def pieces_from(start: int) -> list[str]:
        return tokens if start == 0 else [*tokens[start:-1], " \nd"]

    assert tokens_before_stop("ab" + "x" * 20, "\nd", 23, pieces_from) == 22


@pytest.mark.parametrize(
    ("text", "stops", "kept"),
    [
        ("a\nb\nc", ("\nc", "\nb"), "a"),
        ("abcdef", ("bcdef", "d"), "abc"),  # the one that is complete first, though the other begins before it
        ("abcdef", ("x",), "abcdef"),
        ("abcdef", (), "abcdef"),
    ],
)
def test_text_is_cut_as_an_engine_would_have_cut_it(text: str, stops: tuple[str, ...], kept: str) -> None:
    assert cut(text, stops) == kept
