"""Our requests in the form of OpenAI's API, text completions and chat, and its answers in ours. Pure.

What an endpoint doesn't take is learned from its refusing it (`Terms`): more than four stop sequences, of which the rest is
then cut here, and log-probabilities, without which a sample has none.

A sample's tokens are counted as `counting` says, from the text of each token that comes with its log-probability. Where
that text doesn't tell which tokens stand in the completion, the count is left unknown rather than wrong.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from codesieve.workers.errors import EngineError, EngineRequestRefused
from codesieve.workers.generation import chat
from codesieve.workers.generation.counting import cut, tokens_within
from codesieve.workers.types import FinishReason, Generated, GenerationRequest, PromptForm

if TYPE_CHECKING:
    from openai.types import Completion
    from openai.types.chat import ChatCompletion

_FINISH_REASONS = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}
_FEWEST_STOPS = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Terms:
    """What an endpoint takes of a request."""

    all_stops: bool = True
    logprobs: bool = True

    def after(self, refusal: str, request: GenerationRequest) -> Terms:
        """What to ask for after a refusal, which says in some words what it is about; the same where nothing would help."""
        if self.logprobs and "logprob" in refusal:
            return dataclasses.replace(self, logprobs=False)
        if self.all_stops and "stop" in refusal and len(request.stop) > _FEWEST_STOPS:
            return dataclasses.replace(self, all_stops=False)
        return self

    def and_also(self, other: Terms) -> Terms:
        """What is taken under both."""
        return Terms(self.all_stops and other.all_stops, self.logprobs and other.logprobs)


def body_of(request: GenerationRequest, model: str, terms: Terms) -> dict[str, Any]:
    """The arguments of the SDK's ``create``."""
    stops = request.stop if terms.all_stops else request.stop[:_FEWEST_STOPS]
    others = {name: value for name, value in (("top_k", request.top_k), ("min_p", request.min_p)) if value}
    body: dict[str, Any] = {
        "model": model,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_tokens": request.max_tokens,
        "stop": list(stops) or None,
        "seed": request.seed,
        "n": 1,
        "extra_body": others or None,
    }
    if request.prompt_form is PromptForm.CHAT:
        body["messages"] = [{"role": "user", "content": chat.said_to_model(request)}]
        return body | ({"logprobs": True} if terms.logprobs else {})
    body["prompt"] = request.prompt
    # 0 means "the sampled token's alone" to some endpoints and "none" to others.
    return body | ({"logprobs": 1} if terms.logprobs else {})


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answered, in either form."""

    text: str
    finish_reason: str
    tokens: list[str]
    logprobs: list[float | None]
    offsets: list[int]
    """Where each token begins, from some place on."""
    used: int | None
    """How many tokens the endpoint says that it sampled."""
    reasoning: str | None = None
    """Thinking that it kept apart."""
    prompt_tokens: int = 0
    """What it says that the prompt had."""


def completion_answer(answer: Completion) -> Answer | None:
    """None where there is none in it."""
    if not answer.choices:
        return None
    choice, told = answer.choices[0], answer.choices[0].logprobs
    return Answer(
        choice.text,
        choice.finish_reason,
        (told.tokens if told else None) or [],
        list((told.token_logprobs if told else None) or []),
        (told.text_offset if told else None) or [],
        answer.usage.completion_tokens if answer.usage else None,
        prompt_tokens=answer.usage.prompt_tokens if answer.usage else 0,
    )


def chat_answer(answer: ChatCompletion) -> Answer | None:
    """None where there is none in it."""
    if not answer.choices:
        return None
    choice = answer.choices[0]
    told = (choice.logprobs.content if choice.logprobs else None) or []
    # vLLM says "reasoning", it and others used to say "reasoning_content".
    reasoning = getattr(choice.message, "reasoning", None) or getattr(choice.message, "reasoning_content", None)
    return Answer(
        choice.message.content or "",
        choice.finish_reason,
        [one.token for one in told],
        [one.logprob for one in told],
        [],
        answer.usage.completion_tokens if answer.usage else None,
        reasoning if isinstance(reasoning, str) else None,
        answer.usage.prompt_tokens if answer.usage else 0,
    )


def generated(request: GenerationRequest, answer: Answer | None, endpoint: str) -> Generated:
    """The sample. Raises `EngineError` where there is none, `EngineRequestRefused` where it was held back."""
    if answer is None:
        raise EngineError(f"{endpoint} answered with no completion")
    if answer.finish_reason not in _FINISH_REASONS:
        raise EngineRequestRefused(f"{endpoint} held the completion back: {answer.finish_reason}")
    text = cut(answer.text, request.stop)
    # All that was sampled stands in it, but for an end-of-text token.
    whole = len(text) == len(answer.text) and (answer.finish_reason == "length" or not request.stop)
    count = answer.used if whole else None
    if answer.logprobs:
        count = _tokens_of(answer, len(text))
        if count is None and whole:
            count = len(answer.logprobs)
    counted = [one for one in answer.logprobs[: count or 0] if one is not None]
    known = bool(answer.logprobs) and count == len(counted)
    made = Generated(
        request.work_id,
        text.encode("utf-8", "surrogatepass"),
        count,
        sum(counted) if known else None,
        FinishReason.STOP if len(text) < len(answer.text) else _FINISH_REASONS[answer.finish_reason],
        token_logprobs=tuple(counted) if known and request.token_logprobs else None,
        prompt_form=request.prompt_form,
    )
    return chat.sample_of(made, request, answer.reasoning) if request.prompt_form is PromptForm.CHAT else made


def _tokens_of(answer: Answer, length: int) -> int | None:
    """How many of the tokens it takes for the first `length` characters of the text, if it can be told."""
    tokens, offsets, told = answer.tokens, answer.offsets, "".join(answer.tokens)
    if answer.finish_reason == "length" and length == len(answer.text):
        return len(answer.logprobs)
    start = 0
    if answer.reasoning:  # which was kept apart, and comes before the text
        start = told.rfind(answer.text) if answer.text else -1
    if start >= 0 and told.startswith(answer.text, start):
        return tokens_within(tokens, start + length)
    if len(offsets) == len(tokens) > 0 and offsets == sorted(offsets):
        end = offsets[-1] - offsets[0] + len(tokens[-1])
        return sum(offset - offsets[0] < length for offset in offsets) if end >= len(answer.text) else None
    return None
