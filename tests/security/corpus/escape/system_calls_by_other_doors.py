# what: the x32 and 32-bit doors to system calls, where a filter may count otherwise
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS)


def escaped():
    if os.uname().machine != "x86_64":
        return False
    # x32's own numbers: ptrace 521, kexec_load 528; and plain ones with the x32 bit: mount, unshare, setns, bpf.
    for number in (0x40000000 + 272, 0x40000000 + 308, 0x40000000 + 321, 0x40000000 + 248):
        if libc.syscall(number, 0x10000000, 0, 0) >= 0:
            return True
    # int 0x80 with 32-bit numbers: unshare is 310 there. In a child, because a filter may kill for it.
    pid = os.fork()
    if pid == 0:
        import mmap

        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        # push rbx; mov eax, 310; mov ebx, CLONE_NEWUSER; int 0x80; pop rbx; ret
        code.write(b"\x53\xb8\x36\x01\x00\x00\xbb\x00\x00\x00\x10\xcd\x80\x5b\xc3")
        address = ctypes.addressof(ctypes.c_char.from_buffer(code))
        os._exit(7 if ctypes.CFUNCTYPE(ctypes.c_int)(address)() == 0 else 0)
    status = os.waitpid(pid, 0)[1]
    return os.WIFEXITED(status) and os.WEXITSTATUS(status) == 7


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
