"""What every engine keeps to: a replay, an OpenAI-compatible endpoint over HTTP, vLLM's own server, and vLLM itself, the
latter two with the small real model.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.asking import request
from tests.integration.endpoint import CHAT, RECORDED, Endpoint
from tests.ports import free_port

from codesieve.workers.generation import models
from codesieve.workers.generation.choose import engine_for
from codesieve.workers.generation.engine import Engine, TellsOrigin
from codesieve.workers.types import FinishReason, PromptForm

# Importing torch and vLLM warns of much that isn't ours to mend.
VLLM = (pytest.mark.vllm, pytest.mark.filterwarnings("ignore"))


@pytest.fixture(scope="module")
def vllm_engine() -> Iterator[Engine]:
    engine = engine_for("smollm2")
    asyncio.run(engine.start())
    yield engine
    asyncio.run(engine.stop())


SERVER_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "TORCH_COMPILE_DISABLE": "1",
}
SERVER_OPTIONS = ["--served-model-name", "smol", "--host", "127.0.0.1", "--enforce-eager", "--max-model-len", "1024"]
# A prompt that is taken in parts would kill it: see `_build` of the vllm engine.
SERVER_OPTIONS += ["--max-num-seqs", "8", "--no-enable-chunked-prefill", "--max-num-batched-tokens", "2048"]


@pytest.fixture(scope="module")
def vllm_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of vLLM's, as someone may run one already; its URL."""
    port = free_port()
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(models.resolve("smollm2"))]
    said = tmp_path_factory.mktemp("vllm") / "said"
    with said.open("wb") as log:
        server = subprocess.Popen(
            [*command, *SERVER_OPTIONS, "--port", str(port)],
            env={**os.environ, **SERVER_ENVIRONMENT},
            stdout=log,
            stderr=log,
            start_new_session=True,  # its engine is a child that must not outlive it
        )
    try:
        url = f"http://127.0.0.1:{port}/v1"
        deadline = time.monotonic() + 200
        while not _answers(f"{url}/models"):
            assert server.poll() is None, said.read_text(errors="replace")[-2000:]
            assert time.monotonic() < deadline, "vLLM's server did not start"
            time.sleep(0.5)
        yield url
    finally:
        server.terminate()
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


SAMPLING = [pytest.param("vllm server", marks=VLLM), pytest.param("vllm", marks=VLLM)]


