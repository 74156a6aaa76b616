"""`serve` listens to the network only behind tokens and TLS, unless it is told otherwise."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from click.testing import CliRunner

from codesieve.server import __main__ as server
from codesieve.server.access import Access, is_loopback

CLOSED = Access(Path("tokens"), Path("crt"), Path("key"), None, insecure=False)
OPEN = Access(None, None, None, None, insecure=False)


@pytest.mark.parametrize(
    "listen", ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "unix:/run/codesieve/socket", "unix:socket"]
)
def test_only_this_machine_reaches_it(listen: str) -> None:
    assert is_loopback(listen)
    OPEN.check(listen)


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.org:1", "localhost.org:1", "128.0.0.1:1"]
)
def test_the_network_reaches_it(listen: str) -> None:
    assert not is_loopback(listen)
    with pytest.raises(
        ValueError, match=r"--tokens FILE .* and --tls-cert FILE and --tls-key FILE.*--insecure"
    ) as refused:
        OPEN.check(listen)
    assert "\n" not in str(refused.value)
    with pytest.raises(ValueError, match="give --tls-cert FILE and --tls-key FILE, listen"):
        dataclasses.replace(CLOSED, tls_cert=None, tls_key=None).check(listen)
    with pytest.raises(ValueError, match=r"give --tokens FILE \("):
        dataclasses.replace(CLOSED, tokens=None).check(listen)
    CLOSED.check(listen)
    dataclasses.replace(OPEN, insecure=True).check(listen)


def test_tls_options_that_do_not_go_together() -> None:
    with pytest.raises(ValueError, match="go together"):
        dataclasses.replace(CLOSED, tls_key=None).check("127.0.0.1:1")
    with pytest.raises(ValueError, match="--tls-client-ca needs"):
        dataclasses.replace(OPEN, tls_client_ca=Path("ca")).check("127.0.0.1:1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--listen", "0.0.0.0:1"], "--listen 0.0.0.0:1 can be reached from the network"),
        (["--tokens", "/no/such/file"], "/no/such/file: No such file"),
        (["--tls-cert", "/no/such/file", "--tls-key", "/no"], "--tls-cert: /no/such/file: No such file"),
    ],
)
def test_serve_says_what_to_do_in_one_line(options: list[str], message: str) -> None:
    done = CliRunner().invoke(server.main, options)
    assert done.exit_code == 2
    assert message in done.output
    assert len(done.output.splitlines()) == 1
