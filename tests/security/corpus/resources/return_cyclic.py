# what: returns a list that holds itself, by way of a dict and a tuple
# form: function
# expect: FAILED or RAISED or OUTPUT_LIMIT
def solve(xs):
    cycle = []
    cycle.append({"again": (cycle, [cycle])})
    return cycle
