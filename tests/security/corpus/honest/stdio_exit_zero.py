# what: ends by sys.exit(0) in a __main__ block, after a message on stderr
# form: stdio
# expect: PASSED
import sys


def main():
    _, *xs = [int(word) for line in sys.stdin for word in line.split()]
    print(*[x * x for x in sorted(xs) if xs.count(x) == 1])
    print("done", file=sys.stderr)


if __name__ == "__main__":
    main()
    sys.exit(0)
