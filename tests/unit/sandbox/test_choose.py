"""Which backend a name means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codesieve.workers.errors import SandboxUnavailable
from codesieve.workers.sandbox import choose
from codesieve.workers.sandbox.choose import choose_backend

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("answers", "expected"), [(True, "docker"), (False, "namespaces")])
def test_auto_takes_docker_if_its_engine_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answers: bool, expected: str
) -> None:
    monkeypatch.setattr(choose, "docker_answers", lambda: answers)
    assert choose_backend("auto", None, None, tmp_path).name == expected


def test_a_named_backend_is_taken_without_asking(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(choose, "docker_answers", lambda: pytest.fail("asked"))
    assert choose_backend("docker", "python:3.12-slim", "runsc", tmp_path).name == "docker"
    assert choose_backend("namespaces", None, None, tmp_path).name == "namespaces"


def test_what_makes_no_sense_is_refused_with_the_mend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(choose, "docker_answers", lambda: False)
    with pytest.raises(SandboxUnavailable, match="choose docker, namespaces or auto"):
        choose_backend("podman", None, None, tmp_path)
    with pytest.raises(SandboxUnavailable, match="needs Docker"):
        choose_backend("auto", "python:3.12-slim", None, tmp_path)


def test_an_engine_that_is_not_there_does_not_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert not choose.docker_answers()
