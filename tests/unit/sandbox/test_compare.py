"""What a program wrote beside what was expected: the rules, and what hostile output can't do to them."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from codesieve.workers.sandbox.compare import matches
from codesieve.workers.types import Comparison

SETTLED = settings(deadline=None, derandomize=True, database=None)
"""The same examples on every machine, nothing timed and nothing kept."""
EXACT, TOKENS, FLOATS = Comparison.EXACT, Comparison.TOKENS, Comparison.FLOATS
SPACES = st.text(" \t\n\r\f\v", min_size=1, max_size=3).map(str.encode)
WORDS = st.lists(st.binary(min_size=1, max_size=6).filter(lambda word: word.split() == [word]), max_size=6)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("expected", "got", "right"),
    [
        (b"1 2\n", b"1 2\n", {EXACT, TOKENS, FLOATS}),
        (b"1 2\n", b"1 2", {TOKENS, FLOATS}),
        (b"1 2\n", b"\t1\r\n\n2  ", {TOKENS, FLOATS}),
        (b"", b" \n", {TOKENS, FLOATS}),
        (b"1 2", b"12", set()),
        (b"1 2", b"1 2 3", set()),
        (b"1 2 3", b"1 2", set()),
        (b"yes", b"Yes", set()),
        (b"1.0", b"1", {FLOATS}),
        (b"x 0.5 y", b"x .5000001 y", {FLOATS}),
        (b"0.5", b"0.51", set()),
        (b"1000000000", b"1000000900", {FLOATS}),
        (b"1000000000", b"1000002000", set()),
        (b"0", b"1e-6", {FLOATS}),
        (b"0", b"1.1e-6", set()),
        (b"-0", b"0", {FLOATS}),
        (b"1", b"-1", set()),
        (b"1", b"x", set()),
        (b"x", b"1", set()),
        (b"10", b"1_0", set()),
        (b"10", b"0xA", set()),
        (b"1", "\u0661".encode(), set()),
        (b"1", b"1\x00", set()),
        (b"1", b"\xff", set()),
        (b"a\xa0b", b"a b", set()),
        (b"nan", b"nan", {EXACT, TOKENS, FLOATS}),
        (b"nan", b"NaN", set()),
        (b"nan", b"-nan", set()),
        (b"1", b"nan", set()),
        (b"inf", b"Infinity", {FLOATS}),
        (b"inf", b"+INF", {FLOATS}),
        (b"inf", b"-inf", set()),
        (b"1", b"inf", set()),
        (b"inf", b"1", set()),
        (b"inf", b"1e999", set()),
        (b"1e999", b"1e998", set()),
        (b"1e999", b"1e999 ", {TOKENS, FLOATS}),
        (b"1e308", b"-1e308", set()),
    ],
)
def test_the_rules(expected: bytes, got: bytes, right: set[Comparison]) -> None:
    assert {each for each in Comparison if matches(expected, got, each, 1e-6)} == right


@SETTLED
@given(WORDS, st.data())
def test_white_space_of_any_kind_separates_and_does_not_count(words: list[bytes], data: st.DataObject) -> None:
    one, other = (b"".join(data.draw(SPACES) + word for word in words) + data.draw(SPACES) for _ in "12")
    assert matches(one, other, TOKENS, 0)
    assert matches(one, other, FLOATS, 0)
    assert matches(one, other, EXACT, 0) == (one == other)


@SETTLED
@given(WORDS, WORDS)
def test_other_words_are_never_equal(words: list[bytes], others: list[bytes]) -> None:
    assume(words != others)
    assert not matches(b" ".join(words), b" ".join(others), TOKENS, 1e-6)


@SETTLED
@given(FINITE, FINITE, st.floats(0, 10))
def test_numbers_are_equal_within_the_tolerance_of_the_formula(a: float, b: float, tolerance: float) -> None:
    close = abs(a - b) <= tolerance * max(1, abs(b)) or repr(a) == repr(b)
    assert matches(repr(b).encode(), repr(a).encode(), FLOATS, tolerance) == close
    assert not matches(repr(b).encode(), b"nan", FLOATS, tolerance)
    assert not matches(repr(b).encode(), b"inf", FLOATS, tolerance)


@SETTLED
@given(st.binary(), st.binary(), st.sampled_from(Comparison), st.floats())
def test_no_bytes_and_no_tolerance_make_it_raise(one: bytes, other: bytes, how: Comparison, tolerance: float) -> None:
    assert matches(one, one, how, tolerance)
    assert isinstance(matches(one, other, how, tolerance), bool)


@SETTLED
@given(st.integers(), st.sampled_from([b"inf", b"nan", b"1e999", b"x"]), st.floats(0, math.inf))
def test_no_tolerance_makes_what_is_no_number_right(expected: int, got: bytes, tolerance: float) -> None:
    assert not matches(str(expected).encode(), got, FLOATS, tolerance)


@pytest.mark.parametrize(
    ("expected", "got", "right"),
    [
        pytest.param(b"1", b"9" * 2**20, False, id="one number of a million digits"),
        pytest.param(b"1", b"1." + b"0" * 2**20, True, id="a million zeros after the point"),
        pytest.param(b"0.5", b"0.5" + b"0" * 2**20 + b"1", True, id="a million digits near a rounding boundary"),
        pytest.param(b"9007199254740993", b"9007199254740993." + b"0" * 2**20 + b"1", True, id="halfway between doubles"),
        pytest.param(b"0.1", b"0." + b"0" * 2**20 + b"1e1048576", True, id="an exponent that undoes the zeros"),
        pytest.param(b"0", b"1e-" + b"9" * 2**20, True, id="an exponent of a million digits"),
        pytest.param(b"1 " * 2**19, b"1. " * 2**19, True, id="half a million numbers"),
        pytest.param(b"x " * 2**19, b"x" * 2**20, False, id="one word against half a million"),
    ],
)  # fmt: skip
def test_output_of_a_mebibyte_is_compared_like_any_other(expected: bytes, got: bytes, right: bool) -> None:
    assert matches(expected, got, FLOATS, 1e-6) is right
