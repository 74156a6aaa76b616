# what: output meant to break the checker program: code, formats, odd digits, and texts that int() takes
# form: stdio
# problem: stdio_checked
# expect: FAILED or RAISED
n = int(input())
# Sums up rightly, but out of range; and a tail that an eval in a checker would run.
print(n + 10, "-10" if n < 15 else "-10  #__import__('os')._exit(0)")
