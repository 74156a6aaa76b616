# what: returns a range of 10**18 numbers, small to send and large to list
# form: function
# problem: listed
# expect: not PASSED
# limits: cpu=3 wall=20 memory=256
def solve(xs):
    return range(10**18)
