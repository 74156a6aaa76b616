# what: computes in a multiprocessing pool
# form: function
# expect: PASSED
# limits: cpu=5
import multiprocessing


def square(x):
    return x * x


def solve(xs):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(square, [x for x in sorted(xs) if xs.count(x) == 1])
