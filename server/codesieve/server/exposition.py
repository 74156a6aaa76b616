"""The HTTP endpoint at --metrics-listen: what Prometheus reads of this front end and of everything behind it.

    /metrics                            the front end's own
    /workers/<pool>/<place>/metrics     a worker's, which is asked through Ray when it is scraped
    /targets                            all of these, and Ray's own exporters, for Prometheus' HTTP service discovery

So whoever runs Prometheus names one address only. It is asyncio's own server, since what is read belongs to the event loop;
one request is answered on each connection. A client has a few seconds to ask and to take its answer, and of clients there
are a few at a time, so that no slow one holds up another. What can't be read now is an error of one line, never an empty
answer that looks like a good one.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Protocol

from codesieve.workers.errors import WorkerError
from codesieve.workers.faults import outline

log = logging.getLogger(__name__)

TEXT = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text exposition."""
MAX_CLIENTS = 64
MAX_HEADER_BYTES = 8192
ASK_SECONDS = 5.0
TAKE_SECONDS = 10.0
WORKER_SECONDS = 5.0
"""How long a worker's answer is waited for; less than Prometheus waits for ours, which is 10 s by default."""

_WORKER = re.compile(r"/workers/([A-Za-z0-9._-]{1,200})/([0-9]{1,5})/metrics")
_HOST = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
"""A Host header: a name, an IPv4 or a bracketed IPv6 address, and perhaps a port."""


class TellsMetrics(Protocol):
    """A worker, as far as it is asked here."""

    async def metrics(self) -> bytes: ...


Pools = Mapping[str, Sequence[TellsMetrics | None]]
"""The workers of each pool by their places, None for one that is being started again."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Answer:
    body: bytes
    content_type: str = TEXT
    status: HTTPStatus = HTTPStatus.OK


class _Refused(Exception):
    """There is no good answer."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.answer = _Answer(f"{why}\n".encode(), "text/plain; charset=utf-8", status)


