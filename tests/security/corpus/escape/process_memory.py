# what: reads and writes the memory of every other process by process_vm_readv and process_vm_writev
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS)


class Piece(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def escaped():
    buffer = ctypes.create_string_buffer(8)
    here, there = Piece(ctypes.addressof(buffer), 8), Piece(id(None), 8)
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        if pid == os.getpid():
            continue
        for act in (libc.process_vm_readv, libc.process_vm_writev):
            act.restype = ctypes.c_ssize_t
            if act(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) > 0:
                return True
            if ctypes.get_errno() == errno.EFAULT:
                # It was let through, and only the address was wrong.
                return True
    return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
