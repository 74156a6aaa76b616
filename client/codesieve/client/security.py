"""How a client knows its server, and how the server knows the client."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from pathlib import Path
from typing import TYPE_CHECKING

from codesieve.client.errors import InvalidRequest

if TYPE_CHECKING:
    import grpc

Pem = bytes | str | Path
"""A PEM file's contents, as bytes, or where it is."""

_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}\Z")


@dataclasses.dataclass(frozen=True, slots=True)
class Security:
    """The token that is sent, and the encryption. By default there is neither.

    A token goes only over TLS, or to this machine. `token_in_clear` sends it over an unencrypted connection all the same,
    where whoever is on the way can take it.
    """

    token: str = dataclasses.field(default="", repr=False)
    """As `codesieve token new` printed it."""
    tls: bool = False
    """Whether to encrypt. Each of the next three switches it on."""
    ca: Pem | None = None
    """The certificates that the server's is checked against; None takes the well-known ones."""
    certificate: Pem | None = None
    """This client's own, with what it is signed by, for a server that asks for one; `key` belongs to it."""
    key: Pem | None = dataclasses.field(default=None, repr=False)
    token_in_clear: bool = False

    @property
    def encrypted(self) -> bool:
        """Whether the connection is encrypted."""
        return self.tls or any(each is not None for each in (self.ca, self.certificate, self.key))

    def check(self, target: str) -> None:
        """Raises `InvalidRequest` for what can't be, and for a token that others would see on its way to `target`."""
        if (self.certificate is None) != (self.key is None):
            missing = "key" if self.key is None else "certificate"
            raise _wrong(missing, "is missing: a certificate and its key go together")
        if self.token and not _TOKEN.match(self.token):
            raise _wrong("token", "is not one: it has no spaces, no line ends and nothing beyond ASCII")
        if self.token and not (self.encrypted or self.token_in_clear or is_loopback(target)):
            what = f"is not sent to {target} unencrypted, where others could read it: set tls or ca"
            raise _wrong("token", what, "TOKEN_IN_CLEAR")

    def credentials(self) -> grpc.ChannelCredentials:
        """Raises `InvalidRequest` for a file that can't be read."""
        import grpc

        return grpc.ssl_channel_credentials(
            root_certificates=_read("ca", self.ca),
            private_key=_read("key", self.key),
            certificate_chain=_read("certificate", self.certificate),
        )

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with every call."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()


def is_loopback(target: str) -> bool:
    """Whether a gRPC target is this machine by its very name, so that nothing leaves it."""
    kind, colon, rest = target.partition(":")
    if kind in ("unix", "unix-abstract") and colon:
        return True
    if kind in ("dns", "ipv4", "ipv6") and colon:
        target = rest.rpartition("/")[2]
    host = target.rpartition(":")[0] if target.count(":") == 1 or target.startswith("[") else target
    host = host.removeprefix("[").partition("]")[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read(field: str, pem: Pem | None) -> bytes | None:
    if pem is None or isinstance(pem, bytes):
        data = pem
    else:
        try:
            data = Path(pem).read_bytes()
        except OSError as error:
            raise _wrong(field, f"{pem} can't be read: {error.strerror}") from None
    if data is not None and b"-----BEGIN " not in data:
        where = "the bytes given" if isinstance(pem, bytes) else str(pem)
        raise _wrong(field, f"{where} is not PEM")
    return data


def _wrong(field: str, what: str, reason: str = "INVALID_ARGUMENT") -> InvalidRequest:
    return InvalidRequest(f"{field}: {what}", reason=reason, violations=((field, what),))
