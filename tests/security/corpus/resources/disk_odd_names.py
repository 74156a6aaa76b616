# what: names with newlines, escapes, 255 bytes, invalid UTF-8 and leading dashes; links, loops, pipes and sockets
# form: function
# expect: PASSED
import os
import socket

for folder in (b".", b"/tmp", b"/dev/shm"):
    for name in (b"\xff\xfe", b"a\nb", b"\x1b[2J", b"x" * 255, b"-rf", b"..\\", b" ", "‮txt".encode()):
        os.mkdir(folder + b"/" + name)
        os.symlink(b"/", folder + b"/" + name + b"/" + name[:200])
        os.mkfifo(folder + b"/" + name + b"/fifo")
        os.chmod(folder + b"/" + name, 0)
    os.symlink(b"loop", folder + b"/loop")
socket.socket(socket.AF_UNIX).bind("socket")


def solve(xs):
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
