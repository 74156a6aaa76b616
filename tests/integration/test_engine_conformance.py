"""What every engine keeps to: a replay, an OpenAI-compatible endpoint over HTTP, vLLM's own server, and vLLM itself, the
latter two with the small real model.

The endpoint is a real HTTP server that speaks ``/v1/completions`` over the recorded samples. It finds a sample by the
prompt and the seed, as an endpoint must that knows neither problems nor indexes.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from codesieve.workers.errors import EngineError, EngineRequestRefused, EngineUnavailable, ModelNotFound
from codesieve.workers.generation import models
from codesieve.workers.generation.choose import engine_for
from codesieve.workers.generation.engine import Engine, TellsOrigin
from codesieve.workers.generation.openai import OpenAIEngine
from codesieve.workers.generation.worker import GenerationWorker
from codesieve.workers.types import EngineStats, FinishReason, Generated, GenerationRequest, PromptForm, WorkFailed

PROMPT = 'def add(a: int, b: int) -> int:\n    """Return the sum of a and b.\n    >>> add(1, 2)\n    3\n    """\n'
# Importing torch and vLLM warns of much that isn't ours to mend.
VLLM = (pytest.mark.vllm, pytest.mark.filterwarnings("ignore"))
RECORDED = [
    {"task_id": "P/0", "completion": f"    return a + b + {i}\n", "token_count": 7, "cumulative_logprob": -1.5 - i}
    for i in range(8)
]


@dataclasses.dataclass
class Endpoint:
    """The test's endpoint and what it saw."""

    url: str
    bodies: list[dict[str, Any]]
    answers: list[tuple[int, dict[str, str], dict[str, Any]]]
    """What it says before it serves as usual: status, headers, body."""
    held: threading.Event
    """While clear, completions are held back."""
    keys: list[str | None]
    owner: str = "vllm"
    """What it says that its model is owned by."""
    most_stops: int = 100


def _sampled(body: dict[str, Any], whole: str, total: float) -> tuple[str, str, list[str], float]:
    """Text, finish reason, tokens and the log-probability of each.

    Tokens are words with the white space before them, all of the same log-probability, and one that ends the text. Like
    vLLM's server it cuts the text in front of a stop sequence and tells of the tokens of it as well.
    """
    tokens = re.findall(r"\s*\S+|\s+", whole)
    each = total / len(tokens)
    for end in range(len(tokens) + 1):
        so_far = "".join(tokens[:end])
        stopped = [so_far.index(stop) for stop in body.get("stop") or [] if stop in so_far]
        if stopped:
            return so_far[: stopped[0]], "stop", tokens[:end], each
        if end == body["max_tokens"]:
            return so_far, "length", tokens[:end], each
    return whole, "stop", [*tokens, ""], each


def _completion(body: dict[str, Any]) -> dict[str, Any]:
    sample = RECORDED[body["seed"]]
    total = float(str(sample["cumulative_logprob"]))
    text, finish_reason, tokens, each = _sampled(body, str(sample["completion"]), total)
    logprobs = {
        "tokens": tokens,
        "token_logprobs": [each] * len(tokens),
        "top_logprobs": None,
        "text_offset": [sum(map(len, tokens[:place])) for place in range(len(tokens))],
    }
    choice = {"index": 0, "text": text, "finish_reason": finish_reason, "logprobs": logprobs}
    return _answer(body, choice, len(tokens)) | {"object": "text_completion"}


def _chat(body: dict[str, Any]) -> dict[str, Any]:
    """The recorded sample with its function's head, in a block with prose around."""
    sample = RECORDED[body["seed"]]
    said = f"Sure:\n\n```python\ndef add(a, b):\n{sample['completion']}```\nIsn't it easy?\n"
    text, finish_reason, tokens, each = _sampled(body, said, float(str(sample["cumulative_logprob"])))
    content: list[dict[str, Any]] = [
        {"token": token, "logprob": each, "bytes": None, "top_logprobs": []} for token in tokens
    ]
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": {"content": content}}
    return _answer(body, choice, len(tokens)) | {"object": "chat.completion"}


