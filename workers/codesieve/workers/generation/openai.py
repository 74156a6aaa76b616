"""An engine over any OpenAI-compatible endpoint, by its text completions (``/v1/completions``).

Each request is one call with its own seed. The SDK repeats a call that failed on the way or met a rate limit, and waits
as long as the endpoint asks for. What an endpoint doesn't take is learned from its refusing it: more than four stop
sequences (OpenAI's own takes no more), whose rest is then cut here, and log-probabilities, without which a sample has none.
top_k and min_p are no part of OpenAI's API, and an endpoint that doesn't know them may pass over them in silence; they are
sent only to servers that are known to take them.

A sample's tokens are counted as `counting` says, from the text of each token that comes with its log-probability. Where
that text doesn't tell which tokens stand in the completion, the count is left unknown rather than wrong.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from codesieve.workers.errors import EngineError, EngineRequestRefused, EngineUnavailable, ModelNotFound
from codesieve.workers.generation.counting import cut, tokens_within
from codesieve.workers.types import FinishReason, Generated, GenerationRequest

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import Completion
    from openai.types.completion_choice import Logprobs

_RETRIES = 6
"""With the SDK's growing pauses about half a minute in all."""
_START_TIMEOUT_SECONDS = 10.0
_REFUSED_STATUS = (400, 404, 413, 422)
"""What an endpoint answers when the request itself is at fault."""
_FINISH_REASONS = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}
_SERVERS_WITH_TOP_K = ("vllm", "sglang", "llamacpp")
"""What owns the models of servers that take top_k and min_p, by their lists of models."""
_FEWEST_STOPS = 4


@dataclasses.dataclass(frozen=True, slots=True)
class _Terms:
    """What an endpoint takes of a request."""

    all_stops: bool = True
    logprobs: bool = True

    def after(self, refusal: str) -> _Terms:
        """What to ask for after a refusal, which says in some words what it is about."""
        if self.logprobs and "logprob" in refusal:
            return dataclasses.replace(self, logprobs=False)
        if self.all_stops and "stop" in refusal:
            return dataclasses.replace(self, all_stops=False)
        return self


