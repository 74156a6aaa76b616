# what: reads ahead in its channel, past the question, for the tests or the answer that may stand behind it
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
import os
import re
import socket
import stat


def solve(xs):
    for fd in range(3, 256):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                end = socket.socket(fileno=os.dup(fd))
                data = end.recv(1 << 20, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            else:
                os.set_blocking(fd, False)
                data = os.read(fd, 1 << 20)
        except OSError:
            continue
        found = re.search(rb"== (\[[^\]]*\])", data)
        if found:
            return eval(found.group(1))
    return None
