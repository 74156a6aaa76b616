"""What every engine keeps to: a replay, an OpenAI-compatible endpoint over HTTP, and vLLM with the small real model.

The endpoint is a real HTTP server that speaks ``/v1/completions`` over the recorded samples. It finds a sample by the
prompt and the seed, as an endpoint must that knows neither problems nor indexes.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from codesieve.workers.errors import EngineError, EngineRequestRefused, EngineUnavailable, ModelNotFound
from codesieve.workers.generation.choose import engine_for
from codesieve.workers.generation.engine import Engine
from codesieve.workers.generation.openai import OpenAIEngine
from codesieve.workers.generation.worker import GenerationWorker
from codesieve.workers.types import FinishReason, Generated, GenerationRequest, WorkFailed

PROMPT = 'def add(a: int, b: int) -> int:\n    """Return the sum of a and b.\n    >>> add(1, 2)\n    3\n    """\n'
# Importing torch and vLLM warns of much that isn't ours to mend.
VLLM = (pytest.mark.vllm, pytest.mark.filterwarnings("ignore"))
RECORDED = [
    {"task_id": "P/0", "completion": f"    return a + b + {i}\n", "token_count": 9, "cumulative_logprob": -1.5 - i}
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


def _completion(body: dict[str, Any]) -> dict[str, Any]:
    sample = RECORDED[body["seed"]]
    count, total = int(str(sample["token_count"])), float(str(sample["cumulative_logprob"]))
    logprobs = {
        "tokens": ["x"] * count,
        "token_logprobs": [total / count] * count,
        "top_logprobs": None,
        "text_offset": [0] * count,
    }
    choice = {"index": 0, "text": sample["completion"], "finish_reason": "stop", "logprobs": logprobs}
    usage = {"prompt_tokens": 5, "completion_tokens": count, "total_tokens": 5 + count}
    return {
        "id": "c",
        "object": "text_completion",
        "created": 0,
        "model": body["model"],
        "choices": [choice],
        "usage": usage,
    }


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
                model = {"id": "tiny", "object": "model", "created": 0, "owned_by": "test"}
                self._say(200, {}, {"object": "list", "data": [model]})
            else:
                self._say(404, {}, {"error": {"message": "no such path"}})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.bodies.append(body)
            if seen.answers:
                self._say(*seen.answers.pop(0))
                return
            if body["seed"] == 0:
                seen.held.wait(30)
            self._say(200, {}, _completion(body))

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


def request(index: int, **changes: Any) -> GenerationRequest:
    made = GenerationRequest(f"w{index}", "P/0", PROMPT, 0.8, index, seed=index, max_tokens=24)
    return dataclasses.replace(made, **changes)


@pytest.fixture(scope="module")
def vllm_engine() -> Iterator[Engine]:
    engine = engine_for("smollm2")
    asyncio.run(engine.start())
    yield engine
    asyncio.run(engine.stop())


@pytest.fixture(params=["replay", "openai", pytest.param("vllm", marks=VLLM)])
def chosen(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """An engine of each kind; vLLM's is started already, since loading takes long, and serves the whole module."""
    if request.param == "vllm":
        loaded: Engine = request.getfixturevalue("vllm_engine")
        return loaded
    if request.param == "openai":
        return engine_for(request.getfixturevalue("endpoint").url)
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


async def test_the_same_requests_give_the_same_samples(engine: Engine) -> None:
    first = await asyncio.gather(*(engine.generate(request(i)) for i in range(4)))
    second = await asyncio.gather(*(engine.generate(request(i)) for i in range(4)))
    assert [generated.completion for generated in first] == [generated.completion for generated in second]
    assert len({generated.completion for generated in first}) > 1


async def test_many_at_a_time_are_each_answered_as_their_own(engine: Engine) -> None:
    alone = await engine.generate(request(5))
    together = await asyncio.gather(*(engine.generate(request(i)) for i in range(8)))
    assert [generated.work_id for generated in together] == [f"w{i}" for i in range(8)]
    assert together[5].completion == alone.completion


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
    generated = await engine.generate(request(2, temperature=0.2, top_p=0.5, max_tokens=7, stop=("\ndef", "\n#")))
    await engine.stop()
    assert generated.cumulative_logprob == pytest.approx(-3.5)
    expected = Generated("w2", b"    return a + b + 2\n", 9, generated.cumulative_logprob, FinishReason.STOP)
    assert generated == expected
    (body,) = endpoint.bodies
    sent = {name: body[name] for name in ("model", "prompt", "temperature", "top_p", "max_tokens", "stop", "seed", "n")}
    assert sent == {
        "model": "tiny", "prompt": PROMPT, "temperature": 0.2, "top_p": 0.5, "max_tokens": 7,
        "stop": ["\ndef", "\n#"], "seed": 2, "n": 1,
    }  # fmt: skip
    assert endpoint.keys == ["Bearer the-key"]


async def test_an_endpoint_without_logprobs_leaves_them_unknown(endpoint: Endpoint) -> None:
    body = _completion({"seed": 1, "model": "tiny"})
    body["choices"][0].update(logprobs=None, finish_reason="length")
    engine = OpenAIEngine(endpoint.url)
    await engine.start()
    endpoint.answers.append((200, {}, body))
    generated = await engine.generate(request(1))
    await engine.stop()
    assert (generated.token_count, generated.cumulative_logprob) == (9, None)
    assert generated.finish_reason is FinishReason.LENGTH


async def test_an_endpoints_rate_limit_is_waited_for(endpoint: Endpoint) -> None:
    engine = OpenAIEngine(endpoint.url)
    await engine.start()
    limited = (429, {"retry-after-ms": "1"}, {"error": {"message": "slow down"}})
    endpoint.answers.extend([limited, limited])
    assert (await engine.generate(request(1))).completion == b"    return a + b + 1\n"
    await engine.stop()
    assert len(endpoint.bodies) == 3


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
