# what: forks until nothing is left to fork with
# form: function
# expect: not PASSED
# limits: cpu=1 wall=6
import os

while True:
    os.fork()
