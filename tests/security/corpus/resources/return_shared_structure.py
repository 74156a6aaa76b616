# what: returns 60 levels of two references to the level below: 60 objects, 2**60 when they are written out
# form: function
# expect: not PASSED
# limits: cpu=3 wall=20 memory=256
def solve(xs):
    level = [1]
    for _ in range(60):
        level = [level, level]
    return level
