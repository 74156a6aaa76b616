"""An engine over any OpenAI-compatible endpoint, by its text completions or its chat, as a request's form asks.

Each request is one call with its own seed, made again by the rules of `patience` where it failed on the way or met a rate
limit; the SDK's own retries wait each for itself, and no longer than two minutes. top_k and min_p are no part of OpenAI's
API, and an endpoint that doesn't know them may pass over them in silence; they are sent only to servers that are known to
take them. `openai_forms` tells the rest.
"""

from __future__ import annotations

import asyncio
import functools
import time
from typing import TYPE_CHECKING

from codesieve.workers.errors import EngineError, EngineRequestRefused, EngineUnavailable, ModelNotFound
from codesieve.workers.generation import openai_forms
from codesieve.workers.generation.patience import Patience, TryAgain, retry_after_seconds
from codesieve.workers.generation.tally import Tally
from codesieve.workers.origin import EngineOrigin, settings
from codesieve.workers.types import EngineStats, FinishReason, Generated, GenerationRequest, PromptForm

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_START_TIMEOUT_SECONDS = 10.0
_PASSING_STATUS = (408, 409, 425, 429)
"""What an endpoint answers when the same request may do later; any 5xx says so as well."""
_REFUSED_STATUS = (400, 404, 413, 422)
"""What an endpoint answers when the request itself is at fault."""
_UNAVAILABLE_STATUS = (401, 403, 429, 502, 503, 504)
"""What it answers when it takes no request at all now, whatever is in it."""
_SERVERS_WITH_TOP_K = ("vllm", "sglang", "llamacpp")
"""What owns the models of servers that take top_k and min_p, by their lists of models."""


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
        self._terms = openai_forms.Terms()
        self._patience = Patience(tried_again=self._tried_again)
        self._tally = Tally()
        self._in_flight = 0

    async def start(self) -> str:
        """Asks the endpoint for its models. Raises `EngineUnavailable` naming the URL, or `ModelNotFound`."""
        try:
            import openai
        except ImportError as error:
            raise EngineUnavailable("the openai package is not installed; pip install 'codesieve[openai]'") from error
        # The SDK wants a key of some kind; endpoints of one's own seldom ask for one.
        client = openai.AsyncOpenAI(base_url=self._base_url, api_key=self._api_key or "none", max_retries=0)
        try:
            page = await client.with_options(timeout=_START_TIMEOUT_SECONDS).models.list()
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
        self._tally = Tally()
        self._tally.idle()
        self._model = self._model or listed[0]
        self._owner = next((model.owned_by for model in page.data if model.id == self._model), "")
        return f"{self._model} at {self._base_url}"

    def origin(self) -> EngineOrigin:
        """The endpoint's model, which is all that it tells; what stands behind it may change without a word."""
        return EngineOrigin(settings=settings(model=self._model, owned_by=self._owner))

    async def generate(self, request: GenerationRequest) -> Generated:
        """Makes one sample. Cancelling closes the connection, by which an endpoint knows to stop."""
        if self._client is None:
            raise EngineError("the engine is not started")
        if (request.top_k or request.min_p) and self._owner not in _SERVERS_WITH_TOP_K:
            raise EngineRequestRefused(
                f"top_k and min_p are no part of OpenAI's API, and {self._base_url} doesn't say that it is a server that "
                f"takes them ({', '.join(_SERVERS_WITH_TOP_K)})"
            )
        self._in_flight += 1
        self._tally.busy()
        self._tally.show(running=self._in_flight)
        ended = "finished_failed"
        try:
            made = await self._made(self._client, request)
            ended = "finished_stop" if made.finish_reason is FinishReason.STOP else "finished_length"
        except asyncio.CancelledError:
            ended = "finished_aborted"
            raise
        finally:
            self._in_flight -= 1
            self._tally.add(**{ended: 1})
            self._tally.show(running=self._in_flight)
            if not self._in_flight:
                self._tally.idle()
        return made

    def stats(self) -> EngineStats:
        """Requests by how they ended, calls that were made again, and the tokens that the endpoint says it used."""
        return self._tally.stats()

    async def _made(self, client: AsyncOpenAI, request: GenerationRequest) -> Generated:
        while True:
            terms = self._terms
            ask = functools.partial(self._ask, client, request, terms)
            try:
                answer = await self._patience.run(ask)
            except EngineRequestRefused as error:
                fewer = terms.after(error.message, request)
                if fewer == terms:
                    raise
                self._terms = self._terms.and_also(fewer)
            else:
                if answer is not None:
                    self._tally.add(
                        prompt_tokens=answer.prompt_tokens, generation_tokens=answer.used or len(answer.logprobs)
                    )
                return openai_forms.generated(request, answer, self._base_url)

    def _tried_again(self, retry_after_seconds: float | None) -> None:
        self._tally.add(**{"retries_failure" if retry_after_seconds is None else "retries_rate_limit": 1})

    async def _ask(
        self, client: AsyncOpenAI, request: GenerationRequest, terms: openai_forms.Terms
    ) -> openai_forms.Answer | None:
        import openai

        body = openai_forms.body_of(request, self._model, terms)
        try:
            if request.prompt_form is PromptForm.CHAT:
                return openai_forms.chat_answer(await client.chat.completions.create(**body))
            return openai_forms.completion_answer(await client.completions.create(**body))
        except openai.APIStatusError as error:
            if error.status_code in _REFUSED_STATUS:
                raise EngineRequestRefused(f"{self._base_url} refuses the request: {error.message}") from error
            kind = EngineUnavailable if error.status_code in _UNAVAILABLE_STATUS else EngineError
            failed = kind(f"{self._base_url} answered {error.status_code}: {error.message}")
            # An account that is used up answers as a rate limit does, and no waiting helps.
            passing = error.status_code in _PASSING_STATUS or error.status_code >= 500
            if passing and error.code != "insufficient_quota":
                raise TryAgain(failed, retry_after_seconds(error.response.headers, time.time())) from error
            raise failed from error
        except openai.APITimeoutError as error:
            raise TryAgain(EngineError(f"{self._base_url} took too long: {error}"), None) from error
        except openai.APIConnectionError as error:
            raise TryAgain(EngineUnavailable(f"{self._base_url} can't be reached: {error}"), None) from error
        except openai.APIError as error:
            raise EngineError(f"{self._base_url} failed: {error}") from error

    async def stop(self) -> None:
        """Closes the connections."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()
