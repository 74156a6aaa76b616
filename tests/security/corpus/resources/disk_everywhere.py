# what: fills every place where it may write with files just below the size limit
# form: function
# expect: not PASSED
# limits: cpu=3 wall=15 file=4
import os


def solve(xs):
    full = 0
    for folder in (".", "/tmp", "/dev/shm", "/var/tmp", "/run", "/codesieve", "/dev/mqueue", "/home"):
        for number in range(200):
            try:
                with open(f"{folder}/fill{number}", "wb", 0) as file:
                    while file.write(bytes(2**20)):
                        pass
            except OSError as error:
                full += error.errno == 28
                if error.errno != 27:
                    break
    return full
