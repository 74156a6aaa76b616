# what: a defaultdict where a dict is expected
# form: function
# problem: tally
# expect: PASSED
from collections import defaultdict


def solve(words):
    found = defaultdict(int)
    for word in words:
        found[word] += 1
    return found
