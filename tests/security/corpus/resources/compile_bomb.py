# what: source of megabytes that keeps the compiler busy
# form: function
# expect: not PASSED
# limits: cpu=1 wall=15 memory=256
def solve(xs):
    return eval("[" + ",".join(f"(lambda x{i}: x{i} + {i})({i})" for i in range(10**6)) + "]")
