# what: answers from a thread with a large stack, in competitive programming's manner
# form: stdio
# expect: PASSED
import sys
import threading

sys.setrecursionlimit(10**6)
threading.stack_size(2**26)


def main():
    input()
    xs = list(map(int, input().split()))
    print(*[x * x for x in sorted(xs) if xs.count(x) == 1])


thread = threading.Thread(target=main)
thread.start()
thread.join()
