# what: writes NULs, lone surrogates, invalid UTF-8 and terminal escapes to both streams
# form: function
# expect: PASSED
import os
import sys

os.write(1, bytes(range(256)))
os.write(2, b"\x1b[2J\x1b]0;title\x07\x00\xff\xfe\xed\xa0\x80")
print("\x00", "\udcff".encode("utf-8", "surrogateescape"), file=sys.stderr)


def solve(xs):
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