class Exposition:
    """What is served. `own` writes the front end's metrics; `ray` finds the addresses of Ray's exporters."""

    def __init__(
        self,
        own: Callable[[], Awaitable[bytes]],
        pools: Callable[[], Pools],
        ray: Callable[[], Awaitable[Sequence[str]]],
    ) -> None:
        self._own = own
        self._pools = pools
        self._ray = ray
        self._clients: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def serving(self, host: str, port: int) -> AsyncIterator[int]:
        """Serves meanwhile; the port. Raises OSError where it can't listen."""
        server = await asyncio.start_server(self._serve, host, port, limit=MAX_HEADER_BYTES)
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            server.close()
            for client in self._clients:
                client.cancel()
            await asyncio.gather(*self._clients, return_exceptions=True)
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        client = asyncio.current_task()
        assert client is not None
        if len(self._clients) >= MAX_CLIENTS:
            writer.transport.abort()
            return
        self._clients.add(client)
        try:
            answer = await self._answer(reader)
            head = (
                f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\nContent-Type: {answer.content_type}\r\n"
                f"Content-Length: {len(answer.body)}\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode() + answer.body)
            async with asyncio.timeout(TAKE_SECONDS):
                await writer.drain()
                writer.write_eof()
                # Closed with something unread the connection would be reset, and the answer perhaps be lost.
                while await reader.read(MAX_HEADER_BYTES):
                    pass
        except asyncio.CancelledError:
            pass  # the server stops; asyncio's own callback on this task takes a cancelled one for a failure
        except (OSError, EOFError, TimeoutError) as error:  # it is gone, or might as well be
            log.debug("a client of the metrics' endpoint is gone", extra={"error": type(error).__name__})
        finally:
            writer.transport.abort()
            self._clients.discard(client)

    async def _answer(self, reader: asyncio.StreamReader) -> _Answer:
        try:
            path, hosts = await _asked(reader)
            if path == "/metrics":
                return _Answer(await self._own())
            if path == "/targets":
                return await self._targets(_host(hosts))
            if (named := _WORKER.fullmatch(path)) is not None:
                return _Answer(await self._worker(named[1], int(named[2])))
            raise _Refused(HTTPStatus.NOT_FOUND, "here are /metrics, /workers/<pool>/<place>/metrics and /targets")
        except _Refused as refused:
            return refused.answer
        except (OSError, EOFError):
            raise
        except Exception as error:  # noqa: BLE001 - a defect of ours: who asks is told so, and it is seen
            log.error("the metrics' endpoint failed", extra={"error": outline(error)})
            text = b"an unexpected error of the server; its log says more\n"
            return _Answer(text, "text/plain; charset=utf-8", HTTPStatus.INTERNAL_SERVER_ERROR)

    async def _worker(self, pool: str, place: int) -> bytes:
        workers = self._pools().get(pool)
        if workers is None or place >= len(workers):
            raise _Refused(HTTPStatus.NOT_FOUND, "there is no such worker; /targets lists those that there are")
        worker = workers[place]
        who = f"worker {place} of the pool {pool}"
        if worker is None:
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, f"{who} is being started")
        try:
            async with asyncio.timeout(WORKER_SECONDS):
                return await worker.metrics()
        except TimeoutError:
            why = f"{who} has not answered for {WORKER_SECONDS:g} s"
        except WorkerError as error:
            whose = {"pool": pool, "worker": place, "error": error.message}
            log.debug("a worker can't be asked for its metrics", extra=whose)
            why = f"{who} can't be asked: {error.reason}"
        raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, why)

    async def _targets(self, host: str) -> _Answer:
        """As Prometheus' ``http_sd_config`` takes it. `host` is where the asker found this server, so it will again."""
        groups = [{"targets": [host], "labels": {"__metrics_path__": "/metrics", "component": "front-end"}}]
        for pool, workers in self._pools().items():
            for place in range(len(workers)):
                labels = {
                    "__metrics_path__": f"/workers/{pool}/{place}/metrics",
                    "component": "sandbox" if pool == "sandbox" else "generation",
                    "pool": pool,
                    "worker": str(place),
                }
                groups.append({"targets": [host], "labels": labels})
        try:
            async with asyncio.timeout(WORKER_SECONDS):
                exporters = await self._ray()
        except (WorkerError, TimeoutError) as error:
            # Not the list without them: Prometheus keeps the one it has, where it gets none.
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, "Ray can't be asked for its exporters") from error
        if exporters:
            groups.append({"targets": list(exporters), "labels": {"component": "ray"}})
        return _Answer(json.dumps(groups).encode(), "application/json")


async def _asked(reader: asyncio.StreamReader) -> tuple[str, list[str]]:
    """What a client asks for: the path, and its Host headers."""
    try:
        async with asyncio.timeout(ASK_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
    except TimeoutError:
        raise _Refused(HTTPStatus.REQUEST_TIMEOUT, f"no request came within {ASK_SECONDS:g} s") from None
    except asyncio.LimitOverrunError:
        why = f"the request's header is longer than {MAX_HEADER_BYTES} bytes"
        raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, why) from None
    first, *fields = head.decode("latin-1").split("\r\n")
    method, path, http = [*first.split(" "), "", ""][:3]
    if not http.startswith("HTTP/1."):
        raise _Refused(HTTPStatus.BAD_REQUEST, "that is no request of HTTP/1.1")
    if method != "GET":
        raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, "only GET is answered here")
    named = (field.partition(":") for field in fields)
    return path.partition("?")[0], [value.strip() for name, _, value in named if name.lower() == "host"]


def _host(hosts: Sequence[str]) -> str:
    """The one Host header, if it can be one: it goes into the answer."""
    if len(hosts) == 1 and (good := _HOST.fullmatch(hosts[0])) and 0 < int(good[1] or 80) < 65_536:
        return hosts[0]
    raise _Refused(HTTPStatus.BAD_REQUEST, "the Host header must be HOST or HOST:PORT")