def _answer(body: dict[str, Any], choice: dict[str, Any], count: int) -> dict[str, Any]:
    usage = {"prompt_tokens": 5, "completion_tokens": count, "total_tokens": 5 + count}
    return {"id": "c", "created": 0, "model": body["model"], "choices": [choice], "usage": usage}


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    seen = Endpoint("", [], [], threading.Event(), [])
    seen.held.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _say(self, status: int, headers: dict[str, str], body: dict[str, Any]) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(text)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            seen.keys.append(self.headers["Authorization"])
            if seen.answers:
                self._say(*seen.answers.pop(0))
            elif self.path == "/v1/models":
                model = {"id": "tiny", "object": "model", "created": 0, "owned_by": seen.owner}
                self._say(200, {}, {"object": "list", "data": [model]})
            else:
                self._say(404, {}, {"error": {"message": "no such path"}})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.bodies.append(body)
            if seen.answers:
                self._say(*seen.answers.pop(0))
                return
            if len(body.get("stop") or []) > seen.most_stops:
                self._say(400, {}, {"error": {"message": f"'stop' takes at most {seen.most_stops} sequences"}})
                return
            if body["seed"] == 0:
                seen.held.wait(30)
            self._say(200, {}, _chat(body) if self.path == "/v1/chat/completions" else _completion(body))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Says nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    seen.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    yield seen
    seen.held.set()
    server.shutdown()
    thread.join()
    server.server_close()


CHAT: dict[str, Any] = {"prompt_form": PromptForm.CHAT, "names": ("add",), "stop": (), "max_tokens": 40}


def request(index: int, **changes: Any) -> GenerationRequest:
    made = GenerationRequest(f"w{index}", "P/0", PROMPT, 0.8, index, seed=index, max_tokens=24)
    return dataclasses.replace(made, **changes)


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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
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


async def test_an_endpoint_is_sent_all_that_the_request_says(endpoint: Endpoint) -> None:
    engine = OpenAIEngine(endpoint.url, "tiny", "the-key")
    assert await engine.start() == f"tiny at {endpoint.url}"
    asked = request(2, temperature=0.2, top_p=0.5, max_tokens=9, stop=("\ndef", "\n#"), top_k=5, min_p=0.1)
    generated = await engine.generate(asked)
    await engine.stop()
    assert generated.cumulative_logprob == pytest.approx(-3.5)
    text, logprob = b"    return a + b + 2\n", generated.cumulative_logprob
    form = PromptForm.COMPLETION
    assert generated == Generated("w2", text, 7, logprob, FinishReason.STOP, prompt_form=form)
    (body,) = endpoint.bodies
    assert body == {
        "model": "tiny", "prompt": PROMPT, "temperature": 0.2, "top_p": 0.5, "max_tokens": 9,
        "stop": ["\ndef", "\n#"], "seed": 2, "n": 1, "top_k": 5, "min_p": 0.1, "logprobs": 1,
    }  # fmt: skip
    assert endpoint.keys == ["Bearer the-key"]


async def test_an_endpoint_without_logprobs_leaves_them_unknown(endpoint: Endpoint) -> None:
    body = _completion({"seed": 1, "model": "tiny", "max_tokens": 9})
    engine = OpenAIEngine(endpoint.url)
    await engine.start()
    for finish_reason, count in (("length", 8), ("stop", None)):  # stopped: how much of its own count is the text's?
        body["choices"][0].update(logprobs=None, finish_reason=finish_reason)
        endpoint.answers.append((200, {}, body))
        generated = await engine.generate(request(1, token_logprobs=True))
        assert (generated.token_count, generated.cumulative_logprob, generated.token_logprobs) == (count, None, None)
        assert generated.finish_reason == finish_reason.upper()
    await engine.stop()


async def test_an_endpoint_that_offers_no_logprobs_is_asked_for_none_again(endpoint: Endpoint) -> None:
    engine = OpenAIEngine(endpoint.url)
    await engine.start()
    endpoint.answers.append((400, {}, {"error": {"message": "This model does not support logprobs."}}))
    for _ in range(2):
        assert (await engine.generate(request(1))).completion == b"    return a + b + 1\n"
    await engine.stop()
    assert ["logprobs" in body for body in endpoint.bodies] == [True, False, False]


async def test_stop_sequences_beyond_an_endpoints_four_are_cut_here(endpoint: Endpoint) -> None:
    endpoint.most_stops = 4
    engine = OpenAIEngine(endpoint.url)
    await engine.start()
    stops = ("never", "ever", "not", "once", " b +")
    cut = [await engine.generate(request(i, stop=stops, token_logprobs=True)) for i in (1, 2)]
    await engine.stop()
    assert [len(body["stop"]) for body in endpoint.bodies] == [5, 4, 4]
    for generated, total in zip(cut, (-2.5, -3.5), strict=True):
        assert generated.completion == b"    return a +"
        assert generated.token_count == 3
        assert generated.token_logprobs == pytest.approx([total / 7] * 3)
        assert generated.cumulative_logprob == pytest.approx(total / 7 * 3)
        assert generated.finish_reason is FinishReason.STOP


