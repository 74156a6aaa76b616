# what: a trace function that jumps over the body of every test method
# form: script
# expect: not PASSED
import sys


def trace(frame, event, argument):
    if event == "call" and frame.f_code.co_name.startswith("test"):
        last = max(line for _, _, line in frame.f_code.co_lines() if line)

        def skip(frame, event, argument):
            if event == "line" and frame.f_lineno < last:
                frame.f_lineno = last
            if event == "exception":
                frame.f_lineno = last
            return skip

        return skip
    return trace


sys.settrace(trace)


def solve(xs):
    return [1, 36]
