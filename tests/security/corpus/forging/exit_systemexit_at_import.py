# what: raises SystemExit, which many a harness takes for a normal end
# form: function
# expect: not PASSED
# limits: cpu=1 wall=10
def solve(xs):
    return None


raise SystemExit(0)
