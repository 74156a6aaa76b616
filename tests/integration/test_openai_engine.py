"""What the engine of OpenAI-compatible endpoints asks of them, makes of their answers, and does when they refuse."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest
from tests.asking import PROMPT, request
from tests.integration.endpoint import CHAT, Endpoint, chat, completion

from codesieve.workers.errors import EngineError, EngineRequestRefused, EngineUnavailable, ModelNotFound
from codesieve.workers.generation.openai import OpenAIEngine
from codesieve.workers.generation.worker import GenerationWorker
from codesieve.workers.types import EngineStats, FinishReason, Generated, PromptForm, WorkFailed


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
    body = completion({"seed": 1, "model": "tiny", "max_tokens": 9})
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
    body = completion({"seed": 1, "model": "tiny", "max_tokens": 9})
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
    body = chat({"seed": 1, "model": "tiny", "max_tokens": 99})
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
    body = chat({"seed": 1, "model": "tiny", "max_tokens": 9})
    body["choices"][0]["message"] = {"role": "assistant", "content": None, "reasoning": "hm, ```python\n1"}
    engine = OpenAIEngine(endpoint.url)
    await engine.start()
    endpoint.answers.append((200, {}, body))
    generated = await engine.generate(request(1, **CHAT))
    await engine.stop()
    assert (generated.completion, generated.answer, generated.reasoning) == (b"", b"", b"hm, ```python\n1")
    assert (generated.token_count, generated.finish_reason) == (9, FinishReason.LENGTH)
