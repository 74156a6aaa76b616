# what: skips the remaining assertions by raising what ends a list of statements quietly
# form: assertions
# expect: not PASSED
import sys


def solve(xs):
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "<module>":
            last = max(line for _, _, line in frame.f_code.co_lines() if line)

            def jump(frame, event, argument):
                if event == "line":
                    frame.f_lineno = last
                return jump

            frame.f_trace = jump
            sys.settrace(jump)
        frame = frame.f_back
    raise StopIteration
