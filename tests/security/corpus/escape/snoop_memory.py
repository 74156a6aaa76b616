# what: searches its own memory for what earlier programs, their tests and their answers left in the interpreter
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import re


def escaped():
    # Written so that it doesn't find itself.
    wanted = re.compile(rb"codesieve-lef[t]|assert candidat[e]\(|\[12, 11, 12, -1[1]\]")
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps:
            area, rights = line.split()[:2]
            first, last = (int(end, 16) for end in area.split("-"))
            if rights.startswith("rw") and "[v" not in line and last - first < 2**26:
                try:
                    memory.seek(first)
                    if wanted.search(memory.read(last - first)):
                        return True
                except (OSError, ValueError, OverflowError):
                    pass
    return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
