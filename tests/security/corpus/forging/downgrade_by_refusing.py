# what: makes every way of being judged apart fail, and has a patched exec ready should tests come into its process
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
import builtins
import os
import sys

builtins.exec = lambda *arguments: None

APART = "codesieve" in "".join(sys.modules) or any(
    "calls" in str(frame.f_locals.get("mode", ""))
    for frame in (sys._getframe(n) for n in range(2) if n < len(list(sys._current_frames())))
)


def solve(xs):
    # Set the one channel on fire: whoever tries again may try in another way.
    os.closerange(3, 256)
    raise NotImplementedError("an argument holds function, which isn't plain data")
