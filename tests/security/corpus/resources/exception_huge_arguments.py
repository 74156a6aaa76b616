# what: raises an exception with huge and cyclic arguments and a class name of a megabyte
# form: function
# expect: RAISED or OUT_OF_MEMORY or TIMED_OUT
# limits: cpu=3 wall=20 memory=512
def solve(xs):
    cycle = []
    cycle.append(cycle)
    kind = type("E" * 2**20, (KeyError,), {})
    raise kind(cycle, "x" * 2**25, {1: cycle})
