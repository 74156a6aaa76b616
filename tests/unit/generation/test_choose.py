"""Which engine a source stands for, and what is said of one of no known form."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesieve.workers.errors import ModelNotFound
from codesieve.workers.generation.choose import engine_for, engine_name, model_id


@pytest.mark.parametrize(
    ("source", "engine", "identifier"),
    [
        ("smollm2", "vllm", "smollm2"),
        ("SmolLM2-135M-Instruct", "vllm", "smollm2"),
        ("/models/My Model/", "vllm", "My-Model"),
        ("http://127.0.0.1:8000/v1", "openai", "127.0.0.1-8000"),
        ("https://user:secret@host/v1", "openai", "host"),
        ("http://host/v1#org/Model-7B", "openai", "org-Model-7B"),
        ("replay:/data/samples.jsonl", "replay", "replay-samples"),
        ("/", "vllm", "vllm"),
    ],
)
def test_the_forms_of_a_source(source: str, engine: str, identifier: str) -> None:
    assert (engine_name(source), model_id(source)) == (engine, identifier)


def test_an_engine_is_made_for_each_form(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    sources = [f"replay:{tmp_path}/s.jsonl", "http://127.0.0.1:1/v1", str(tmp_path)]
    assert [engine_for(source).name for source in sources] == ["replay", "openai", "vllm"]


@pytest.mark.parametrize("source", ["", "gpt-17", "replay:", "http://", "ftp://host/file"])
def test_a_source_of_no_known_form_is_answered_with_the_forms(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelNotFound, match='"replay:FILE"'):
        engine_for(source)
