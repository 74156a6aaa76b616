"""codesieve-health: 0 only where the front end says that it serves."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

SCRIPT = Path(__file__).parents[3] / "deploy/docker/health.py"


@pytest.fixture
def front_end() -> Iterator[tuple[str, health.HealthServicer]]:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", servicer
    server.stop(None).wait()


def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_it_tells_serving_from_draining(front_end: tuple[str, health.HealthServicer]) -> None:
    address, servicer = front_end
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    assert ask(address).returncode == 0
    servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    done = ask(address)
    assert (done.returncode, done.stderr) == (1, "codesieve-health: NOT_SERVING\n")


def test_one_line_where_nobody_answers_or_a_file_is_missing() -> None:
    done = ask("127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr.startswith("codesieve-health: 127.0.0.1:1 does not answer: UNAVAILABLE")
    done = ask("127.0.0.1:1", "--ca", "/no/such/ca.crt")
    assert (done.returncode, done.stderr) == (1, "codesieve-health: /no/such/ca.crt: No such file or directory\n")
