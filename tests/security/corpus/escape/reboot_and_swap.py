# what: reboot (the harmless kind), swap, kexec, accounting and quotas
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS)


def escaped():
    # Ctrl-Alt-Del switched as it mostly is: privileged, and nothing happens.
    if libc.reboot(0) == 0:
        return True
    open("swap", "wb").write(bytes(40960))
    if libc.swapon(b"swap", 0) == 0 or ctypes.get_errno() not in REFUSED:
        return True
    if libc.acct(b"/tmp/codesieve-no-such-file") == 0 or ctypes.get_errno() not in REFUSED:
        return True
    number = {"x86_64": 246, "aarch64": 104}.get(os.uname().machine)
    return number is not None and libc.syscall(number, 0, 0, None, 0) == 0


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