async def test_what_is_no_part_of_openais_api_is_refused_where_it_might_be_passed_over(endpoint: Endpoint) -> None:
    endpoint.owner = "someone"
    engine = OpenAIEngine(endpoint.url)
    await engine.start()
    for asked in ({"top_k": 5}, {"min_p": 0.1}):
        with pytest.raises(EngineRequestRefused, match="top_k and min_p are no part of OpenAI's API"):
            await engine.generate(request(1, **asked))
    assert (await engine.generate(request(1))).completion
    await engine.stop()
    assert len(endpoint.bodies) == 1


@pytest.mark.parametrize(
    ("logprobs", "count"),
    [
        ({"tokens": ["    return", "bytes:\\xe2", "bytes:\\x80"], "text_offset": [90, 100, 103]}, 2),
        ({"tokens": ["return", "a"], "text_offset": [0, 6]}, None),  # the white space is lost, so they tell nothing
        ({"tokens": ["x", "x"], "text_offset": [0, 0]}, None),
        ({"tokens": ["x", "x"], "text_offset": []}, None),
    ],
)
async def test_tokens_are_counted_by_their_offsets_where_their_text_is_not_there(
    endpoint: Endpoint, logprobs: dict[str, Any], count: int | None
) -> None:
    body = _completion({"seed": 1, "model": "tiny", "max_tokens": 9})
    tokens = len(logprobs["tokens"])
    body["choices"][0].update(text="    return ab", logprobs={**logprobs, "token_logprobs": [-1.0] * tokens})
    engine = OpenAIEngine(endpoint.url)
    await engine.start()
    endpoint.answers.append((200, {}, body))
    generated = await engine.generate(request(1, stop=("b",)))
    await engine.stop()
    assert generated.completion == b"    return a"
    assert (generated.token_count, generated.cumulative_logprob) == (count, None if count is None else -float(count))


async def test_an_endpoints_rate_limit_is_waited_for(endpoint: Endpoint) -> None:
    engine = OpenAIEngine(endpoint.url)
    await engine.start()
    limited = (429, {"Retry-After": "0.01"}, {"error": {"message": "slow down"}})
    endpoint.answers.extend([limited] * 8 + [(503, {}, {"error": {"message": "busy"}})])
    assert (await engine.generate(request(1))).completion == b"    return a + b + 1\n"
    assert engine.stats().retries_rate_limit == 8
    assert engine.stats().retries_failure == 1
    await engine.stop()
    assert len(endpoint.bodies) == 10


async def test_what_an_endpoint_was_asked_for_is_counted(endpoint: Endpoint) -> None:
    engine = OpenAIEngine(endpoint.url)
    await engine.start()
    endpoint.held.clear()
    asked = [asyncio.create_task(engine.generate(request(0, **more))) for more in ({}, {"max_tokens": 3})]
    given_up = asyncio.create_task(engine.generate(request(0)))
    async with asyncio.timeout(30):
        while len(endpoint.bodies) < 3:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.01)
    assert engine.stats().requests_running == 3
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    endpoint.held.set()
    await asyncio.gather(*asked)
    endpoint.answers.append((400, {}, {"error": {"message": "prompt too long"}}))
    with pytest.raises(EngineRequestRefused):
        await engine.generate(request(1))
    stats = dataclasses.replace(engine.stats(), idle_seconds=0)
    await engine.stop()
    ended = {"finished_stop": 1, "finished_length": 1, "finished_aborted": 1, "finished_failed": 1}
    # The end of the text is a token, too.
    assert stats == EngineStats(prompt_tokens=10, generation_tokens=8 + 3, **ended)


async def test_an_account_that_is_used_up_is_not_waited_for(endpoint: Endpoint) -> None:
    engine = OpenAIEngine(endpoint.url)
    await engine.start()
    endpoint.answers.append((429, {}, {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}))
    with pytest.raises(EngineError, match="exceeded your quota"):
        await engine.generate(request(1))
    await engine.stop()
    assert len(endpoint.bodies) == 1


async def test_what_an_endpoint_refuses_is_not_tried_again(endpoint: Endpoint) -> None:
    engine = OpenAIEngine(endpoint.url)
    await engine.start()
    endpoint.answers.append((400, {}, {"error": {"message": "prompt too long"}}))
    with pytest.raises(EngineRequestRefused, match="prompt too long"):
        await engine.generate(request(1))
    endpoint.answers.append((401, {}, {"error": {"message": "key expired"}}))
    with pytest.raises(EngineError, match="401") as raised:
        await engine.generate(request(1))
    assert not isinstance(raised.value, EngineRequestRefused)
    await engine.stop()
    assert len(endpoint.bodies) == 2


