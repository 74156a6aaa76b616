# what: one of several right answers, which only the checker can tell
# form: stdio
# problem: stdio_checked
# expect: PASSED
n = int(input())
a = max(1, n - 9)
print(f" {n - a}\n{a}")
