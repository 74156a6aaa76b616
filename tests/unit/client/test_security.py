"""Tokens and encryption: what goes over the wire, and what is refused before anything does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from codesieve.client import AsyncClient, Client, InvalidRequest, Retry, Security, Unavailable
from codesieve.client.security import is_loopback

NEVER = Retry(give_up_after_seconds=0)


@pytest.mark.parametrize(
    ("target", "here"),
    [
        ("127.0.0.1:7420", True),
        ("127.8.9.1:1", True),
        ("localhost:7420", True),
        ("[::1]:7420", True),
        ("::1", True),
        ("unix:/run/codesieve", True),
        ("dns:///localhost:7420", True),
        ("ipv4:127.0.0.1:7420", True),
        ("10.0.0.5:7420", False),
        ("localhost.example.org:7420", False),
        ("127.0.0.1.example.org:7420", False),
        ("[::2]:7420", False),
        ("gpu-host", False),
        ("dns:///10.0.0.5:7420", False),
        ("ipv4:127.0.0.1:7420,10.0.0.5:7420", False),
        ("", False),
    ],
)
def test_this_machine_is_known_by_its_names(target: str, here: bool) -> None:
    assert is_loopback(target) is here


def test_a_token_is_not_sent_where_others_read_it() -> None:
    with pytest.raises(InvalidRequest, match=r"token: is not sent to 10\.0\.0\.5:7420 unencrypted.*set tls or ca"):
        Client("10.0.0.5:7420", security=Security(token="secret"))
    for allowed in (Security(token="secret", token_in_clear=True), Security(token="secret", tls=True)):
        Client("10.0.0.5:7420", security=allowed).close()


@pytest.mark.parametrize("token", ["two words", "line\n", "bj\u00f6rn", "x" * 5000])
def test_what_cannot_be_a_token_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^token: is not one") as raised:
        Client("127.0.0.1:1", security=Security(token=token))
    assert token not in str(raised.value)
    assert token not in repr(Security(token=token))


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("hello")
    for security, message in (
        (Security(ca=tmp_path / "none.pem"), r"ca: .*none\.pem can't be read: No such file"),
        (Security(ca=str(tmp_path / "x.pem")), r"ca: .*x\.pem is not PEM"),
        (Security(ca=b"hello"), "ca: the bytes given is not PEM"),
        (Security(key=b"-----BEGIN "), "certificate: is missing"),
        (Security(certificate=b"-----BEGIN "), "key: is missing"),
    ):
        with pytest.raises(InvalidRequest, match=message):
            Client("localhost:1", security=security)


def test_the_token_goes_with_every_call(fake: Any) -> None:
    with Client(fake.target, security=Security(token="secret")) as client:
        client.run("humaneval")
    assert [each.get("authorization") for each in fake.sent_metadata] == ["Bearer secret"] * 2

    async def run() -> None:
        async with AsyncClient(fake.target, security=Security(token="other")) as client:
            await client.jobs.list()

    asyncio.run(run())
    assert fake.sent_metadata[-1]["authorization"] == "Bearer other"


def test_both_sides_prove_who_they_are(locked: Any, certificates: Any) -> None:
    certificate, key = certificates.client
    security = Security("secret", ca=certificates.ca, certificate=str(certificate), key=key.read_bytes())
    with Client(locked.target, security=security, retry=NEVER) as client:
        client.wait_until_ready()
        client.jobs.list()
    assert locked.sent_metadata[-1]["authorization"] == "Bearer secret"

    async def run() -> None:
        async with AsyncClient(locked.target, security=security, retry=NEVER) as client:
            await client.jobs.list()

    asyncio.run(run())
    assert locked.calls == ["ListJobs"] * 2


def test_a_server_that_is_not_known_gets_nothing(locked: Any, certificates: Any) -> None:
    for security in (Security("secret", tls=True), Security(ca=certificates.ca), Security()):
        with Client(locked.target, security=security, retry=NEVER) as client, pytest.raises(Unavailable):
            client.jobs.list()
    assert locked.sent_metadata == []
