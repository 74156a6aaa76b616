# what: answers nan, inf and other words that compare oddly with the expected floats
# form: stdio
# problem: stdio_floats
# expect: FAILED
n = int(input())
# A comparison written as `not abs(a - b) > tolerance` takes nan for right; inf makes a relative tolerance infinite.
print("nan" if n % 2 else "inf")
