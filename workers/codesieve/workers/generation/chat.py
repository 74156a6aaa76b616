"""The chat form of a request: what a model is told, and the sample that becomes of its answer. Pure.

A problem whose completion goes on with its prompt is asked for in words; any other prompt is in words already and is said
as it is. Token count and log-probability stay those of the whole answer, thinking included: a program that was taken out of
it has no probability of its own.
"""

from __future__ import annotations

import dataclasses
import re

from codesieve.workers.generation.extract import code_of, split_thinking
from codesieve.workers.types import KEPT_OF_AN_ANSWER, Generated, GenerationRequest

INSTRUCTION = "Complete the following Python function. Answer with the whole function in one block of code.\n\n"


def said_to_model(request: GenerationRequest) -> str:
    """The one message of the user."""
    if not request.goes_on_with_prompt:
        return request.prompt
    longest = max(map(len, re.findall("`+", request.prompt)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{INSTRUCTION}{fence}python\n{request.prompt}\n{fence}"


def sample_of(answered: Generated, request: GenerationRequest, reasoning: str | None = None) -> Generated:
    """What is judged of an answer, and what was cut from it. `reasoning` is what the engine kept apart itself."""
    answer = answered.completion.decode("utf-8", "surrogatepass")
    thought, said = (reasoning, answer) if reasoning else split_thinking(answer)
    code = code_of(said, request.names, request.prompt if request.goes_on_with_prompt else None)
    return dataclasses.replace(
        answered,
        completion=_bytes(code),
        answer=_bytes(said)[:KEPT_OF_AN_ANSWER],
        reasoning=_bytes(thought)[:KEPT_OF_AN_ANSWER] if thought else None,
    )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
