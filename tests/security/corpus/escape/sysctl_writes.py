# what: writes to /proc/sys and the rest of /proc that is the kernel's: core_pattern, sysrq, modprobe
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import os
import stat

PLACES = (
    "sys/kernel/core_pattern",
    "sys/kernel/modprobe",
    "sys/kernel/hostname",
    "sys/kernel/randomize_va_space",
    "sys/kernel/shmmni",
    "sys/vm/overcommit_memory",
    "sys/vm/drop_caches",
    "sys/net/ipv4/ip_forward",
    "sys/user/max_user_namespaces",
    "sys/fs/binfmt_misc/register",
    "sysrq-trigger",
    "irq/0/smp_affinity",
    "timer_list",
    "kcore",
    "1/sched",
)


def escaped():
    for place in PLACES:
        try:
            fd = os.open("/proc/" + place, os.O_WRONLY)
            # Docker puts /dev/null in the place of some.
            if not stat.S_ISCHR(os.fstat(fd).st_mode):
                return True
        except OSError:
            pass
    try:
        return len(open("/proc/kcore", "rb").read(4096)) > 0
    except OSError:
        return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
