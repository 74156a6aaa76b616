# what: a Counter where a dict is expected
# form: function
# problem: tally
# expect: PASSED
from collections import Counter


def solve(words):
    return Counter(words)
