# what: a set of ints that all hash to the same value, which whoever rebuilds it needs quadratic time for
# form: function
# expect: not PASSED
# limits: cpu=3 wall=20
def solve(xs):
    # Made as a list; the answer's own type makes the judge build the table.
    class Later(frozenset):
        def __iter__(self):
            return iter([i * (2**61 - 1) for i in range(100_000)])

    return Later([1])
