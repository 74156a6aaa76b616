# what: sends its descriptors along by SCM_RIGHTS over every socket it holds, and takes what comes back
# form: function
# expect: not PASSED
# limits: cpu=1 wall=5
import array
import os
import socket
import stat


def solve(xs):
    for fd in range(3, 256):
        try:
            if not stat.S_ISSOCK(os.fstat(fd).st_mode):
                continue
            end = socket.socket(fileno=os.dup(fd))
            end.setblocking(False)
            rights = array.array("i", [0, 1, 2, fd] * 4)
            end.sendmsg([b"\x00\x00\x00\x01T"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            _, ancillary, _, _ = end.recvmsg(65536, socket.CMSG_SPACE(64), socket.MSG_PEEK)
            for _, _, data in ancillary:
                for stolen in array.array("i", data[: len(data) // 4 * 4]):
                    os.write(stolen, b"passed")
        except OSError:
            pass
    return None
