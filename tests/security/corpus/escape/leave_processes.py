# what: leaves processes: daemons, stopped ones, threads in another session, listening sockets
# form: function
# expect: not PASSED
# limits: cpu=2 wall=15
# snooper: snoop_processes
import os
import signal
import socket
import time

for kind in range(4):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        for number in range(1, signal.NSIG):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        end = socket.socket(socket.AF_UNIX)
        try:
            end.bind("\0codesieve-left")
            end.listen()
        except OSError:
            pass
        server = socket.socket()
        try:
            server.bind(("127.0.0.1", 47614))
            server.listen()
        except OSError:
            pass
        if kind == 3:
            os.kill(os.getpid(), signal.SIGSTOP)
        while True:
            time.sleep(1)
time.sleep(0.2)


def solve(xs):
    # What it leaves is what counts; see its snooper.
    return None