@pytest.fixture(params=["replay", "openai", *SAMPLING])
def chosen(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """An engine of each kind; vLLM's is started already, since loading takes long, and serves the whole module."""
    if request.param == "vllm":
        loaded: Engine = request.getfixturevalue("vllm_engine")
        return loaded
    if request.param == "openai":
        return engine_for(request.getfixturevalue("endpoint").url)
    if request.param == "vllm server":
        return engine_for(request.getfixturevalue("vllm_server"))
    path = tmp_path / "s.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in RECORDED))
    return engine_for(f"replay:{path}")


@pytest.fixture
async def engine(chosen: Engine) -> AsyncIterator[Engine]:
    if chosen.name == "vllm":
        yield chosen  # bound to no event loop
        return
    await chosen.start()
    yield chosen
    await chosen.stop()


async def test_a_sample_carries_what_it_was_asked_with(engine: Engine) -> None:
    generated = await engine.generate(request(3, work_id="mine"))
    assert generated.work_id == "mine"
    assert generated.completion
    assert generated.token_count is not None
    assert generated.token_count > 0
    assert generated.cumulative_logprob is not None
    assert generated.cumulative_logprob < 0


async def test_an_engine_says_how_it_is_set(engine: Engine) -> None:
    assert isinstance(engine, TellsOrigin)
    told = engine.origin()
    names = [each.name for each in told.settings]
    assert names
    assert len(names) == len(set(names))
    assert all(each.value and "\n" not in each.value for each in told.settings)
    assert told == engine.origin()
    if engine.name == "vllm":
        assert told.version.startswith("vLLM ")
        assert {"dtype", "max_model_len", "tensor_parallel_size", "max_num_seqs", "device"} <= set(names)


async def test_the_same_requests_give_the_same_samples(engine: Engine) -> None:
    first = await asyncio.gather(*(engine.generate(request(i, max_tokens=12)) for i in range(4)))
    second = await asyncio.gather(*(engine.generate(request(i, max_tokens=12)) for i in range(4)))
    assert [generated.completion for generated in first] == [generated.completion for generated in second]
    assert len({generated.completion for generated in first}) > 1


async def test_what_is_counted_is_the_tokens_of_the_completion(engine: Engine) -> None:
    made = await asyncio.gather(*(engine.generate(request(i, stop=(" b",), token_logprobs=True)) for i in range(4)))
    assert any(generated.token_count != 24 for generated in made)
    for generated in made:
        assert generated.token_count is not None
        if engine.name == "replay":
            assert generated.token_logprobs is None  # it serves what was recorded, uncut
            continue
        assert b" b" not in generated.completion
        assert generated.token_logprobs is not None
        assert len(generated.token_logprobs) == generated.token_count
        assert generated.cumulative_logprob == pytest.approx(sum(generated.token_logprobs))
        assert (generated.token_count == 0) == (generated.completion == b"")


async def test_each_form_of_a_prompt_says_which_it_was_and_what_was_cut(engine: Engine) -> None:
    plain, chatted = await asyncio.gather(engine.generate(request(1)), engine.generate(request(1, **CHAT)))
    if engine.name == "replay":
        assert plain == chatted
        assert plain.prompt_form is None  # what was recorded may have been made in any form
        return
    assert (plain.prompt_form, plain.answer) == (PromptForm.COMPLETION, None)
    assert chatted.prompt_form is PromptForm.CHAT
    assert chatted.answer
    assert chatted.reasoning is None
    assert {line.strip() for line in chatted.completion.splitlines()} <= {
        line.strip() for line in chatted.answer.splitlines()
    }
    assert chatted.token_count is not None
    assert chatted.token_count > 7  # the whole answer's
    assert chatted.cumulative_logprob is not None


async def test_many_at_a_time_are_each_answered_as_their_own(engine: Engine) -> None:
    alone = await engine.generate(request(5, max_tokens=12))
    together = await asyncio.gather(*(engine.generate(request(i, max_tokens=12)) for i in range(8)))
    assert [generated.work_id for generated in together] == [f"w{i}" for i in range(8)]
    assert together[5].completion == alone.completion


async def test_a_cancelled_request_ends_and_the_next_is_served(engine: Engine) -> None:
    begun = asyncio.create_task(engine.generate(request(0, max_tokens=900, stop=())))
    await asyncio.sleep(0)
    if engine.name != "replay":  # which is done at once
        begun.cancel()
        with pytest.raises(asyncio.CancelledError):
            await begun
    assert (await engine.generate(request(1))).completion


async def test_what_max_tokens_cuts_is_said(engine: Engine) -> None:
    generated = await engine.generate(request(1, max_tokens=3, stop=()))
    if engine.name == "replay":
        assert generated.finish_reason is None  # nothing is known of why it ended
        return
    assert (generated.token_count, generated.finish_reason) == (3, FinishReason.LENGTH)


@pytest.mark.parametrize("chosen", SAMPLING, indirect=True)
async def test_what_is_narrowed_to_one_token_is_the_same_for_every_seed(engine: Engine) -> None:
    sure: dict[str, Any] = {"prompt": "1, 2, 3, 4, 5, 6, 7, 8, 9,", "stop": (), "max_tokens": 6, "temperature": 2.0}
    # One at a time: what is computed together changes the last bits.
    made = [await engine.generate(request(seed, top_k=1, **sure)) for seed in range(3)]
    assert len({generated.completion for generated in made}) == 1


async def test_an_engine_that_was_stopped_serves_again_when_started(tmp_path: Path, endpoint: Endpoint) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps(RECORDED[0]) + "\n")
    for source in (f"replay:{path}", endpoint.url):
        engine = engine_for(source)
        for _ in range(2):
            await engine.start()
            assert (await engine.generate(request(0))).completion == b"    return a + b + 0\n"
            await engine.stop()
