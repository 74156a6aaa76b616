# what: the entry point decorated: cached, timed and registered
# form: function
# expect: PASSED
import functools
import time


def timed(function):
    @functools.wraps(function)
    def wrapper(xs):
        start = time.perf_counter()
        try:
            return list(function(tuple(xs)))
        finally:
            wrapper.spent = time.perf_counter() - start

    return wrapper


@timed
@functools.lru_cache(maxsize=None)
def solve(xs):
    return tuple(x * x for x in sorted(xs) if xs.count(x) == 1)
