"""vLLM with the small real model: what only a sampling engine can be held to."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from tests.asking import request

from codesieve.workers.errors import EngineError, EngineRequestRefused
from codesieve.workers.generation import chat, models
from codesieve.workers.generation.vllm import VllmEngine
from codesieve.workers.types import FinishReason, GenerationRequest, PromptForm

# Importing torch and vLLM warns of much that isn't ours to mend.
pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def engine() -> Iterator[VllmEngine]:
    made = VllmEngine(models.resolve("smollm2"))
    asyncio.run(made.start())
    yield made
    asyncio.run(made.stop())


async def _unfinished(engine: VllmEngine) -> int:
    """How many requests vLLM itself still holds."""
    return int(await engine._running().call(lambda llm: llm.get_num_unfinished_requests()))


async def test_max_tokens_ends_a_sample_and_says_so(engine: VllmEngine) -> None:
    generated = await engine.generate(request(0, max_tokens=5, stop=()))
    assert (generated.token_count, generated.finish_reason) == (5, FinishReason.LENGTH)


async def test_a_stop_sequence_ends_a_sample_and_is_not_in_it(engine: VllmEngine) -> None:
    free = await engine.generate(request(0, temperature=0.0, stop=()))
    assert b"return" in free.completion
    stopped = await engine.generate(request(0, temperature=0.0, stop=("return",)))
    assert stopped.completion == free.completion.partition(b"return")[0]
    assert stopped.finish_reason is FinishReason.STOP


@pytest.mark.parametrize("place", [0, 1, 5, 20, 40])
@pytest.mark.parametrize("length", [1, 3, 8])
async def test_tokens_are_counted_as_far_as_their_text_stands_in_the_sample(
    engine: VllmEngine, place: int, length: int
) -> None:
    free = await engine.generate(request(0, temperature=0.0, stop=(), token_logprobs=True))
    assert free.token_logprobs is not None
    assert (free.token_count, free.finish_reason) == (24, FinishReason.LENGTH)
    stop = free.completion.decode()[place : place + length]  # wherever the tokens' borders are
    stopped = await engine.generate(request(0, temperature=0.0, stop=(stop,), token_logprobs=True))
    assert stopped.completion == free.completion.partition(stop.encode())[0]
    count = stopped.token_count
    assert count is not None
    assert count < 24
    assert stopped.token_logprobs == pytest.approx(free.token_logprobs[:count], abs=0.01)
    assert stopped.cumulative_logprob == pytest.approx(sum(free.token_logprobs[:count]), abs=0.05)
    # The text of so many tokens reaches the end of the sample, and that of one less doesn't.
    so_many, one_less = [
        (await engine.generate(request(0, temperature=0.0, stop=(), max_tokens=tokens))).completion
        if tokens > 0
        else b""
        for tokens in (count, count - 1)
    ]
    assert so_many.startswith(stopped.completion)
    assert len(one_less) < len(stopped.completion) or not stopped.completion


async def test_the_end_of_text_token_does_not_count(engine: VllmEngine) -> None:
    prompt = "<|im_start|>user\nSay hi.<|im_end|>\n<|im_start|>assistant\n"
    ended = await engine.generate(request(0, prompt=prompt, temperature=0.0, stop=(), max_tokens=100))
    assert ended.finish_reason is FinishReason.STOP
    assert ended.token_count is not None
    whole = await engine.generate(
        request(0, prompt=prompt, temperature=0.0, stop=(), max_tokens=ended.token_count, token_logprobs=True)
    )
    assert (whole.completion, whole.finish_reason) == (ended.completion, FinishReason.LENGTH)
    assert whole.cumulative_logprob == pytest.approx(ended.cumulative_logprob, abs=0.05)


async def test_a_model_is_chatted_with_in_its_own_template(engine: VllmEngine) -> None:
    asked = request(0, temperature=0.0, stop=(), max_tokens=120, prompt_form=PromptForm.CHAT, names=("add",))
    chatted = await engine.generate(asked)
    # The same in words of one's own: what the template puts around them, and what is counted.
    around = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    around += f"<|im_start|>user\n{chat.said_to_model(asked)}<|im_end|>\n<|im_start|>assistant\n"
    plain = await engine.generate(request(0, temperature=0.0, stop=(), max_tokens=120, prompt=around))
    assert (chatted.answer, chatted.token_count) == (plain.completion, plain.token_count)
    assert chatted.cumulative_logprob == pytest.approx(plain.cumulative_logprob, abs=0.1)
    assert chatted.completion.startswith(b"\n")
    assert chatted.completion.strip() in (chatted.answer or b"")


async def test_top_k_and_min_p_narrow_what_is_sampled(engine: VllmEngine) -> None:
    # The likeliest token is far ahead of the next one, so that no last bit matters.
    sure: dict[str, Any] = {"prompt": "1, 2, 3, 4, 5, 6, 7, 8, 9,", "stop": (), "max_tokens": 6}
    greedy = await engine.generate(request(0, temperature=0.0, **sure))
    for narrow, same in (({}, False), ({"top_k": 1}, True), ({"min_p": 1.0}, True)):
        made = [(await engine.generate(request(i, temperature=2.0, **sure, **narrow))).completion for i in range(3)]
        assert (made == [greedy.completion] * 3) is same


async def test_temperature_zero_is_greedy_whatever_the_seed(engine: VllmEngine) -> None:
    greedy = await asyncio.gather(*(engine.generate(request(seed, temperature=0.0)) for seed in range(3)))
    assert len({generated.completion for generated in greedy}) == 1
    warm = await asyncio.gather(*(engine.generate(request(seed, temperature=1.0)) for seed in range(3)))
    assert len({generated.completion for generated in warm}) > 1


async def test_a_short_sample_does_not_wait_for_a_long_one(engine: VllmEngine) -> None:
    finished: list[str] = []

    async def generate(made: GenerationRequest) -> None:
        finished.append((await engine.generate(made)).work_id)

    lengths = {"long": 60, "short": 2, "middle": 20}
    await asyncio.gather(
        *(generate(request(0, work_id=name, max_tokens=tokens, stop=())) for name, tokens in lengths.items())
    )
    assert finished == ["short", "middle", "long"]


async def test_cancelling_frees_the_engine(engine: VllmEngine) -> None:
    tasks = [asyncio.create_task(engine.generate(request(i, max_tokens=1500, stop=()))) for i in range(4)]
    await engine.generate(request(9, max_tokens=1))
    assert await _unfinished(engine) == 4
    for task in tasks:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    assert await _unfinished(engine) == 0


async def test_more_prompts_than_one_step_takes_are_all_sampled(engine: VllmEngine) -> None:
    # Together more tokens than a step's budget: taken in parts, a seeded one would kill vLLM 0.32 on a CPU.
    made = [request(i, prompt=f"# {i}\n" + "x = 1\n" * 300, max_tokens=1) for i in range(2)]
    assert [generated.work_id for generated in await asyncio.gather(*map(engine.generate, made))] == [
        one.work_id for one in made
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"prompt": ""}, "empty"),
        ({"prompt": "x = 1\n" * 20_000}, "maximum"),
        ({"temperature": -1.0}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"min_p": 2.0}, "min_p"),
    ],
)
async def test_a_bad_request_is_refused_and_the_next_is_served(
    engine: VllmEngine, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(EngineRequestRefused, match=says):
        await engine.generate(request(0, **changes))
    assert (await engine.generate(request(0, max_tokens=2))).completion


LIFE = """
import asyncio, os, sys, threading
from codesieve.workers.errors import EngineError
from codesieve.workers.generation import models
from codesieve.workers.generation.vllm import VllmEngine
from codesieve.workers.types import GenerationRequest

