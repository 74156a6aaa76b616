# what: opens files, pipes and sockets until there are no more descriptors, and answers without any left
# form: function
# expect: PASSED
import os
import socket

held = []
for opens in (lambda: os.open("/dev/null", os.O_RDONLY), socket.socketpair, os.pipe):
    try:
        while True:
            held.append(opens())
    except OSError:
        pass


def solve(xs):
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
