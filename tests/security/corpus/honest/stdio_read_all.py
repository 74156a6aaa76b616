# what: reads all of stdin at once and writes by sys.stdout.buffer, with odd white space
# form: stdio
# expect: PASSED
import sys

n, *xs = map(int, sys.stdin.buffer.read().split())
sys.stdout.buffer.write(b"\r\n\t".join(b"%d" % (x * x) for x in sorted(xs) if xs.count(x) == 1) + b"  \n\n")
