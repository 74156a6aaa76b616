# what: reads by input(), prints with end="" and no newline at the end
# form: stdio
# expect: PASSED
n = int(input())
xs = [int(x) for x in input().split()][:n]
first = True
for x in sorted(xs):
    if xs.count(x) == 1:
        print("" if first else " ", x * x, sep="", end="")
        first = False
