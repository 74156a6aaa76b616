"""Weights over the command line, Ray and vLLM: loaded, demanded, and still there when the worker was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.checkpoints import digest_by_the_shell, make_adapter, make_checkpoint

from codesieve.workers.generation import models

CODESIEVE = str(Path(sys.executable).with_name("codesieve"))

pytestmark = [pytest.mark.vllm, pytest.mark.namespaces, pytest.mark.filterwarnings("ignore")]


def test_a_killed_worker_comes_back_with_the_weights_that_were_loaded(
    start_server: Callable[..., Any], tmp_path: Path
) -> None:
    first = models.resolve("smollm2")
    (checkpoint := tmp_path / "step-1").mkdir()
    (adapter := tmp_path / "policy").mkdir()
    make_checkpoint(first, checkpoint)
    make_adapter(first, adapter, 4)
    server = start_server("--sandbox", "namespaces", "--model", "smollm2", "--max-lora-rank", "4")

    def codesieve(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [CODESIEVE, *arguments, "--server", server.address, "--json"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=280)

    def samples(out: str, *arguments: str) -> list[dict[str, Any]]:
        run = ("run", "humaneval", "--limit", "2", "-t", "0", "--max-tokens", "16", "--out", out)
        done = codesieve(*run, *arguments)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in (tmp_path / out / "samples.jsonl").read_text().splitlines()]

    def digest_of(out: str) -> str | None:
        engine = json.loads((tmp_path / out / "report.json").read_text())["provenance"]["engine"]
        digest: str | None = engine["weights_digest"]
        return digest

    def told(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
        return sorted((row["task_id"], row["completion"]) for row in rows)

    before = samples("before")
    assert {row["weights_version"] for row in before} == {"0"}
    assert digest_of("before") == digest_by_the_shell(first)
    done = codesieve("models", "load-weights", "smollm2", str(checkpoint), "--weights-version", "step-1")
    assert json.loads(done.stdout)["weights_version"] == "step-1", done.stderr
    assert codesieve("models", "load-adapter", "smollm2", "policy", str(adapter)).returncode == 0
    loaded = samples("loaded", "--weights-version", "step-1")
    adapted = samples("adapted", "--adapter", "policy")
    assert {row["weights_version"] for row in loaded} == {"step-1"}
    assert digest_of("loaded") == digest_by_the_shell(tmp_path / "step-1")
    assert {(row["weights_version"], row["adapter"]) for row in adapted} == {("step-1", "policy")}
    assert told(loaded) != told(before)

    for pid in server.descendants("ray::_Host"):
        os.kill(pid, signal.SIGKILL)
    assert told(samples("again", "--weights-version", "step-1")) == told(loaded)
    assert digest_of("again") == digest_of("loaded")
    assert told(samples("adapted-again", "--weights-version", "step-1", "--adapter", "policy")) == told(adapted)

    refused = codesieve("run", "humaneval", "--limit", "1", "--weights-version", "0")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "models/smollm2 has the weights step-1 now, not 0" in refused.stderr
