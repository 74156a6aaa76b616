"""vLLM's own Prometheus metrics (``vllm:*``), kept up from when somebody first reads them.

vLLM makes them when the engine is built and feeds them by its `IterationStats`, which look at every token of every request,
in the thread that has the next step to take. So its loggers are off (see `vllm_counts`), and its Prometheus logger is given
the same statistics here, of each step and of each request's first token and end: all of its metrics but the time between two
tokens (``vllm:inter_token_latency_seconds`` stays empty; ``vllm:request_time_per_output_token_seconds`` has its mean).
That costs about a tenth of a millisecond a step, and nothing a token. Requests whose first token came before aren't told of.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from codesieve.workers.faults import outline

log = logging.getLogger(__name__)


class OwnMetrics:
    """Those of one `LLMEngine`. All but `keep` belongs to the engine's thread."""

    def __init__(self) -> None:
        self._kept = False
        self._loggers: list[Any] = []
        self._states: dict[str, Any] = {}
        self._step: tuple[Any, Any] | None = None
        """What the core gave at this step, and the `IterationStats` made of it; None while nothing is kept."""

    def keep(self) -> None:
        """Keeps them up from the next step on."""
        self._kept = True

    def attach(self, llm: Any) -> None:
        """Finds the logger; before it is taken from the engine."""
        from vllm.v1.metrics.loggers import PrometheusStatLogger

        self._loggers = [one for one in llm.logger_manager.stat_loggers if isinstance(one, PrometheusStatLogger)]
        self._states = llm.output_processor.request_states

    def begin(self, outputs: Any) -> None:
        """The core gave these `EngineCoreOutputs`, which nobody has looked at yet."""
        self._step = None
        if self._kept and outputs.scheduler_stats is not None:
            self._safely(lambda: self._begin(outputs))

    def finished(self, output: Any) -> None:
        """This `RequestOutput` is a request's last."""
        if self._step is not None:
            step = self._step
            self._safely(lambda: _finished(*step, output))

    def stepped(self) -> None:
        """The step is over."""
        if self._step is not None:
            outputs, iteration = self._step
            self._step = None
            for logger in self._loggers:
                self._safely(lambda logger=logger: logger.record(outputs.scheduler_stats, iteration))  # type: ignore[misc]

    def _begin(self, outputs: Any) -> None:
        from vllm.v1.metrics.stats import IterationStats, LoRARequestStates

        iteration, adapters = IterationStats(), LoRARequestStates()  # the latter keeps nothing
        for one in outputs.outputs:
            known = self._states.get(one.request_id) if one.events or one.prefill_stats else None
            if known is None:
                iteration.num_generation_tokens += len(one.new_token_ids)
            elif known.is_prefilling:
                iteration.update_from_output(one, outputs.timestamp, True, known.stats, adapters, None)
            else:
                iteration.num_generation_tokens += len(one.new_token_ids)
                iteration.update_from_events(one.request_id, one.events or (), False, known.stats, adapters, None)
        self._step = outputs, iteration

    def _safely(self, do: Callable[[], None]) -> None:
        """What fails here must not cost the engine: then no more is kept."""
        try:
            do()
        except Exception as error:  # noqa: BLE001 - whatever a later vLLM may raise
            log.error("vLLM's own metrics are kept no longer", extra={"error": outline(error)})
            self._kept, self._step = False, None


def _finished(outputs: Any, iteration: Any, output: Any) -> None:
    from vllm.v1.engine import FinishReason

    stats, sample = output.metrics, output.outputs[0]
    if not stats.first_token_ts:
        return
    stats.num_generation_tokens, stats.last_token_ts = len(sample.token_ids), outputs.timestamp
    reason = next((one for one in FinishReason if str(one) == sample.finish_reason), FinishReason.ERROR)
    prompt, cached = len(output.prompt_token_ids), output.num_cached_tokens or 0
    iteration.update_from_finished_request(reason, output.request_id, prompt, None, stats, cached)
