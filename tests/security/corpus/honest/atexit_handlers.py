# what: registers handlers for the end, one of which raises
# form: function
# expect: PASSED
import atexit
import weakref


class Thing:
    def __del__(self):
        raise RuntimeError("in __del__")


atexit.register(print, "bye")
atexit.register(lambda: 1 / 0)
thing = Thing()
weakref.finalize(thing, print, "gone")


def solve(xs):
    Thing()
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
