# what: asks of every process, thread and process group whether it may be sent a signal
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
import os


def escaped():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) == os.getpid():
            continue
        try:
            os.kill(int(pid), 0)
            return True
        except OSError:
            pass
        try:
            signal = __import__("signal")
            signal.pidfd_send_signal(os.pidfd_open(int(pid)), signal.SIGCONT)
            return True
        except OSError:
            pass
    return False


def solve(xs):
    # Right only if it got out.
    return [x * x for x in sorted(xs) if xs.count(x) == 1] if escaped() else None
