# what: never reads its input to the end, and closes stdin
# form: stdio
# expect: PASSED
import sys

n = int(sys.stdin.readline())
line = sys.stdin.readline()
sys.stdin.close()
xs = [int(x) for x in line.split()]
print(*(x * x for x in sorted(xs) if xs.count(x) == 1), flush=True)
