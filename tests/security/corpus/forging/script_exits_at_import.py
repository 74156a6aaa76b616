# what: ends with status 0 when the test file imports the program
# form: script
# expect: not PASSED
# limits: cpu=2 wall=10
import os

print("....\n----------------------------------------------------------------------\nRan 4 tests in 0.001s\n\nOK", flush=True)
os._exit(0)
