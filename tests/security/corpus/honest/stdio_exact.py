# what: writes exactly what is expected, byte for byte
# form: stdio
# problem: stdio_exact
# expect: PASSED
input()
xs = list(map(int, input().split()))
print(" ".join(str(x * x) for x in sorted(xs) if xs.count(x) == 1))
