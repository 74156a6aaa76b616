# what: floats with few digits, with exponents and with signs
# form: stdio
# problem: stdio_floats
# expect: PASSED
n = int(input())
mean = n / sum(1 / float(x) for x in input().split())
print("%+.5f" % mean if n == 3 else f"{mean:e}")
