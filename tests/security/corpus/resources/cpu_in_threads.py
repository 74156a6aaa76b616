# what: holds the interpreter's lock inside one endless C call
# form: function
# expect: TIMED_OUT
# limits: cpu=1 wall=10
def solve(xs):
    return (10**9 in iter(lambda: 0, 1)) or sum(iter(int, 1))
