"""An engine over any OpenAI-compatible endpoint, by its text completions (``/v1/completions``).

Each request is one call with its own seed. The SDK repeats a call that failed on the way or met a rate limit, and waits
as long as the endpoint asks for. Token counts and log-probabilities are taken where the endpoint sends them. Some
endpoints take fewer stop sequences than Codex's five (OpenAI's own takes four) and say so when they refuse the request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codesieve.workers.errors import EngineError, EngineRequestRefused, EngineUnavailable, ModelNotFound
from codesieve.workers.types import FinishReason, Generated, GenerationRequest

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import CompletionChoice

_RETRIES = 6
"""With the SDK's growing pauses about half a minute in all."""
_START_TIMEOUT_SECONDS = 10.0
_REFUSED_STATUS = (400, 404, 413, 422)
"""What an endpoint answers when the request itself is at fault."""
_UNAVAILABLE_STATUS = (401, 403, 429, 502, 503, 504)
"""What it answers when it takes no request at all now, whatever is in it."""
_FINISH_REASONS = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}


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
        return f"{self._model} at {self._base_url}"

    async def generate(self, request: GenerationRequest) -> Generated:
        """Makes one sample. Cancelling closes the connection, by which an endpoint knows to stop."""
        if self._client is None:
            raise EngineError("the engine is not started")
        import openai

        try:
            answer = await self._client.completions.create(
                model=self._model,
                prompt=request.prompt,
                temperature=request.temperature,
                top_p=request.top_p,
                max_tokens=request.max_tokens,
                stop=list(request.stop) or None,
                seed=request.seed,
                n=1,
                logprobs=1,  # 0 means "the sampled token's alone" to some endpoints and "none" to others
            )
        except openai.APIStatusError as error:
            if error.status_code in _REFUSED_STATUS:
                raise EngineRequestRefused(f"{self._base_url} refuses the request: {error.message}") from error
            kind = EngineUnavailable if error.status_code in _UNAVAILABLE_STATUS else EngineError
            raise kind(f"{self._base_url} answered {error.status_code}: {error.message}") from error
        except openai.APITimeoutError as error:
            raise EngineError(f"{self._base_url} took too long: {error}") from error
        except openai.APIConnectionError as error:
            raise EngineUnavailable(f"{self._base_url} can't be reached: {error}") from error
        except openai.APIError as error:
            raise EngineError(f"{self._base_url} failed: {error}") from error
        if not answer.choices:
            raise EngineError(f"{self._base_url} answered with no completion")
        choice = answer.choices[0]
        if choice.finish_reason not in _FINISH_REASONS:
            raise EngineRequestRefused(f"{self._base_url} held the completion back: {choice.finish_reason}")
        token_count, cumulative_logprob = _tokens(choice)
        if token_count is None and answer.usage is not None:
            token_count = answer.usage.completion_tokens
        return Generated(
            request.work_id,
            choice.text.encode("utf-8", "surrogatepass"),
            token_count,
            cumulative_logprob,
            _FINISH_REASONS[choice.finish_reason],
        )

    async def stop(self) -> None:
        """Closes the connections."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()


def _tokens(choice: CompletionChoice) -> tuple[int | None, float | None]:
    """How many tokens, and the sum of their log-probabilities, where the endpoint sent them."""
    sent = None if choice.logprobs is None else choice.logprobs.token_logprobs
    if not sent:
        return None, None
    known = [logprob for logprob in sent if logprob is not None]
    return len(sent), sum(known) if len(known) == len(sent) else None
