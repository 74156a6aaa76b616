"""The endpoint for Prometheus, over workers of this process."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from codesieve.server import exposition
from codesieve.server.exposition import Exposition, TellsMetrics
from codesieve.server.metrics import Metrics
from codesieve.workers.errors import WorkerError, WorkerLost


class Telling:
    """A worker that answers, or fails."""

    def __init__(self, says: bytes | Exception) -> None:
        self.says = says

    async def metrics(self) -> bytes:
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


class Silent:
    """A worker that never answers."""

    async def metrics(self) -> bytes:
        await asyncio.Event().wait()
        return b""


class Endpoint:
    """An endpoint, and a client of it."""

    def __init__(self) -> None:
        self.pools: dict[str, list[TellsMetrics | None]] = {
            "sandbox": [Telling(b"codesieve_cell_resets_total 3.0\n"), None],
            "generation-tiny.1": [Silent(), Telling(WorkerLost("its secret path")), Telling(RuntimeError("a defect"))],
        }
        self.ray: Sequence[str] | Exception = ("192.0.2.1:1234",)
        self.port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Endpoint]:
        served = Exposition(Metrics(CollectorRegistry()).exposition, lambda: self.pools, self._exporters)
        async with asyncio.timeout(30), served.serving("127.0.0.1", 0) as self.port:
            yield self

    async def _exporters(self) -> Sequence[str]:
        if isinstance(self.ray, Exception):
            raise self.ray
        return self.ray

    async def send(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """What is answered to these bytes: status, headers, body."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            answer = await reader.read()
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)
        head, _, body = answer.partition(b"\r\n\r\n")
        first, *fields = head.decode().split("\r\n")
        headers = dict(field.split(": ", 1) for field in fields)
        assert int(headers["Content-Length"]) == len(body)
        return int(first.split()[1]), headers, body

    async def get(self, path: str, host: str = "front:9464") -> tuple[int, str]:
        status, _, body = await self.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        return status, body.decode()

    async def targets(self) -> list[dict[str, Any]]:
        status, headers, body = await self.send(b"GET /targets HTTP/1.1\r\nHost: front:9464\r\n\r\n")
        assert (status, headers["Content-Type"]) == (200, "application/json")
        found: list[dict[str, Any]] = json.loads(body)
        return found


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint().serving() as endpoint:
        yield endpoint


async def test_the_front_ends_own(endpoint: Endpoint) -> None:
    status, headers, body = await endpoint.send(b"GET /metrics?x=1 HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n")
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b'codesieve_build_info{component="front-end",version="' in body
    assert b"\nprocess_resident_memory_bytes " in body
    assert b'\ncodesieve_queue_depth{hop="client"} 0.0\n' in body


async def test_a_workers_own_is_handed_through(endpoint: Endpoint) -> None:
    assert await endpoint.get("/workers/sandbox/0/metrics") == (200, "codesieve_cell_resets_total 3.0\n")


async def test_a_worker_that_can_not_answer_is_never_a_good_answer(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(exposition, "WORKER_SECONDS", 0.05)
    answers = [
        await endpoint.get(f"/workers/{worker}/metrics")
        for worker in ("sandbox/1", "generation-tiny.1/0", "generation-tiny.1/1", "generation-tiny.1/2")
    ]
    assert answers == [
        (503, "worker 1 of the pool sandbox is being started\n"),
        (503, "worker 0 of the pool generation-tiny.1 has not answered for 0.05 s\n"),
        (503, "worker 1 of the pool generation-tiny.1 can't be asked: WORKER_LOST\n"),
        (500, "an unexpected error of the server; its log says more\n"),
    ]
    assert "RuntimeError at test_exposition.py" in caplog.records[-1].error  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/metrics/",
        "//metrics",
        "/workers/sandbox/2/metrics",
        "/workers/sandbox/-1/metrics",
        "/workers/sandbox/0/metrics%00",
        "/workers/none/0/metrics",
        "/workers/../0/metrics",
        "/workers/" + "a" * 300 + "/0/metrics",
    ],
)
async def test_what_is_not_there_is_not_found(endpoint: Endpoint, path: str) -> None:
    status, text = await endpoint.get(path)
    assert (status, text.count("\n")) == (404, 1)


