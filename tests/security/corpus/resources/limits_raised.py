# what: tries to lift each of its own limits, and lowers those that hurt whoever cleans up
# form: function
# expect: not PASSED
# limits: cpu=1 wall=10
import resource

lifted = 0
for which in range(16):
    try:
        soft, hard = resource.getrlimit(which)
        resource.setrlimit(which, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        lifted += hard not in (resource.RLIM_INFINITY, -1)
    except (ValueError, OSError):
        pass


def solve(xs):
    while not lifted:
        pass
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
