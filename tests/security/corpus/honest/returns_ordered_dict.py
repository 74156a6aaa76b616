# what: an OrderedDict with keys that are a str subclass
# form: function
# problem: tally
# expect: PASSED
from collections import OrderedDict


class Word(str):
    pass


def solve(words):
    return OrderedDict((Word(word), words.count(word)) for word in reversed(words))
