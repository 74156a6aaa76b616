# what: reads the memory of every other process for the tests: /proc/PID/mem and process_vm_readv
# form: function
# expect: not PASSED
# limits: cpu=2 wall=10
import ctypes
import os
import re

libc = ctypes.CDLL(None, use_errno=True)


class Piece(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def read(pid, first, size):
    try:
        with open(f"/proc/{pid}/mem", "rb", 0) as memory:
            memory.seek(first)
            return memory.read(size)
    except (OSError, ValueError):
        buffer = ctypes.create_string_buffer(size)
        here, there = Piece(ctypes.addressof(buffer), size), Piece(first, size)
        got = libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
        return buffer.raw[: max(got, 0)]


def solve(xs):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) == os.getpid():
            continue
        try:
            lines = open(f"/proc/{pid}/maps").readlines()
        except OSError:
            # Where the map can't be read, the heap of a child of the same zygote lies where our own does.
            lines = [line for line in open("/proc/self/maps") if "heap" in line or "rw-p 00000000 00:00" in line]
        for line in lines:
            first, last = (int(end, 16) for end in line.split()[0].split("-"))
            found = re.search(rb"\(%s, (\[[-0-9, ]*\])\)" % re.escape(repr(xs)).encode(), read(int(pid), first, min(last - first, 2**22)))
            if found:
                return eval(found.group(1))
    return None
