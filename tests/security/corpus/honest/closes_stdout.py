# what: closes its streams and their descriptors
# form: function
# expect: PASSED
import os
import sys

print("last words")
sys.stdout.close()
sys.stdin.close()
sys.stdout = None
os.close(2)


def solve(xs):
    print("to nowhere")
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
