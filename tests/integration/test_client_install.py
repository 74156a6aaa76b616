"""The light client in an environment that holds grpcio, protobuf and codesieve and nothing else."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys
import textwrap
import venv
from pathlib import Path

import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

ROOT = Path(__file__).parents[2]

# What isn't the standard library's, of all that is loaded.
LOADED = """
import json, sys
before = set(sys.modules)
import codesieve.client
print(sorted(name for name in set(sys.modules) - before if name.partition(".")[0] == "grpc"))
codesieve.client.Client, codesieve.client.AsyncClient, codesieve.client.Generation
tops = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps(sorted(tops - set(sys.stdlib_module_names))))
"""


def run(python: str, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [python, "-c", textwrap.dedent(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd="/")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with the two dependencies as they are installed here, and this tree's client and wire."""
    home = tmp_path_factory.mktemp("bare")
    venv.create(home, with_pip=False, symlinks=True)
    (site,) = home.glob("lib/python*/site-packages")
    for name in ("grpcio", "protobuf", "typing_extensions"):
        for file in importlib.metadata.files(name) or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), site / file)
    (site / "codesieve.pth").write_text(f"{ROOT / 'client'}\n{ROOT / 'proto'}\n")
    return str(home / "bin" / "python")


def test_nothing_but_grpcio_and_protobuf_is_needed(bare: str) -> None:
    done = run(bare, LOADED)
    assert done.returncode == 0, done.stderr


def test_nothing_else_is_loaded_where_more_is_installed() -> None:
    """Here click, rich, numpy and ray could be loaded, if somebody imported them."""
    done = run(sys.executable, LOADED)
    assert done.returncode == 0, done.stderr
    at_once, in_all = done.stdout.splitlines()
    assert at_once == "[]"
    # grpc looks for its own sister packages, and takes them along where they are.
    allowed = {"codesieve", "grpc", "google", "typing_extensions", "cython_runtime"}
    allowed |= {"grpc_health", "grpc_reflection", "grpc_status"}
    assert {name for name in json.loads(in_all) if not name.startswith("_cython_")} <= allowed


def test_the_command_says_what_is_missing(bare: str) -> None:
    done = run(bare, "from codesieve.client.cli import main; main()", "run", "humaneval")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "codesieve: the command line needs click and rich; install it with: pip install 'codesieve[cli]'\n"
    )


def test_error_details_are_read_without_googles_packages(bare: str) -> None:
    wrong = error_details_pb2.BadRequest.FieldViolation(field="job.k[0]", description="must be at least 1")
    details = [error_details_pb2.BadRequest(field_violations=[wrong]), error_details_pb2.ErrorInfo(reason="INVALID")]
    packed = [any_pb2.Any() for _ in details]
    for one, detail in zip(packed, details, strict=True):
        one.Pack(detail)
    status = status_pb2.Status(code=3, message="no", details=packed)
    script = """
        import sys, grpc
        from codesieve.client import errors
        class Failed(grpc.RpcError):
            def code(self): return grpc.StatusCode.INVALID_ARGUMENT
            def details(self): return "no"
            def trailing_metadata(self): return (("grpc-status-details-bin", bytes.fromhex(sys.argv[1])),)
        error = errors.from_rpc_error(Failed(), "here")
        print(type(error).__name__, error.reason, error.violations)
    """
    done = run(bare, script, status.SerializeToString().hex())
    assert done.stdout == "InvalidRequest INVALID (('job.k[0]', 'must be at least 1'),)\n", done.stderr
