# what: interval timers of every kind at the highest rate, with handlers
# form: function
# expect: PASSED
# limits: cpu=3 wall=20
import signal

for which, number in (
    (signal.ITIMER_REAL, signal.SIGALRM),
    (signal.ITIMER_VIRTUAL, signal.SIGVTALRM),
    (signal.ITIMER_PROF, signal.SIGPROF),
):
    signal.signal(number, lambda *arguments: None)
    signal.setitimer(which, 0.001, 0.001)


def solve(xs):
    for _ in range(200000):
        pass
    return [x * x for x in sorted(xs) if xs.count(x) == 1]
