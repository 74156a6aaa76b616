"""TLS: files that can't be used are told before anything starts, and renewed ones are picked up while it runs."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry
from tests.certificates import DAY, Authority, Pair

from codesieve.server.door import OpenDoor
from codesieve.server.front import FrontEnd
from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.metrics import Metrics
from codesieve.server.models import ModelRegistry
from codesieve.server.tls import TlsFiles, TlsFilesError, credentials


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def files(directory: Path, pair: Pair) -> TlsFiles:
    return TlsFiles(*pair.write(directory, "server"), None)


def test_files_that_are_right(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "ca.crt").write_bytes(authority.certificate)
    given = files(tmp_path, authority.sign("server"))
    assert isinstance(credentials(dataclasses.replace(given, client_ca=tmp_path / "ca.crt")), grpc.ServerCredentials)
    # A chain, as it is usual.
    with given.certificate.open("ab") as file:
        file.write(authority.certificate)
    assert isinstance(credentials(given), grpc.ServerCredentials)


def test_files_that_are_wrong(tmp_path: Path, authority: Authority) -> None:
    good = files(tmp_path, authority.sign("server"))
    expired = authority.sign("server", -DAY).write(tmp_path, "expired")
    other = authority.sign("server").write(tmp_path, "other")
    junk = tmp_path / "junk"
    junk.write_bytes(b"\xff junk")
    for wrong, message in (
        (dataclasses.replace(good, certificate=tmp_path / "none"), "--tls-cert: .*none: No such file"),
        (dataclasses.replace(good, key=tmp_path / "none"), "--tls-key: .*none: No such file"),
        (dataclasses.replace(good, certificate=junk), "--tls-cert: .*junk holds no certificate in PEM form"),
        (dataclasses.replace(good, key=junk), "--tls-key: .*junk holds no private key in PEM form"),
        (dataclasses.replace(good, key=other[1]), "--tls-key: .*other.key is not the key of .*server.crt"),
        (TlsFiles(*expired, None), "--tls-cert: .*expired.crt: certificate has expired"),
        (dataclasses.replace(good, client_ca=tmp_path), "--tls-client-ca: .*: Is a directory"),
        (dataclasses.replace(good, client_ca=junk), "--tls-client-ca: .*junk holds no certificate"),
    ):
        with pytest.raises(TlsFilesError, match=message) as refused:
            credentials(wrong)
        assert "\n" not in str(refused.value)


async def test_a_renewed_certificate_is_picked_up(
    tmp_path: Path, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    models = ModelRegistry(lambda name, source: pytest.fail("no model is loaded here"))

    class NoJudge:
        capacity = 1

        async def run(self, work: Any, share: Any) -> Any:
            pytest.fail("nothing is judged here")

    front = FrontEnd(NoJudge(), "none", models, Metrics(CollectorRegistry()), MemoryStore(), OpenDoor())
    given = files(tmp_path, authority.sign("server"))
    port = await front.start("127.0.0.1:0", credentials(given))

    async def reached(root: bytes) -> bool:
        options = (("grpc.use_local_subchannel_pool", 1),)
        async with grpc.aio.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(root), options) as channel:
            try:
                await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
            except grpc.aio.AioRpcError as error:
                return error.code() is not grpc.StatusCode.UNAVAILABLE
            return True

    try:
        another = Authority("another")
        assert await reached(authority.certificate)
        assert not await reached(another.certificate)
        with caplog.at_level(logging.INFO):
            given.certificate.write_bytes(b"half a certificate")
            assert await reached(authority.certificate)
            assert caplog.text.count("the TLS certificate stays as it was") == 1
            another.sign("server").write(tmp_path, "server")
            assert await reached(another.certificate)
        assert not await reached(authority.certificate)
    finally:
        hurry = asyncio.Event()
        hurry.set()
        await front.stop(0, hurry)
