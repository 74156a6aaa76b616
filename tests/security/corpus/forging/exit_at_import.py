# what: os._exit(0) before any test has begun
# form: function
# expect: not PASSED
# limits: cpu=1 wall=10
import os

print("1 passed", flush=True)
os._exit(0)
