# what: directories in directories, deeper than any path is long, with no rights on the way
# form: function
# expect: not PASSED
# limits: cpu=5 wall=20
import os


def solve(xs):
    for number in range(4000):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
        open(".hidden", "w").close()
    os.chmod(".", 0)
