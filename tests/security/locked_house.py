"""A front end that is locked (mutual TLS, tokens, quotas) behind a real socket, and clients of all kinds for it."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import json
import threading
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import grpc
import hostile
from prometheus_client import CollectorRegistry
from tests.certificates import DAY, Authority

from codesieve.server.factories import generation_worker
from codesieve.server.front import FrontEnd
from codesieve.server.jobs.memory import MemoryStore
from codesieve.server.metrics import Metrics
from codesieve.server.models import ModelRegistry
from codesieve.server.pools import Pool
from codesieve.server.sharing import Share
from codesieve.server.tls import TlsFiles, credentials
from codesieve.server.tokens import TokenDoor
from codesieve.workers.types import Integrity, Judgement, Program, Verdict

TOKENS = {
    "attacker": ("attacker", ["submit", "read"]),
    "admin": ("operator", ["submit", "read", "admin"]),
    "reader": ("attacker", ["read"]),
    "expired": ("attacker", ["submit", "read"]),
    "victim": ("victim", ["submit", "read"]),
}
ResultT = TypeVar("ResultT")


class AnyJudge:
    """FAILED for everything, at once."""

    capacity = 8

    async def run(self, work: Program, share: Share) -> Judgement:
        await asyncio.sleep(0)
        return Judgement(work.work_id, Verdict.FAILED, Integrity.SPLIT)


def token(who: str) -> tuple[tuple[str, str], ...]:
    if who == "nobody":
        return ()
    if who == "garbled":
        return (("authorization", f"Basic {hostile.CANARY.encode().hex()}"),)
    return (("authorization", f"Bearer token-{who if who not in hostile.WITHOUT_CONNECTION else 'attacker'}"),)


def tokens_file(directory: Path) -> Path:
    lines = []
    for who, (name, scopes) in TOKENS.items():
        digest = hashlib.sha256(f"token-{who}".encode()).hexdigest()
        lines += ["[[token]]", f'name = "{name}"', f'sha256 = "{digest}"', f"scopes = {json.dumps(scopes)}"]
        lines += ["jobs = 4", "samples_in_flight = 8", "samples_per_day = 1000000"]
        lines += ["expires = 2020-01-01T00:00:00Z"] if who == "expired" else []
    file = directory / "tokens.toml"
    file.write_text("\n".join(lines))
    return file


class House:
    """A locked front end in a thread of its own, and one channel for each kind of client.

    The clients are not grpc.aio's: it calls a refusal that comes while it is sending an internal error.
    """

    def __init__(self, directory: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.answers = dict.fromkeys(hostile.WHO, 0)
        ours, others = Authority(), Authority("another")
        (directory / "ca.crt").write_bytes(ours.certificate)
        files = TlsFiles(*ours.sign("server").write(directory, "server"), directory / "ca.crt")
        self._models = ModelRegistry(lambda name, source: Pool("generation", lambda: generation_worker(source), 1))
        self._door = TokenDoor(tokens_file(directory), lambda: datetime.datetime.now(datetime.UTC))
        self.front, port = self.run(self._serve(files))
        pairs = {
            "attacker": ours.sign("client"),
            "expired certificate": ours.sign("client", -DAY),
            "other authority": others.sign("client"),
        }
        where = f"localhost:{port}"
        options = (("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1))
        self.channels = {"plain text": grpc.insecure_channel(where, options)}
        for who, pair in pairs.items():
            how = grpc.ssl_channel_credentials(ours.certificate, pair.key, pair.certificate)
            self.channels[who] = grpc.secure_channel(where, how, options)
        how = grpc.ssl_channel_credentials(ours.certificate)
        self.channels["no certificate"] = grpc.secure_channel(where, how, options)

    async def _serve(self, files: TlsFiles) -> tuple[FrontEnd, int]:
        metrics = Metrics(CollectorRegistry())
        front = FrontEnd(AnyJudge(), "none", self._models, metrics, MemoryStore(), self._door)
        return front, await front.start("127.0.0.1:0", credentials(files))

    def run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Has something done where the server is."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def call(
        self, path: str, who: str, *messages: bytes, metadata: tuple[tuple[str, str], ...] = (), break_off: bool = False
    ) -> list[bytes]:
        """What is answered; raises grpc.RpcError."""

        def sending() -> Iterator[bytes]:
            yield from messages
            if break_off:
                time.sleep(0.003)
                begun.wait()  # grpc asks for messages in a thread of its own
                call.cancel()

        begun = threading.Event()
        metadata = (*metadata, *token(who))
        channel = self.channels.get(who, self.channels["attacker"])
        method: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(path)
        call = method(sending(), metadata=metadata, timeout=30)
        begun.set()
        answers = []
        for answer in call:
            answers.append(answer)
            if path == "/grpc.health.v1.Health/Watch":
                call.cancel()  # there is no end to it
                break
        return answers

    def close(self) -> None:
        for channel in self.channels.values():
            channel.close()
        hurry = asyncio.Event()
        hurry.set()
        self.run(self.front.stop(0, hurry))
        self.run(self._models.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()
