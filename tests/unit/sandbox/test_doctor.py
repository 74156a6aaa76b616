"""The doctor: everything is looked at, and what is missing comes with its mend."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from codesieve.workers import doctor

NAMES = ["python", "docker", "gvisor", "namespaces", "cgroups", "gpu", "vllm", "ray", "model"]


def test_it_prints_one_json_list() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "codesieve.workers.doctor"], capture_output=True, text=True, check=True
    )
    checks = [doctor.Check(**found) for found in json.loads(done.stdout)]
    assert [check.name for check in checks] == NAMES
    assert checks[0].ok
    for check in checks:
        assert check.detail
        assert "\n" not in check.detail + check.mend
        assert check.ok == (check.mend == "")


def test_with_nothing_there_everything_has_a_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = {check.name: check for check in doctor.checks()}
    for name in ("docker", "gvisor", "namespaces", "gpu", "vllm", "ray"):
        assert not found[name].ok
        assert found[name].mend
    assert "start dockerd" in found["docker"].mend


def test_an_old_python_is_refused() -> None:
    assert not doctor.check_python((3, 10, 9)).ok
