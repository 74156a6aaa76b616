# what: computes in a thread pool
# form: function
# expect: PASSED
from concurrent.futures import ThreadPoolExecutor


def solve(xs):
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda x: x * x, [x for x in sorted(xs) if xs.count(x) == 1]))
