"""Two hundred clients at once, each with a stream and a token of its own: nobody starves, what the front end holds is
bounded, and who is over its quota is told when to come back."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import secrets
import statistics
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2

from codesieve.v1 import judge_pb2, judge_pb2_grpc, types_pb2

CLIENTS = 200
SECONDS = float(os.environ.get("CODESIEVE_LOAD_SECONDS", "30"))
OVER_QUOTA = 10
QUOTA = 5
GROWTH_BYTES = 160 * 2**20
"""What two hundred streams may add to the front end, however long they last."""

OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]
"""Without it all channels of a process to one server share a connection."""

PROBLEM = types_pb2.Problem(
    problem_id="square",
    prompt=b"def square(x):\n",
    entry_point="square",
    check_function=b"def check(candidate):\n    assert candidate(2) == 4\n",
)


class LoadClient:
    """A client that sends as fast as it may, each program another one, until it is stopped or has sent `most`."""

    def __init__(self, target: str, name: str, token: str, most: int | None = None) -> None:
        self.name = name
        self.most = most
        self.answered = 0
        self.refused: grpc.aio.AioRpcError | None = None
        self._target = target
        self._metadata = (("authorization", f"Bearer {token}"),)

    async def run(self) -> None:
        async with grpc.aio.insecure_channel(self._target, options=OWN_CONNECTION) as channel:
            stub = judge_pb2_grpc.JudgeServiceStub(channel)
            try:
                async for answer in stub.Judge(self._requests(), metadata=self._metadata):
                    assert answer.judgement.verdict == types_pb2.Judgement.PASSED, answer
                    self.answered += 1
            except grpc.aio.AioRpcError as error:
                self.refused = error

    async def _requests(self) -> AsyncIterator[judge_pb2.JudgeRequest]:
        setup = judge_pb2.JudgeSetup()
        setup.problems.inline.problems.append(PROBLEM)
        yield judge_pb2.JudgeRequest(setup=setup)
        for i in itertools.count() if self.most is None else range(self.most):
            completion = f"    return x * x  # {self.name} {i}\n".encode()
            yield judge_pb2.JudgeRequest(
                item=judge_pb2.JudgeItem(id=str(i), problem_id="square", completion=completion)
            )
        await asyncio.Event().wait()  # it could send more


def tokens_file(path: Path, tokens: dict[str, str]) -> Path:
    stanzas = []
    for name, token in tokens.items():
        quota = f"samples_per_day = {QUOTA}\n" if name.startswith("over") else ""
        digest = hashlib.sha256(token.encode()).hexdigest()
        stanzas.append(f'[[token]]\nname = "{name}"\nsha256 = "{digest}"\nscopes = ["submit", "read"]\n{quota}')
    path.write_text("\n".join(stanzas), encoding="utf-8")
    return path


def retry_seconds(error: grpc.aio.AioRpcError) -> float:
    metadata: Any = dict(error.trailing_metadata() or ())
    for detail in status_pb2.Status.FromString(metadata["grpc-status-details-bin"]).details:
        info = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            return float(info.retry_delay.ToTimedelta().total_seconds())
    raise AssertionError("there is no RetryInfo")


@pytest.fixture
def tokens() -> dict[str, str]:
    names = [f"client-{i}" for i in range(CLIENTS)] + [f"over-{i}" for i in range(OVER_QUOTA)]
    return {name: secrets.token_urlsafe(32) for name in names}


@pytest.mark.timeout(SECONDS + 180)
@pytest.mark.namespaces
async def test_two_hundred_clients_share_evenly_within_bounded_memory(
    start_server: Callable[..., Any], tmp_path: Path, tokens: dict[str, str]
) -> None:
    file = tokens_file(tmp_path / "tokens.toml", tokens)
    server = start_server("--sandbox", "namespaces", "--tokens", str(file))
    clients = [
        # One more than the quota: what is sent to a stream that was refused hides its status from grpc.aio.
        LoadClient(server.address, name, token, most=QUOTA + 1 if name.startswith("over") else None)
        for name, token in tokens.items()
    ]
    before = server.resident_bytes()
    running = [asyncio.create_task(client.run()) for client in clients]
    held = []
    for _ in range(round(SECONDS)):
        await asyncio.sleep(1)
        held.append(server.resident_bytes())
    counts = [client.answered for client in clients if client.name.startswith("client")]
    trouble = [client.refused for client in clients if client.name.startswith("client") and client.refused]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)

    mean = statistics.mean(counts)
    print(  # noqa: T201 - shown with -s, or where it fails
        f"{sum(counts) / SECONDS:.0f} programs/s by {len(counts)} clients in {SECONDS:.0f} s: mean {mean:.1f} each, "
        f"fewest {min(counts)}, most {max(counts)}; front end {before / 2**20:.0f} MiB before, "
        f"{held[len(held) // 2] / 2**20:.0f} at half time, at most {max(held) / 2**20:.0f}"
    )
    assert not trouble
    assert min(counts) >= mean / 2
    assert max(held) - before < GROWTH_BYTES
    for client in clients:
        if client.name.startswith("over"):
            assert client.answered == QUOTA
            assert client.refused is not None
            assert client.refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert retry_seconds(client.refused) > 0
