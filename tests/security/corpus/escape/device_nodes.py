# what: makes device nodes, and opens the machine's memory, disks and consoles
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import os
import stat

DEVICES = ("mem", "kmem", "port", "kmsg", "sda", "vda", "nvme0n1", "fuse", "kvm", "net/tun", "loop-control", "tty1", "console", "snapshot", "cpu/0/msr", "nvidiactl", "nvidia0", "vhost-vsock", "uinput")


def escaped():
    for name in DEVICES:
        for flags in (os.O_RDONLY, os.O_RDWR):
            try:
                os.close(os.open("/dev/" + name, flags | os.O_NONBLOCK | os.O_NOCTTY))
                return True
            except OSError:
                pass
    for folder in (".", "/tmp", "/dev/shm"):
        for kind, major, minor in ((stat.S_IFCHR, 1, 1), (stat.S_IFBLK, 8, 0), (stat.S_IFBLK, 7, 0), (stat.S_IFCHR, 10, 229)):
            try:
                os.mknod(folder + "/disk", kind | 0o666, os.makedev(major, minor))
                os.close(os.open(folder + "/disk", os.O_RDWR))
                return True
            except OSError:
                pass
    return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
