"""The wire's habits: committed stubs are what the generator makes, and the protos keep the promises they open with.

The generator (grpcio-tools) needs another protobuf than the rest and so lives in ``.venv-proto``, which ``make proto``
makes. CODESIEVE_PROTOC_PYTHON names another interpreter that has it.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor, EnumDescriptor, FileDescriptor

ROOT = Path(__file__).parents[2]
PROTO_DIRECTORY = ROOT / "proto" / "codesieve" / "v1"
PROTOS = sorted(PROTO_DIRECTORY.glob("*.proto"))
STATUS_CODES = {code.name for code in grpc.StatusCode}
# Program text: hostile text holds NULs and lone surrogates that a proto string refuses.
PROGRAM_TEXT = {
    *("completion", "prompt", "canonical_solution", "stdin", "stdout", "stderr"),
    *("check_function", "assertions", "setup", "checker", "script"),
    *("TestResult.name", "input", "output"),
}
# What they answer can't fail for a reason of their own.
NEVER_FAIL = {"ListModels"}


def test_stubs_are_what_the_generator_makes(tmp_path: Path) -> None:
    python = Path(os.environ.get("CODESIEVE_PROTOC_PYTHON", ROOT / ".venv-proto" / "bin" / "python"))
    if not python.exists():
        message = f"no stub generator: {python} doesn't exist; `make proto` makes it"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    outputs = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    protos = [str(path.relative_to(ROOT)) for path in PROTOS]
    command = [str(python), "-m", "grpc_tools.protoc", "-Iproto", *outputs, *protos]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    made = {path.name: path.read_bytes() for path in (tmp_path / "codesieve" / "v1").iterdir()}
    committed = {path.name: path.read_bytes() for path in PROTO_DIRECTORY.glob("*_pb2*.py*")}
    assert sorted(made) == sorted(committed)
    stale = [name for name, content in made.items() if committed[name] != content]
    assert not stale, f"stale stubs: {stale}; run `make proto` and commit what it changes"


def descriptors() -> list[FileDescriptor]:
    modules = [importlib.import_module(f"codesieve.v1.{path.stem}_pb2") for path in PROTOS]
    return [module.DESCRIPTOR for module in modules]


def messages() -> Iterator[Descriptor]:
    waiting = [message for file in descriptors() for message in file.message_types_by_name.values()]
    while waiting:
        message = waiting.pop()
        waiting.extend(message.nested_types)
        yield message


def enums() -> Iterator[EnumDescriptor]:
    for file in descriptors():
        yield from file.enum_types_by_name.values()
    for message in messages():
        yield from message.enum_types


def rpc_comments() -> dict[str, list[str]]:
    """The comment lines of each rpc, by its name. Rpcs that follow each other without a gap share one comment."""
    comments: dict[str, list[str]] = {}
    for path in PROTOS:
        comment: list[str] = []
        shared: list[str] = []
        for line in path.read_text().splitlines():
            text = line.strip()
            if text.startswith("//"):
                comment.append(text.removeprefix("//").strip())
            elif found := re.match(r"rpc (\w+)\(", text):
                shared = comment or shared
                comments[found[1]] = shared
                comment = []
            else:
                comment, shared = [], []
    return comments


def test_every_rpc_lists_its_status_codes() -> None:
    comments = rpc_comments()
    methods = [
        method.name
        for file in descriptors()
        for service in file.services_by_name.values()
        for method in service.methods
    ]
    assert sorted(comments) == sorted(methods)
    for name, lines in comments.items():
        codes = [found[1] for line in lines if (found := re.match(r"([A-Z][A-Z_]+) +\S", line))]
        assert set(codes) <= STATUS_CODES, f"{name}: {set(codes) - STATUS_CODES} is no gRPC status code"
        assert len(codes) == len(set(codes)), f"{name}: a code is listed twice"
        assert "OK" in codes, f"{name} doesn't say what OK means"
        assert (len(codes) == 1) == (name in NEVER_FAIL), f"{name} lists {codes}"


def test_every_enums_zero_is_unspecified() -> None:
    found = list(enums())
    assert found
    for enum in found:
        snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper()
        assert enum.values_by_number[0].name == f"{snake}_UNSPECIFIED", enum.full_name


def test_program_text_is_bytes() -> None:
    scalars = [
        (name, field)
        for message in messages()
        for field in message.fields
        for name in (field.name, f"{message.name}.{field.name}")
        if name in PROGRAM_TEXT and field.type != FieldDescriptor.TYPE_MESSAGE
    ]
    assert {name for name, _ in scalars} == PROGRAM_TEXT
    strings = [field.full_name for _, field in scalars if field.type != FieldDescriptor.TYPE_BYTES]
    assert not strings
