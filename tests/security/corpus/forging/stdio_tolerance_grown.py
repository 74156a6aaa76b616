# what: more words than expected, underscores, exponents and foreign digits, for a lax float parser
# form: stdio
# problem: stdio_floats
# expect: FAILED
n = int(input())
print("1.7142857" if n == 3 else "4_0e-1", "4.0", "١٫٧", "0x1p0")
