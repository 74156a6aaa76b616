"""Samples the same requests with codesieve's engine or with vLLM alone, in a process that has the GPU to itself.

    python -m tests.gpu.sampling codesieve|vllm|vllm-one-process MODEL [--problems 64] [--samples 16] [--max-tokens 256]

`vllm` is `LLM.generate` with its engine core in a process of its own, as is its default; `vllm-one-process` has it in this
one, as codesieve has. All get codesieve's settings and make a first round that isn't told of. Tokens are all that were
sampled. The last line on stdout is JSON: seconds and tokens of each round, and what was sampled from the first prompt at
temperature 0.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codesieve.workers.generation import vllm_forms
from codesieve.workers.generation.vllm import VllmEngine, built_for_cpu, engine_environment, engine_options
from codesieve.workers.types import GenerationRequest

KINDS = ("codesieve", "vllm", "vllm-one-process")


def requests_of(options: argparse.Namespace, number: int) -> list[GenerationRequest]:
    """One round's: prompts that no round before had, each with its samples."""
    return [
        GenerationRequest(f"{number}.{problem}.{index}", f"P/{problem}", prompt_of(number, problem), 0.8, index,
                          seed=problem * options.samples + index, max_tokens=options.max_tokens, stop=())
        for problem in range(options.problems)
        for index in range(options.samples)
    ]  # fmt: skip


def prompt_of(number: int, problem: int) -> str:
    """About as long as a prompt of HumanEval's."""
    steps = "\n".join(f"    >>> solve_{number}_{problem}([{i}, {i + 1}])\n    {2 * i + 1}" for i in range(8))
    return f'def solve_{number}_{problem}(xs: list[int]) -> int:\n    """Return the sum of all.\n{steps}\n    """\n'


def greedy(count: int = 1) -> list[GenerationRequest]:
    """Requests whose samples depend on the weights alone."""
    return [
        GenerationRequest(f"g{i}", "P/g", prompt_of(0, i), 0.0, i, seed=0, max_tokens=32, stop=()) for i in range(count)
    ]


def by_codesieve(options: argparse.Namespace) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        engine = VllmEngine(options.model)
        await engine.start()

        async def work(requests: Sequence[GenerationRequest]) -> list[bytes]:
            return [made.completion for made in await asyncio.gather(*map(engine.generate, requests))]

        rounds = []
        for number in range(options.rounds + 1):
            before, began = engine.stats(), time.perf_counter()
            await work(requests_of(options, number))
            seconds = time.perf_counter() - began
            rounds.append({"seconds": seconds, "tokens": engine.stats().generation_tokens - before.generation_tokens})
        (said,) = await work(greedy())
        await engine.stop()
        return {"rounds": rounds[1:], "greedy": said.hex()}

    return asyncio.run(run())


def by_vllm(options: argparse.Namespace) -> dict[str, Any]:
    on_cpu = built_for_cpu()
    os.environ.update(engine_environment(on_cpu))
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "1" if options.kind == "vllm" else "0"
    from vllm import LLM

    llm = LLM(**engine_options(options.model, on_cpu, 1))

    def work(requests: Sequence[GenerationRequest]) -> list[Any]:
        params = [vllm_forms.params_of(request) for request in requests]
        outputs = llm.generate([request.prompt for request in requests], params, use_tqdm=False)
        return [output.outputs[0] for output in outputs]

    rounds = []
    for number in range(options.rounds + 1):
        began = time.perf_counter()
        made = work(requests_of(options, number))
        seconds = time.perf_counter() - began
        rounds.append({"seconds": seconds, "tokens": sum(len(one.token_ids) for one in made)})
    (said,) = work(greedy())
    return {"rounds": rounds[1:], "greedy": said.text.encode("utf-8", "surrogatepass").hex()}


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description="Samples, and says how long it took.")
    made.add_argument("kind", choices=KINDS)
    made.add_argument("model", type=Path)
    for name, default in (("--problems", 64), ("--samples", 16), ("--max-tokens", 256), ("--rounds", 3)):
        made.add_argument(name, type=int, default=default)
    return made


def main() -> None:
    options = parser().parse_args()
    answers, sys.stdout = sys.stdout, sys.stderr  # vLLM says this and that
    told = by_codesieve(options) if options.kind == "codesieve" else by_vllm(options)
    print(json.dumps(told), file=answers, flush=True)


if __name__ == "__main__":
    main()
