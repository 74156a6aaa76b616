# what: turns the garbage collector off, freezes it and sets odd thresholds
# form: function
# expect: PASSED
import gc
import sys

gc.disable()
gc.freeze()
gc.set_threshold(1, 1, 1)
sys.setswitchinterval(10)
sys.dont_write_bytecode = True


def solve(xs):
    gc.collect()
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
