# what: globals that change from call to call
# form: function
# expect: PASSED
calls = 0
history = []


def solve(xs):
    global calls
    calls += 1
    history.append((calls, list(xs)))
    return [x * x for x in sorted(history[-1][1]) if history[calls - 1][1].count(x) == 1]
