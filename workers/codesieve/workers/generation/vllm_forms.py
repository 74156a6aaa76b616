"""Our requests in vLLM's form, and its outputs in ours. Both run in the engine's thread.

The log-probabilities are the model's own, before temperature, top_p, top_k and min_p. vLLM counts every token it sampled;
here the end-of-text token and those of the stop sequence are left out, as `counting` says.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any

from codesieve.workers.errors import EngineError
from codesieve.workers.generation import chat
from codesieve.workers.generation.counting import tokens_before_stop
from codesieve.workers.generation.extract import OPENED
from codesieve.workers.types import BETWEEN_VERSIONS, FinishReason, Generated, GenerationRequest, PromptForm

_FINISH_REASONS = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}
_CONTEXT = 16
"""Tokens before a place from which text is decoded: what a token adds depends on the one or two before it."""


def params_of(request: GenerationRequest) -> Any:
    """vLLM's `SamplingParams`."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        min_p=request.min_p,
        max_tokens=request.max_tokens,
        stop=list(request.stop),
        seed=request.seed,
        logprobs=0,  # the sampled token's alone
        flat_logprobs=True,  # lists instead of an object for each token
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def prompt_of(llm: Any, request: GenerationRequest) -> Any:
    """The prompt as `LLMEngine.add_request` takes it; in the chat form by the model's own template."""
    if request.prompt_form is PromptForm.COMPLETION:
        (prompt,) = llm.renderer.render_cmpl([{"prompt": request.prompt}])
        return prompt
    from vllm.renderers.params import ChatParams
    from vllm.utils.mistral import is_mistral_tokenizer

    # Mistral's own tokenizers have no text in between.
    options = {"add_generation_prompt": True, "tokenize": is_mistral_tokenizer(llm.renderer.tokenizer)}
    params = ChatParams(chat_template_kwargs=options)
    message = {"role": "user", "content": chat.said_to_model(request)}
    _, (prompt,) = llm.renderer.render_chat([[message]], params)
    return prompt


def generated(llm: Any, request: GenerationRequest, output: Any) -> Generated:
    """What vLLM made of a request. In the chat form the completion is still the whole answer, for `chat.sample_of`."""
    sampled = output.outputs[0]
    if sampled.finish_reason not in _FINISH_REASONS:
        raise EngineError(f"vLLM ended the request with {sampled.finish_reason!r}")
    count = len(sampled.token_ids)
    if isinstance(sampled.stop_reason, str):
        count = tokens_before_stop(
            sampled.text,
            sampled.stop_reason,
            count,
            lambda start: _pieces(llm.get_tokenizer(), output.prompt_token_ids, sampled.token_ids, start),
        )
    elif sampled.finish_reason == "stop":
        count -= 1  # the end-of-text token
    logprobs = tuple(sampled.logprobs.logprobs[place] for place in sampled.logprobs.start_indices[:count])
    text = sampled.text
    if request.prompt_form is PromptForm.CHAT and _opens_thinking(llm.get_tokenizer(), output.prompt_token_ids):
        text = OPENED + text
    return Generated(
        request.work_id,
        text.encode("utf-8", "surrogatepass"),
        count,
        sum(logprobs),
        _FINISH_REASONS[sampled.finish_reason],
        token_logprobs=logprobs if request.token_logprobs else None,
        prompt_form=request.prompt_form,
        weights_version=_versions(sampled),
        adapter=request.adapter or None,
    )


def _versions(sampled: Any) -> str | None:
    """Of the weights that made the tokens, in their order."""
    return BETWEEN_VERSIONS.join(span.version for span in sampled.weight_versions or ()) or None


def _opens_thinking(tokenizer: Any, prompt: Sequence[int]) -> bool:
    """Whether the chat template lets the answer begin in the middle of thinking."""
    return bool(tokenizer.decode(prompt[-_CONTEXT:]).rstrip().endswith(OPENED))


def _pieces(tokenizer: Any, prompt: Sequence[int], sampled: Sequence[int], start: int) -> list[str]:
    """What each token from `start` on added to the text, by the detokenizer that vLLM itself used."""
    from vllm import SamplingParams
    from vllm.v1.engine.detokenizer import IncrementalDetokenizer

    before = [*prompt, *sampled[:start]] if start < _CONTEXT else list(sampled[start - _CONTEXT : start])
    request = types.SimpleNamespace(
        request_id="", prompt_token_ids=before, prompt_embeds=None, sampling_params=SamplingParams()
    )
    decoder = IncrementalDetokenizer.from_new_request(tokenizer, request)
    pieces = []
    length = 0
    for token in sampled[start:]:
        decoder.update([token], False)
        pieces.append(decoder.output_text[length:])
        length = len(decoder.output_text)
    return pieces
