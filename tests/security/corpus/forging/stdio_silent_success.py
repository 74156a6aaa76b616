# what: prints nothing and ends with status 0
# form: stdio
# expect: FAILED or CRASHED
# limits: cpu=1 wall=5
import os

os._exit(0)
