"""TLS for the gRPC port: the files are checked before anything starts, and taken anew when they change.

Certificate, key and clients' CA are looked at whenever a client connects, and read again if they are other files than
before: whoever renews them has nobody to tell. What is read has to pass the same checks; until it does the old ones stay in
use. Connections that are there keep what they were made with.

The checks are a handshake in memory, with the certificate as its own authority: it fails for a key that doesn't fit, and for
a certificate that has expired or isn't meant for servers.
"""

from __future__ import annotations

import dataclasses
import logging
import ssl
import threading
from pathlib import Path

import grpc

log = logging.getLogger(__name__)


class TlsFilesError(ValueError):
    """The files can't be used. One line that names the option and the file."""


@dataclasses.dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where a server's certificate lies."""

    certificate: Path
    """PEM, with the intermediate ones after it."""
    key: Path
    client_ca: Path | None
    """Who signs clients' certificates, which are then required."""


def credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """What gRPC listens with. Raises `TlsFilesError`."""
    first = _configuration(files)
    renewed = _Renewed(files)
    return grpc.dynamic_ssl_server_credentials(
        first,
        renewed.fetch,  # type: ignore[arg-type]  # None means "the old one", as grpc documents
        require_client_authentication=files.client_ca is not None,
    )


class _Renewed:
    """Asked by gRPC at each handshake, in a thread of its own."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._lock = threading.Lock()
        self._known = _state(files)

    def fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """The new configuration; None while the old one is to be used."""
        with self._lock:
            now = _state(self._files)
            if now == self._known:
                return None
            self._known = now  # one that can't be used is told once
            try:
                configuration = _configuration(self._files)
            except TlsFilesError as error:
                log.error("the TLS certificate stays as it was", extra={"error": str(error)})
                return None
            log.info("the TLS certificate was read again")
            return configuration


def _state(files: TlsFiles) -> tuple[object, ...]:
    """What changes when a file does."""
    state: list[object] = []
    for path in (files.certificate, files.key, files.client_ca):
        try:
            there = path.stat() if path else None
        except OSError as error:
            state.append(error.errno)
        else:
            state.append(there and (there.st_ino, there.st_size, there.st_mtime_ns))
    return tuple(state)


def _configuration(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
    certificate = _read(files.certificate, "--tls-cert")
    key = _read(files.key, "--tls-key")
    _check_pair(files, certificate)
    roots = None
    if files.client_ca is not None:
        roots = _read(files.client_ca, "--tls-client-ca")
        _trusting(roots, files.client_ca, "--tls-client-ca")
    return grpc.ssl_server_certificate_configuration([(key, certificate)], roots)


def _read(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsFilesError(f"{option}: {path}: {error.strerror}") from error


def _trusting(pem: bytes, path: Path, option: str) -> ssl.SSLContext:
    """A client that trusts these certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=pem.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise TlsFilesError(f"{option}: {path} holds no certificate in PEM form") from error
    return context


def _check_pair(files: TlsFiles, certificate: bytes) -> None:
    """Whether certificate and key are of one another, and a client would take the certificate now."""
    client_side = _trusting(certificate, files.certificate, "--tls-cert")
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An empty password: a key that needs one fails instead of asking at the terminal.
        server_side.load_cert_chain(files.certificate, files.key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsFilesError(f"--tls-key: {files.key} is not the key of {files.certificate}") from error
        raise TlsFilesError(f"--tls-key: {files.key} holds no private key in PEM form without a password") from error
    except OSError as error:
        raise TlsFilesError(f"--tls-key: {files.key}: {error.strerror or error}") from error
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    client = client_side.wrap_bio(to_client, to_server)
    try:
        for side in (client, server, client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    except ssl.SSLCertVerificationError as error:
        raise TlsFilesError(f"--tls-cert: {files.certificate}: {error.verify_message}") from error
