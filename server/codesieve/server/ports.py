"""Keeping a port from when the server begins to start until it listens there.

Between the two lie seconds, and Ray, which takes dozens of ports that the system picks for it: one of them might be ours. A
socket that is bound and doesn't listen has the system pick another for everybody, and with SO_REUSEADDR gives way to the one
that asks for the port by its number, as gRPC does. Whoever connects meanwhile is refused, as if nothing were there.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator

from codesieve.server.options import address


@contextlib.contextmanager
def keep_port(option: str, listen: str | None) -> Iterator[None]:
    """Keeps the port of "HOST:PORT"; None, 0 and "unix:PATH" keep nothing. Raises OSError if it can't be listened on."""
    with contextlib.ExitStack() as sockets:
        if listen is not None and not listen.startswith("unix:"):
            host, port = address(listen)
            try:
                if port != 0:
                    _bind_all(host, port, sockets)
            except OSError as error:
                why = "; is another server there?" if error.errno == errno.EADDRINUSE else f": {error.strerror}"
                raise OSError(f"{option}: {listen} can't be listened on{why}") from error
        yield


def _bind_all(host: str, port: int, sockets: contextlib.ExitStack) -> None:
    """Binds those of the host's addresses that this machine has, as gRPC does; one at least. Raises OSError."""
    refused: list[OSError] = []
    places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for family, kind, protocol, _, place in places:
        try:
            keeper = sockets.enter_context(socket.socket(family, kind, protocol))
            keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            keeper.bind(place)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise
            refused.append(error)
    if len(refused) == len(places):
        raise refused[-1]
