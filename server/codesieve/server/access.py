"""`serve`'s options for who may come in: tokens, TLS, and the rule that nothing listens to the network without both.

They are one frozen value, checked before anything is started.
"""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import grpc

from codesieve.server.door import Door, OpenDoor
from codesieve.server.options import address
from codesieve.server.tls import TlsFiles, credentials
from codesieve.server.tokens import TokenDoor

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """What was asked for."""

    tokens: Path | None
    tls_cert: Path | None
    tls_key: Path | None
    tls_client_ca: Path | None
    insecure: bool

    def check(self, listen: str) -> None:
        """Raises ValueError where these don't go together, or leave the door open to the network."""
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("--tls-cert and --tls-key go together")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ValueError("--tls-client-ca needs --tls-cert and --tls-key")
        if self.insecure or is_loopback(listen):
            return
        missing = []
        if self.tokens is None:
            missing.append("--tokens FILE (codesieve token new makes one)")
        if self.tls_cert is None:
            missing.append("--tls-cert FILE and --tls-key FILE")
        if missing:
            raise ValueError(
                f"--listen {listen} can be reached from the network, and whoever reaches it could run programs here; "
                f"give {' and '.join(missing)}, listen on 127.0.0.1, or say --insecure if the network is yours alone"
            )

    def door(self, now: Callable[[], datetime.datetime]) -> Door:
        """Raises `TokensFileError`."""
        return OpenDoor() if self.tokens is None else TokenDoor(self.tokens, now)

    def credentials(self) -> grpc.ServerCredentials | None:
        """None for plain text. Raises `TlsFilesError`."""
        if self.tls_cert is None or self.tls_key is None:
            return None
        return credentials(TlsFiles(self.tls_cert, self.tls_key, self.tls_client_ca))


def is_loopback(listen: str) -> bool:
    """Whether only this machine reaches it. A name other than localhost may mean anything."""
    if listen.startswith("unix:"):
        return True
    host, _ = address(listen)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def access_options(command: CommandT) -> CommandT:
    """The options, under the names of `Access`'s fields."""
    file = click.Path(path_type=Path, dir_okay=False)
    for option in (
        click.option(
            "--insecure",
            is_flag=True,
            help="Listen beyond this machine without tokens or without TLS: whoever reaches the port may run programs, "
            "or read tokens off the wire.",
        ),
        click.option(
            "--tls-client-ca", type=file, metavar="FILE", help="Require clients' certificates, signed by this CA (PEM)."
        ),
        click.option("--tls-key", type=file, metavar="FILE", help="The certificate's private key, PEM."),
        click.option(
            "--tls-cert",
            type=file,
            metavar="FILE",
            help="Serve TLS with this certificate, PEM. A renewed one is picked up as clients connect.",
        ),
        click.option(
            "--tokens",
            type=file,
            metavar="FILE",
            help="Let in who has a token of this TOML file; SIGHUP reads it again. See codesieve token new --help.",
        ),
    ):
        command = option(command)
    return command
