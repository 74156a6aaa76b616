"""Counting what vLLM does, step by step, in the engine's thread, and noting when the first token of a traced request came.

vLLM's own loggers are fed by its `IterationStats`, which keep the time between every two tokens: 2 microseconds for each
token of each request, in the thread that has the next step to take. On a GPU that is a few per cent of it. What is told
here needs none of that: the scheduler's own counts, and the outputs it hands over, looked at once on their way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from codesieve.workers.generation.tally import Tally
from codesieve.workers.generation.vllm_own import OwnMetrics

_FINISHED = {"stop": "finished_stop", "length": "finished_length", "abort": "finished_aborted"}


class FirstTokens:
    """When the first tokens came of those requests that are awaited, by our ids. While none is, a step costs nothing."""

    def __init__(self, now: Callable[[], int] = time.time_ns) -> None:
        self.now = now
        self._awaited: set[str] = set()
        self._came: dict[str, int] = {}
        self._states: dict[str, Any] = {}

    def attach(self, llm: Any) -> None:
        """Finds where vLLM keeps whose its own ids are."""
        self._states = llm.output_processor.request_states

    def expect(self, request_id: str) -> None:
        """Begins to wait for a request's; also for one that is made from its beginning again."""
        self._awaited.add(request_id)

    def step(self, outputs: Any) -> None:
        """The core gave these `EngineCoreOutputs`, which nobody has looked at yet."""
        if not self._awaited:
            return
        now = self.now()
        for one in outputs.outputs:
            if one.prefill_stats:  # they come with the first token
                ours = getattr(self._states.get(one.request_id), "external_req_id", None)
                if ours in self._awaited:
                    self._awaited.remove(ours)
                    self._came[ours] = now

    def take(self, request_id: str) -> int | None:
        """When it came, if it was awaited and did; waits no longer."""
        self._awaited.discard(request_id)
        return self._came.pop(request_id, None)


def count_steps(llm: Any, tally: Tally, own: OwnMetrics, first_tokens: FirstTokens) -> None:
    """Has `tally` count what the engine core of an `LLMEngine`, made with its statistics on, gives at each step.

    `own` are vLLM's own metrics, which are fed with the same, and so are `first_tokens`.
    """
    own.attach(llm)
    first_tokens.attach(llm)
    take = llm.engine_core.get_output

    def get_output() -> Any:
        outputs = take()
        _count(tally, outputs)
        own.begin(outputs)
        first_tokens.step(outputs)
        return outputs

    llm.engine_core.get_output = get_output
    # The scheduler goes on counting; what would be made of its counts for vLLM's own loggers is left out.
    llm.log_stats = False
    llm.logger_manager = None


def count_finished(tally: Tally, output: Any) -> None:
    """Counts a finished `RequestOutput`: the core doesn't know of stop sequences, which are found in the text."""
    tally.add(**{_FINISHED.get(output.outputs[0].finish_reason, "finished_failed"): 1})


def _count(tally: Tally, outputs: Any) -> None:
    scheduler = outputs.scheduler_stats
    if scheduler is None:
        return  # no step was taken
    more: dict[str, float] = {
        "steps": 1,
        "generation_tokens": sum([len(one.new_token_ids) for one in outputs.outputs]),
        "prefix_cache_queries": scheduler.prefix_cache_stats.queries,
        "prefix_cache_hits": scheduler.prefix_cache_stats.hits,
    }
    # Few steps have any: events come with a request's first token, and after it was preempted.
    for one in outputs.outputs:
        if one.events or one.prefill_stats:
            for name, by in _told_by(one, outputs.timestamp).items():
                more[name] = more.get(name, 0) + by
    tally.add(**more)
    tally.show(
        running=scheduler.num_running_reqs,
        waiting=scheduler.num_waiting_reqs + scheduler.num_skipped_waiting_reqs,
        kv_cache_usage_ratio=scheduler.kv_cache_usage,
    )


def _told_by(output: Any, now: float) -> dict[str, float]:
    """What one request's output tells beside its tokens."""
    from vllm.v1.engine import EngineCoreEventType

    events = output.events or ()
    told: dict[str, float] = {"preemptions": sum(event.type == EngineCoreEventType.PREEMPTED for event in events)}
    if output.prefill_stats:
        times = {event.type: event.timestamp for event in events}
        came = times.get(EngineCoreEventType.QUEUED, now)
        told["first_tokens"] = 1
        told["prompt_tokens"] = output.prefill_stats.num_prompt_tokens
        told["queue_seconds"] = times.get(EngineCoreEventType.SCHEDULED, came) - came
        told["first_token_seconds"] = now - came
    return told
