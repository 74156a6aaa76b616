"""What vLLM has in flight, and what keeps it from going on. All of it is touched by the engine's thread only.

Nothing is sampled while there is a *hold*: generation is paused, the engine sleeps, or the weights aren't whole. Requests
are given to vLLM all the same and wait in its queue. But while a pause lets what is in flight end, newer ones wait here,
since vLLM would begin with them.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from codesieve.workers.errors import (
    AdapterNotLoaded,
    EngineError,
    EngineRequestRefused,
    WeightsVersionChanged,
    WorkerError,
)
from codesieve.workers.generation import vllm_forms
from codesieve.workers.generation.vllm_counts import FirstTokens
from codesieve.workers.types import Generated, GenerationRequest

Waiting = tuple[GenerationRequest, Future[Generated]]


class Hold(enum.Enum):
    """Why nothing is sampled."""

    PAUSED = enum.auto()
    ASLEEP = enum.auto()
    WEIGHTS = enum.auto()
    """They aren't whole."""


class Flight:
    """The requests of one `LLMEngine`, by their ids in it."""

    def __init__(self, first_tokens: FirstTokens) -> None:
        """`first_tokens` are awaited of the requests that are traced."""
        self._first_tokens = first_tokens
        self.holds: set[Hold] = set()
        self.adapters: dict[str, Any] = {}
        """vLLM's `LoRARequest` by the adapter's name."""
        self._there: dict[str, Waiting] = {}
        self._later: dict[str, Waiting] = {}
        self._emptied: Future[None] | None = None
        """Of the pause that lets what is in flight end."""

    @property
    def moves(self) -> bool:
        """Whether vLLM has something to do, and may."""
        return bool(self._there) and not self.holds

    @property
    def idle(self) -> bool:
        """Whether there is no request at all."""
        return not self._there and not self._later

    def add(self, llm: Any, request_id: str, request: GenerationRequest) -> Future[Generated]:
        """Takes a request in; the future is of its sample. Raises a `WorkerError` for one that can't be served."""
        _check_version(llm, request)
        if request.adapter and request.adapter not in self.adapters:
            raise AdapterNotLoaded(f"no adapter {request.adapter} is loaded")
        finished = Future[Generated]()
        if self._emptied is None:
            self._give(llm, request_id, (request, finished))
        else:
            self._later[request_id] = request, finished
        return finished

    def abort(self, llm: Any, request_id: str) -> bool:
        """Takes a request out, if it is there; whether it was."""
        if self._later.pop(request_id, None) is not None:
            return True
        if self._there.pop(request_id, None) is None:
            return False
        self._first_tokens.take(request_id)
        llm.abort_request([request_id])
        return True

    def landed(self, request_id: str) -> Waiting | None:
        """Lets go of a request that vLLM has finished."""
        return self._there.pop(request_id, None)

    def stepped(self, llm: Any) -> None:
        """After each step: a pause that waited for the last of what was in flight begins."""
        if self._emptied is not None and not self._there:
            self.holds.add(Hold.PAUSED)
            self._end_emptying(llm)

    def empty(self) -> Future[None]:
        """Begins a pause that lets what is in flight end; the future is of that."""
        if self._emptied is not None:
            return self._emptied
        emptied = Future[None]()
        if self.moves:
            self._emptied = emptied
        else:  # nothing moves that could be waited for
            self.holds.add(Hold.PAUSED)
            succeed(emptied, None)
        return emptied

    def pause(self, llm: Any) -> None:
        """What is in flight stands still from now on."""
        self.holds.add(Hold.PAUSED)
        self._end_emptying(llm)

    def resume(self, llm: Any) -> None:
        """Ends a pause."""
        self.holds.discard(Hold.PAUSED)
        self._end_emptying(llm)

    def begin_again(self, llm: Any) -> None:
        """Gives up what is in flight, and has all of it made from its beginning."""
        there, self._there = self._there, {}
        llm.abort_request(list(there))
        for request_id in there:
            self._first_tokens.take(request_id)
        self._give_all(llm, there)

    def refuse(self, llm: Any, check: Callable[[GenerationRequest], None]) -> None:
        """Ends the requests for which `check` raises a `WorkerError`, with that."""
        for request_id, (request, finished) in [*self._there.items(), *self._later.items()]:
            try:
                check(request)
            except WorkerError as error:
                self.abort(llm, request_id)
                fail(finished, error)

    def new_version(self, llm: Any, version: str) -> None:
        """Other weights are there, and whole: what the old ones computed is forgotten, and who demands them is refused."""
        llm.set_weight_version(version)
        # Samples in flight go on from what they have, computed anew.
        llm.reset_prefix_cache(reset_running_requests=True)
        self.holds.discard(Hold.WEIGHTS)
        self.refuse(llm, lambda request: _check_version(llm, request))

    def end(self) -> list[Future[Any]]:
        """The answers that somebody waits for; the engine has ended."""
        answers: list[Future[Any]] = [finished for _, finished in (*self._there.values(), *self._later.values())]
        return answers if self._emptied is None else [*answers, self._emptied]

    def _give(self, llm: Any, request_id: str, waiting: Waiting) -> None:
        request, _ = waiting
        adapter = self.adapters.get(request.adapter)
        prompt, params = vllm_forms.prompt_of(llm, request), vllm_forms.params_of(request)
        llm.add_request(request_id, prompt, params, lora_request=adapter)
        self._there[request_id] = waiting
        if request.trace:
            self._first_tokens.expect(request_id)

    def _give_all(self, llm: Any, given: dict[str, Waiting]) -> None:
        for request_id, waiting in given.items():
            try:
                self._give(llm, request_id, waiting)
            except Exception as error:  # noqa: BLE001 - answered to the one who asked
                fail(waiting[1], as_worker_error(error))

    def _end_emptying(self, llm: Any) -> None:
        emptied, self._emptied = self._emptied, None
        later, self._later = self._later, {}
        self._give_all(llm, later)
        if emptied is not None:
            succeed(emptied, None)


def succeed(answer: Future[Any], result: Any) -> None:
    """Answers somebody who may have gone."""
    if answer.set_running_or_notify_cancel():
        answer.set_result(result)


def fail(answer: Future[Any], error: Exception) -> None:
    """The same with an error."""
    if answer.set_running_or_notify_cancel():
        answer.set_exception(error)


def as_worker_error(error: Exception) -> WorkerError:
    """What vLLM raised over one call."""
    from vllm.exceptions import VLLMClientError

    if isinstance(error, WorkerError):
        return error
    refused = isinstance(error, VLLMClientError | ValueError | TypeError)
    return (EngineRequestRefused if refused else EngineError)(one_line(error))


def one_line(error: BaseException) -> str:
    """An error of vLLM's, for people."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def _check_version(llm: Any, request: GenerationRequest) -> None:
    if request.weights_version:
        there = llm.get_weight_version()
        if there != request.weights_version:
            raise WeightsVersionChanged(f"the weights are {there} now, not {request.weights_version}")