@pytest.mark.parametrize("host", ["front", "front:9464", "10.0.0.1:80", "[::1]:9464", "a_b.example-c:1"])
async def test_the_targets_are_where_the_asker_found_us(endpoint: Endpoint, host: str) -> None:
    status, text = await endpoint.get("/targets", host)
    assert status == 200
    assert json.loads(text)[0]["targets"] == [host]


async def test_every_worker_and_rays_exporters_are_targets(endpoint: Endpoint) -> None:
    first, *workers, ray = await endpoint.targets()
    assert first == {
        "targets": ["front:9464"],
        "labels": {"__metrics_path__": "/metrics", "component": "front-end"},
    }
    assert [tuple(one["labels"].values()) for one in workers] == [
        ("/workers/sandbox/0/metrics", "sandbox", "sandbox", "0"),
        ("/workers/sandbox/1/metrics", "sandbox", "sandbox", "1"),
        ("/workers/generation-tiny.1/0/metrics", "generation", "generation-tiny.1", "0"),
        ("/workers/generation-tiny.1/1/metrics", "generation", "generation-tiny.1", "1"),
        ("/workers/generation-tiny.1/2/metrics", "generation", "generation-tiny.1", "2"),
    ]
    assert list(workers[0]["labels"]) == ["__metrics_path__", "component", "pool", "worker"]
    assert ray == {"targets": ["192.0.2.1:1234"], "labels": {"component": "ray"}}
    endpoint.ray = ()
    assert {one["labels"]["component"] for one in await endpoint.targets()} == {"front-end", "sandbox", "generation"}


async def test_targets_are_not_told_in_part(endpoint: Endpoint) -> None:
    endpoint.ray = WorkerError("no")
    assert await endpoint.get("/targets") == (503, "Ray can't be asked for its exporters\n")


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        ["a", "b"],
        [""],
        ['a"b'],
        ["a b"],
        ["a/b"],
        ["user@a"],
        ["a:0"],
        ["a:65536"],
        ["a:x"],
        ["a:1:2"],
        ["::1"],
        ["[::1"],
        ["-a"],
        ["a" * 300],
        ["\xe4"],
        ["a\x00"],
        ["a\nb: c"],
        ["a,b"],
        ["$(a)"],
    ],
)
async def test_a_host_that_can_not_be_one_is_refused(endpoint: Endpoint, hosts: list[str]) -> None:
    fields = "".join(f"Host: {host}\r\n" for host in hosts)
    status, _, body = await endpoint.send(f"GET /targets HTTP/1.1\r\n{fields}\r\n".encode("latin-1"))
    assert (status, body) == (400, b"the Host header must be HOST or HOST:PORT\n")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"POST /metrics HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        (b"\x16\x03\x01\x02\r\n\r\n", 400),
        (b"GET /metrics\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431),
    ],
)
async def test_what_is_no_request_is_refused(endpoint: Endpoint, request_: bytes, expected: int) -> None:
    assert (await endpoint.send(request_))[0] == expected


async def test_clients_that_never_ask_hold_up_nobody_and_are_sent_away(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exposition, "ASK_SECONDS", 0.5)
    monkeypatch.setattr(exposition, "MAX_CLIENTS", 8)
    slow = [await asyncio.open_connection("127.0.0.1", endpoint.port) for _ in range(7)]
    for _, writer in slow:
        writer.write(b"GET /metrics HTTP/1.1\r\n")
    assert (await endpoint.get("/metrics"))[0] == 200
    slow.append(await asyncio.open_connection("127.0.0.1", endpoint.port))
    many = [await asyncio.open_connection("127.0.0.1", endpoint.port) for _ in range(20)]
    for reader, writer in many:
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
    for reader, writer in slow:
        assert b"408 Request Timeout" in await reader.read()
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for _, writer in (*slow, *many)), return_exceptions=True)
    assert (await endpoint.get("/metrics"))[0] == 200


async def test_a_client_that_takes_no_answer_does_not_keep_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = Endpoint()
    endpoint.pools["sandbox"][0] = Telling(b"# \n" * 10_000_000)
    async with endpoint.serving():
        reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
        writer.write(b"GET /workers/sandbox/0/metrics HTTP/1.1\r\nHost: h\r\n\r\n")
        assert await reader.readexactly(12) == b"HTTP/1.1 200"
    # Stopped while that answer was being taken, and nothing is left of it.
    assert asyncio.all_tasks() == {asyncio.current_task()}
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
