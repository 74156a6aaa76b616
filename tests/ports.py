"""Ports for servers that are told where to listen, or are started again where they were.

The port must be none that the system gives away by itself: while its server is away, any other process that binds port 0 or
connects somewhere may be given it (Ray does both, dozens of times for each of its starts).
"""

from __future__ import annotations

import random
import socket
from pathlib import Path

LOWEST = 20_000
"""Ray's own workers have those from 10002 to 19999."""


def free_port() -> int:
    """A port of 127.0.0.1 where nobody listens, and outside of the range that the system gives away (if that leaves any)."""
    lowest_given, highest_given = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    ports: list[int] = [*range(LOWEST, lowest_given), *range(highest_given + 1, 65_536)] or [*range(LOWEST, 65_536)]
    for port in random.sample(ports, len(ports)):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("every port of 127.0.0.1 is taken")
