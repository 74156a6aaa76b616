# what: computes in a forked child and reads the answer from a pipe
# form: function
# expect: PASSED
import os
import pickle


def solve(xs):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        with os.fdopen(write, "wb") as file:
            pickle.dump([x * x for x in sorted(xs) if xs.count(x) == 1], file)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        answer = pickle.load(file)
    os.waitpid(pid, 0)
    return answer
