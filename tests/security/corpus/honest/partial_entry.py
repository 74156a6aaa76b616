# what: a functools.partial as the entry point
# form: function
# expect: PASSED
import functools


def once(power, xs):
    return [x**power for x in sorted(xs) if xs.count(x) == 1]


solve = functools.partial(once, 2)
