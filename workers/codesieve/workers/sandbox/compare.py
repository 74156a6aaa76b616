"""Whether what a program wrote is what was expected of it.

All that is compared comes from a hostile program, so nothing here may raise or take more than linear time: white space is
split once, words that are equal as text are never looked into, and the first that differs in a way that counts ends it.

Numbers are IEEE doubles in the notation of C and of Python without underscores: ``-1``, ``.5``, ``1e-3``, ``inf``. What is
not such a number is text. Three edges are decided so that no wrong output passes:

- NaN is text: ``nan`` equals ``nan`` and not ``NaN`` or ``-nan``. A number that was expected never equals it.
- ``inf`` and ``Infinity`` equal each other if their signs do, whatever the tolerance, and no other number.
- Digits too large for a double (``1e999``) are text, so they equal themselves only.
"""

from __future__ import annotations

import math

from codesieve.workers.types import Comparison


def matches(expected: bytes, got: bytes, comparison: Comparison, tolerance: float) -> bool:
    """Whether `got` is right. White space is ASCII's: space, tab, newline, return, form feed, vertical tab.

    `tolerance` is for FLOATS: |got - expected| <= tolerance * max(1, |expected|), absolute for small numbers and relative
    for large ones, as competitive programming's checkers have it.
    """
    if expected == got:
        return True
    if comparison is Comparison.EXACT:
        return False
    expected_words, got_words = expected.split(), got.split()
    if comparison is Comparison.TOKENS:
        return expected_words == got_words
    return len(expected_words) == len(got_words) and all(
        one == other or _close(one, other, tolerance) for one, other in zip(expected_words, got_words, strict=True)
    )


def _close(expected: bytes, got: bytes, tolerance: float) -> bool:
    """Whether two words that differ as text are two numbers within the tolerance."""
    try:
        wanted, found = float(expected), float(got)  # linear in the words' length, as int() is not
    except ValueError:
        return False
    if b"_" in expected or b"_" in got:
        return False
    if not (math.isfinite(wanted) and math.isfinite(found)):
        return wanted == found and _is_spelled_out(expected) and _is_spelled_out(got)
    return abs(found - wanted) <= tolerance * max(1.0, abs(wanted))


def _is_spelled_out(infinite: bytes) -> bool:
    """Whether an infinite number is ``inf`` or ``infinity`` by name, rather than by too many digits."""
    return infinite[-1:] in b"fFyY"