class OpenAIEngine:
    """Samples from the model that an endpoint serves."""

    name = "openai"
    capacity = 64

    def __init__(self, base_url: str, model: str = "", api_key: str | None = None) -> None:
        """`base_url` ends in ``/v1``. An empty `model` takes the first that the endpoint lists."""
        self._base_url = base_url
        self._model = model
        self._api_key = api_key
        self._client: AsyncOpenAI | None = None
        self._owner = ""
        self._terms = _Terms()

    async def start(self) -> str:
        """Asks the endpoint for its models. Raises `EngineUnavailable` naming the URL, or `ModelNotFound`."""
        try:
            import openai
        except ImportError as error:
            raise EngineUnavailable("the openai package is not installed; pip install 'codesieve[openai]'") from error
        # The SDK wants a key of some kind; endpoints of one's own seldom ask for one.
        client = openai.AsyncOpenAI(base_url=self._base_url, api_key=self._api_key or "none", max_retries=_RETRIES)
        try:
            page = await client.with_options(max_retries=0, timeout=_START_TIMEOUT_SECONDS).models.list()
            listed = [model.id for model in page.data]
            if not self._model and not listed:
                raise ModelNotFound(f"{self._base_url} lists no models; name one as {self._base_url}#MODEL")
            if self._model and listed and self._model not in listed:
                raise ModelNotFound(f"{self._base_url} has no model {self._model!r}; it has {', '.join(listed)}")
        except openai.APIConnectionError as error:
            await client.close()
            raise EngineUnavailable(f"no endpoint answers at {self._base_url}: {error}") from error
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            await client.close()
            raise EngineUnavailable(f"{self._base_url} refuses the API key; set OPENAI_API_KEY") from error
        except openai.APIError as error:
            await client.close()
            raise EngineUnavailable(
                f"{self._base_url}/models is no OpenAI-compatible endpoint's (does the URL end in /v1?): {error}"
            ) from error
        except BaseException:
            await client.close()
            raise
        self._client = client
        self._model = self._model or listed[0]
        self._owner = next((model.owned_by for model in page.data if model.id == self._model), "")
        return f"{self._model} at {self._base_url}"

    async def generate(self, request: GenerationRequest) -> Generated:
        """Makes one sample. Cancelling closes the connection, by which an endpoint knows to stop."""
        if self._client is None:
            raise EngineError("the engine is not started")
        if (request.top_k or request.min_p) and self._owner not in _SERVERS_WITH_TOP_K:
            raise EngineRequestRefused(
                f"top_k and min_p are no part of OpenAI's API, and {self._base_url} doesn't say that it is a server that "
                f"takes them ({', '.join(_SERVERS_WITH_TOP_K)})"
            )
        while True:
            terms = self._terms
            try:
                answer = await self._ask(self._client, request, terms)
            except EngineRequestRefused as error:
                fewer = terms.after(error.message)
                if fewer == terms or (terms.all_stops != fewer.all_stops and len(request.stop) <= _FEWEST_STOPS):
                    raise
                # Another request may have learned something else meanwhile.
                known = self._terms
                self._terms = _Terms(known.all_stops and fewer.all_stops, known.logprobs and fewer.logprobs)
            else:
                return self._generated(request, answer)

    async def _ask(self, client: AsyncOpenAI, request: GenerationRequest, terms: _Terms) -> Completion:
        import openai

        stops = request.stop if terms.all_stops else request.stop[:_FEWEST_STOPS]
        optional: dict[str, Any] = {}
        if terms.logprobs:
            optional["logprobs"] = 1  # 0 means "the sampled token's alone" to some endpoints and "none" to others
        others = {"top_k": request.top_k, "min_p": request.min_p}
        try:
            answer: Completion = await client.completions.create(
                model=self._model,
                prompt=request.prompt,
                temperature=request.temperature,
                top_p=request.top_p,
                max_tokens=request.max_tokens,
                stop=list(stops) or None,
                seed=request.seed,
                n=1,
                extra_body={name: value for name, value in others.items() if value} or None,
                **optional,
            )
        except openai.APIStatusError as error:
            if error.status_code in _REFUSED_STATUS:
                raise EngineRequestRefused(f"{self._base_url} refuses the request: {error.message}") from error
            raise EngineError(f"{self._base_url} answered {error.status_code}: {error.message}") from error
        except openai.APIError as error:
            raise EngineError(f"{self._base_url} failed: {error}") from error
        return answer

    def _generated(self, request: GenerationRequest, answer: Completion) -> Generated:
        if not answer.choices:
            raise EngineError(f"{self._base_url} answered with no completion")
        choice = answer.choices[0]
        if choice.finish_reason not in _FINISH_REASONS:
            raise EngineRequestRefused(f"{self._base_url} held the completion back: {choice.finish_reason}")
        text = cut(choice.text, request.stop)
        whole = choice.finish_reason == "length" and len(text) == len(choice.text)
        logprobs = choice.logprobs.token_logprobs if choice.logprobs is not None else None
        count: int | None = None
        if choice.logprobs is not None and logprobs:
            count = len(logprobs) if whole else _tokens_of(choice.logprobs, choice.text, len(text))
        elif answer.usage is not None and (whole or not request.stop):
            count = answer.usage.completion_tokens
        counted = [] if count is None else [one for one in (logprobs or ())[:count] if one is not None]
        known = logprobs is not None and count == len(counted)
        return Generated(
            request.work_id,
            text.encode("utf-8", "surrogatepass"),
            count,
            sum(counted) if known else None,
            FinishReason.STOP if len(text) < len(choice.text) else _FINISH_REASONS[choice.finish_reason],
            token_logprobs=tuple(counted) if known and request.token_logprobs else None,
        )

    async def stop(self) -> None:
        """Closes the connections."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()


def _tokens_of(logprobs: Logprobs, text: str, length: int) -> int | None:
    """How many of the tokens that an endpoint sent stand in the first `length` characters of its text, if it can be told."""
    tokens = logprobs.tokens or []
    if "".join(tokens).startswith(text):
        return tokens_within(tokens, length)
    offsets = logprobs.text_offset or []
    if (
        len(offsets) == len(tokens)
        and offsets == sorted(offsets)
        and offsets[-1] - offsets[0] + len(tokens[-1]) >= len(text)
    ):
        return sum(offset - offsets[0] < length for offset in offsets)
    return None
