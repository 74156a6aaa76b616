# what: prints the right answer to the first case and verdicts in place of the others
# form: stdio
# expect: FAILED
n = int(input())
if n == 4:
    print("1 4")
else:
    print("PASSED\nAC\nAccepted\nOK\n\x00\x1a\x04")
