"""The client's tests have a small server each, in the clear or behind TLS."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import grpc
import grpc.aio
import pytest
from tests.certificates import Authority
from tests.unit.client.fake_server import serving
from tests.unit.client.fake_state import FakeServer


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    """A server of its own for each test."""
    with serving(None) as state:
        yield state


@dataclasses.dataclass(frozen=True)
class Certificates:
    """A certificate authority, and the PEM files of a server and a client that it has signed."""

    ca: Path
    server: tuple[Path, Path]
    client: tuple[Path, Path]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    directory = tmp_path_factory.mktemp("certificates")
    authority = Authority("test authority")
    ca = directory / "ca.pem"
    ca.write_bytes(authority.certificate)
    return Certificates(ca, *(authority.sign(name).write(directory, name) for name in ("server", "client")))


@pytest.fixture
def locked(certificates: Certificates) -> Iterator[FakeServer]:
    """A server with TLS that asks for a client's certificate."""
    certificate, key = (path.read_bytes() for path in certificates.server)
    credentials = grpc.ssl_server_credentials([(key, certificate)], certificates.ca.read_bytes(), True)
    with serving(credentials) as state:
        yield state