async def test_an_endpoint_that_cannot_serve_is_named_at_start(endpoint: Endpoint) -> None:
    with pytest.raises(EngineUnavailable, match=r"http://127\.0\.0\.1:1/v1"):
        await OpenAIEngine("http://127.0.0.1:1/v1").start()
    with pytest.raises(EngineUnavailable, match="end in /v1"):
        await OpenAIEngine(endpoint.url + "/nowhere").start()
    with pytest.raises(ModelNotFound, match="no model 'huge'; it has tiny"):
        await OpenAIEngine(endpoint.url, "huge").start()
    endpoint.answers.append((401, {}, {"error": {"message": "no"}}))
    with pytest.raises(EngineUnavailable, match="set OPENAI_API_KEY"):
        await OpenAIEngine(endpoint.url).start()


async def test_one_held_request_holds_up_no_other_and_can_be_cancelled(endpoint: Endpoint) -> None:
    worker = GenerationWorker(endpoint.url)
    await worker.start()
    endpoint.held.clear()
    await worker.submit([request(i) for i in range(4)])
    answers: dict[str, Generated | WorkFailed] = {}
    while len(answers) < 3:
        answers.update({answer.work_id: answer for answer in await worker.collect(10)})
    assert set(answers) == {"w1", "w2", "w3"}
    await worker.cancel(["w0"])
    (cancelled,) = await worker.collect(10)
    assert isinstance(cancelled, WorkFailed)
    assert (cancelled.work_id, cancelled.reason) == ("w0", "CANCELLED")
    await worker.stop()


async def test_an_endpoint_is_chatted_with_in_its_own_form(endpoint: Endpoint) -> None:
    engine = OpenAIEngine(endpoint.url)
    await engine.start()
    chatted = await engine.generate(request(2, token_logprobs=True, **CHAT))
    whole = await engine.generate(request(2, **CHAT | {"goes_on_with_prompt": False, "stop": ("Isn't",)}))
    await engine.stop()
    defined: dict[str, Any] = {}
    exec(PROMPT + chatted.completion.decode(), defined)
    assert defined["add"](1, 2) == 5
    assert chatted.answer == b"Sure:\n\n```python\ndef add(a, b):\n    return a + b + 2\n```\nIsn't it easy?\n"
    assert chatted.token_count == 16
    assert chatted.cumulative_logprob == pytest.approx(-3.5)
    assert whole.completion == b"def add(a, b):\n    return a + b + 2"
    assert whole.token_count == 13
    assert whole.cumulative_logprob == pytest.approx(-3.5 / 16 * 13)
    first, second = endpoint.bodies
    assert "prompt" not in first
    assert first["logprobs"] is True
    (message,) = first["messages"]
    assert message["role"] == "user"
    assert message["content"].startswith("Complete the following Python function.")
    assert f"```python\n{PROMPT}\n```" in message["content"]
    assert second["messages"] == [{"role": "user", "content": PROMPT}]


@pytest.mark.parametrize("kept_apart_as", ["reasoning", "reasoning_content", None])
async def test_thinking_is_kept_apart_however_an_endpoint_tells_it(
    endpoint: Endpoint, kept_apart_as: str | None
) -> None:
    body = _chat({"seed": 1, "model": "tiny", "max_tokens": 99})
    message, tokens = body["choices"][0]["message"], body["choices"][0]["logprobs"]["content"]
    for token in ("</think>", " hm", "<think>"):
        tokens.insert(0, {"token": token, "logprob": -1.0, "bytes": None, "top_logprobs": []})
    if kept_apart_as:
        message[kept_apart_as] = "hm"
    else:
        message["content"] = f"<think> hm</think>{message['content']}"
    engine = OpenAIEngine(endpoint.url)
    await engine.start()
    endpoint.answers.append((200, {}, body))
    generated = await engine.generate(request(1, **CHAT))
    await engine.stop()
    assert generated.reasoning == b"hm"
    assert generated.answer is not None
    assert generated.answer.startswith(b"Sure:")
    assert generated.completion == b"\ndef add(a, b):\n    return a + b + 1"
    assert generated.token_count == 19  # the whole answer's
    assert generated.cumulative_logprob == pytest.approx(-5.5)


async def test_thinking_that_met_the_token_limit_leaves_no_code(endpoint: Endpoint) -> None:
    body = _chat({"seed": 1, "model": "tiny", "max_tokens": 9})
    body["choices"][0]["message"] = {"role": "assistant", "content": None, "reasoning": "hm, ```python\n1"}
    engine = OpenAIEngine(endpoint.url)
    await engine.start()
    endpoint.answers.append((200, {}, body))
    generated = await engine.generate(request(1, **CHAT))
    await engine.stop()
    assert (generated.completion, generated.answer, generated.reasoning) == (b"", b"", b"hm, ```python\n1")
    assert (generated.token_count, generated.finish_reason) == (9, FinishReason.LENGTH)
