"""BLEU of a completion against a known solution, to show why matching text isn't the measure (Chen et al. 2021, figure 8).

Papineni et al. 2002: the geometric mean of the shares of n-grams, n from 1 to 4, that the reference has too, times a penalty
for being short. A single program often has no 4-gram in common with the reference, so for n above 1 one is added to
matches and totals (Lin and Och 2004). Tokens are words, and every other character by itself. It is sacrebleu's
``sentence_bleu(smooth_method="add-k", smooth_value=1, tokenize="none")`` over such tokens, from 0 to 1.
"""

from __future__ import annotations

import collections
import math
import re

_TOKEN = re.compile(r"\w+|[^\w\s]")
ORDER = 4
MAX_CHARACTERS = 20_000
"""What is looked at of a completion: text that goes on for longer is no match in any case."""


def tokens(source: str) -> list[str]:
    """The tokens of a program."""
    return _TOKEN.findall(source[:MAX_CHARACTERS])


def bleu(completion: str, reference: str) -> float:
    """From 0 to 1, which is a completion with the reference's tokens. 0 where either has none."""
    given, known = tokens(completion), tokens(reference)
    if not given or not known:
        return 0.0
    logarithm = 0.0
    for n in range(1, ORDER + 1):
        ours, theirs = _grams(given, n), _grams(known, n)
        matches = sum((ours & theirs).values()) + (n > 1)
        total = max(len(given) - n + 1, 0) + (n > 1)
        if not matches:
            return 0.0
        logarithm += math.log(matches / total) / ORDER
    short = min(0.0, 1 - len(known) / len(given))
    return math.exp(logarithm + short)


def _grams(words: list[str], n: int) -> collections.Counter[tuple[str, ...]]:
    return collections.Counter(tuple(words[place : place + n]) for place in range(len(words) - n + 1))
