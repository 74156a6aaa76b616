"""The shape of the house: imports run one way, portions stay namespace portions, modules stay small."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PORTIONS = {"proto": "v1", "client": "client", "server": "server", "workers": "workers"}
MODULES = sorted(
    path
    for portion in PORTIONS
    for path in (ROOT / portion / "codesieve").rglob("*.py")
    if not path.stem.endswith(("_pb2", "_pb2_grpc"))
)
MAX_LINES = 450
OPTIONAL = {"opentelemetry"}
HEAVY = OPTIONAL | {"ray", "vllm", "torch", "docker", "openai", "grpc", "google"}


def test_imports_run_one_way() -> None:
    linter = Path(sysconfig.get_path("scripts")) / "lint-imports"
    done = subprocess.run([str(linter), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize(("portion", "package"), PORTIONS.items())
def test_portions_are_namespace_portions(portion: str, package: str) -> None:
    # An __init__.py in one portion would hide the three others.
    namespace = ROOT / portion / "codesieve"
    assert [path.name for path in namespace.iterdir() if path.name != "__pycache__"] == [package]
    assert (namespace / package / "py.typed").is_file()


def test_modules_are_found() -> None:
    assert len(MODULES) > len(PORTIONS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_are_small(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines < MAX_LINES, f"{lines} lines; under {MAX_LINES} is the rule: split it"


@pytest.mark.parametrize("module", ["server.__main__", "workers.generation.worker", "client.cli.app"])
def test_what_is_off_by_default_is_not_loaded(module: str) -> None:
    script = f"import sys, codesieve.{module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not OPTIONAL & set(done.stdout.split())


@pytest.mark.parametrize(
    "module", ["codesieve.server.evaluation.report", "codesieve.workers.types", "codesieve.workers.sandbox.judge"]
)
def test_light_modules_load_nothing_heavy(module: str) -> None:
    script = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not HEAVY & set(done.stdout.split())
