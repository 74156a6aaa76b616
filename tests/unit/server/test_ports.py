"""A port is kept while what stands behind it starts, and one that is taken is told before anything is started."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from codesieve.server import __main__ as server
from codesieve.server.ports import keep_port

IP_LOCAL_PORT_RANGE = 51
"""Of Linux's <linux/in.h>, since 6.3: the system picks a socket's port from these."""


def given_by_the_system(only: int) -> int:
    """The port that the system picks for who asks for any, if it may pick this one alone. Raises OSError if it can't."""
    with socket.socket() as asking:
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gRPC has it, which Ray listens with
        asking.setsockopt(socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, struct.pack("@I", only << 16 | only))
        asking.bind(("127.0.0.1", 0))
        return int(asking.getsockname()[1])


@pytest.fixture
def port() -> int:
    """One of those that the system picks from."""
    with socket.socket() as asking:
        asking.bind(("127.0.0.1", 0))
        found = int(asking.getsockname()[1])
    try:
        assert given_by_the_system(found) == found
    except OSError as error:
        pytest.skip(f"this kernel can't be told what to pick from ({error})")
    return found


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[None]:
    """As gRPC does. It can be connected to."""
    with socket.create_server((host, port)), socket.create_connection((host, port), 5):
        yield


def test_the_system_gives_a_kept_port_to_nobody(port: int) -> None:
    with keep_port("--listen", f"127.0.0.1:{port}"):
        with pytest.raises(OSError, match="in use"):
            given_by_the_system(port)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)
        with listening("127.0.0.1", port):
            pass
    assert given_by_the_system(port) == port


def test_all_addresses_of_a_host_are_kept(port: int) -> None:
    for host in ("localhost", "0.0.0.0", "[::]"):
        with keep_port("--listen", f"{host}:{port}"), pytest.raises(OSError, match="in use"):
            given_by_the_system(port)


@pytest.mark.parametrize("option", ["--listen", "--metrics-listen"])
def test_a_taken_port_is_told_before_anything_is_started(
    option: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    monkeypatch.setattr(server, "start_ray", lambda *_, **__: started.append("Ray"))
    with listening("127.0.0.1", port):
        done = CliRunner().invoke(
            server.main, ["--listen", "127.0.0.1:0", "--store", "memory", option, f"127.0.0.1:{port}"]
        )
    assert done.exit_code == 2
    assert done.output == (
        f"codesieve serve: {option}: 127.0.0.1:{port} can't be listened on; is another server there?\n"
    )
    assert not started


@pytest.mark.parametrize(
    ("listen", "why"),
    [("no-such-host.invalid:7420", "(Name or service|Temporary failure)"), ("203.0.113.77:7420", "Cannot assign")],
)
def test_a_host_that_is_not_this_machine(listen: str, why: str) -> None:
    with (
        pytest.raises(OSError, match=rf"^--listen: {listen} can't be listened on: {why}"),
        keep_port("--listen", listen),
    ):
        pass


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "unix:/tmp/nowhere"])
def test_there_may_be_nothing_to_keep(listen: str) -> None:
    with keep_port("--listen", listen):
        pass