def request(i, n): return GenerationRequest(f"w{i}", "P", "def f():", 0.8, i, seed=i, max_tokens=n, stop=())

def children():
    found = []
    for thread in os.listdir("/proc/self/task"):
        try:
            found += open(f"/proc/self/task/{thread}/children").read().split()
        except FileNotFoundError:
            pass  # that thread has ended since; its children are another's now
    return found

async def main():
    engine = VllmEngine(models.resolve("smollm2"))
    await engine.start()
    waiting = [asyncio.create_task(engine.generate(request(i, 1000))) for i in range(3)]
    await engine.generate(request(9, 2))
    await engine.stop()
    print([type(e).__name__ for e in await asyncio.gather(*waiting, return_exceptions=True)])

    await engine.start()
    waiting = [asyncio.create_task(engine.generate(request(i, 1000))) for i in range(3)]
    await engine.generate(request(9, 2))
    def break_it(llm):
        def step(): raise RuntimeError("the core died")
        llm.step = step
    await engine._thread.call(break_it)
    print([str(e) for e in await asyncio.gather(*waiting, return_exceptions=True)])
    try: await engine.generate(request(1, 1))
    except EngineError as e: print(e)
    await engine.stop()
    print([t.name for t in threading.enumerate() if t.name == "codesieve-vllm"], children())

asyncio.run(main())
"""


def test_what_is_in_flight_fails_when_the_engine_ends_and_nothing_is_left() -> None:
    done = subprocess.run([sys.executable, "-c", LIFE], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "['EngineLost', 'EngineLost', 'EngineLost']",
        "['RuntimeError: the core died', 'RuntimeError: the core died', 'RuntimeError: the core died']",
        "RuntimeError: the core died",
        "[] []",
    ]


async def test_a_model_that_cannot_be_loaded_is_said(tmp_path_factory: pytest.TempPathFactory) -> None:
    broken = tmp_path_factory.mktemp("broken")
    (broken / "config.json").write_text('{"model_type": "no-such-model"}')
    with pytest.raises(EngineError, match="no-such-model") as raised:
        await VllmEngine(broken).start()
    assert "\n" not in raised.value.message
