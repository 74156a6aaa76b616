"""Does a trainer wait for its rewards, and for which part: the engines, or the judge."""

from __future__ import annotations

from deploy.monitoring import bounds, promql
from deploy.monitoring.dashboards import shared
from deploy.monitoring.panels import COUNT, PER_SECOND, SECONDS, SHARE, Line, Variable, board, graph, number
from deploy.monitoring.promql import highest, per_second, quantile, select, total

from codesieve.server.sharing import Priority
from codesieve.workers import catalogue as c
from codesieve.workers.types import Verdict

INTERACTIVE = f'priority="{Priority.INTERACTIVE.value}"'
STREAM = 'source="stream"'
MODEL, WORKER = 'model=~"$model"', 'worker=~"$worker"'
ENGINE = (MODEL, WORKER)
OF = ("model", "worker")
NAMED = "{{model}} {{worker}}"

_COUNTED, _NOW = c.ENGINE_COUNTERS, c.ENGINE_GAUGES
IDLE = f"avg (rate({select(_COUNTED['idle_seconds'], *ENGINE)}[$__rate_interval]))"


def training() -> str:
    tokens = _COUNTED["generation_tokens"]
    return board(
        "codesieve-training",
        "codesieve: training",
        "Does a trainer wait for its rewards, and for which part of the service.",
        (
            Variable("model", "Model", tokens, "model"),
            Variable("worker", "Worker", tokens, "worker", MODEL),
        ),
        (
            ("Is the trainer fed?", _rewards()),
            ("Engines", _engines()),
            ("Requests", _requests()),
            ("vLLM's own", _vllm()),
        ),
    )


def _rewards() -> list[shared.Panel]:
    passed = per_second(c.SAMPLES_JUDGED, STREAM, f'verdict="{Verdict.PASSED.value}"')
    return [
        graph(
            "Reward latency",
            "From a completion's coming by a Judge stream to its answer, of interactive streams.",
            SECONDS,
            *(Line(quantile(q, c.REWARD_SECONDS, INTERACTIVE), f"p{q * 100:g}") for q in (0.5, 0.95, 0.99)),
            alert_above=bounds.REWARD_SECONDS,
        ),
        graph(
            "Reward latency against idle engines",
            "p95 by priority (left), and the share of time in which engines had nothing to do (right). Both high: the "
            "judge is what is slow; see the sandboxes. Latency high, engines busy: the trainer shares them.",
            SECONDS,
            Line(quantile(0.95, c.REWARD_SECONDS, by=("priority",)), "p95 {{priority}}"),
            Line(IDLE, "engines idle", right_unit=SHARE),
        ),
        graph(
            "Waiting for the judge",
            "How long programs waited for a sandbox worker, and the age of the oldest that waits now.",
            SECONDS,
            *(Line(quantile(q, c.QUEUE_SECONDS, 'hop="judge"'), f"p{q * 100:g}") for q in (0.5, 0.95)),
            Line(highest(c.OLDEST_SECONDS, 'hop="judge"'), "oldest"),
            alert_above=bounds.JUDGE_WAITING_SECONDS,
        ),
        shared.verdicts(
            "Completions of streams, by kind; an outage is no reward, and is unjudged.",
            Line(per_second(c.SAMPLES_JUDGED, STREAM, by=("verdict",)), "{{verdict}}"),
            Line(per_second(c.SAMPLES_UNJUDGED, STREAM), "unjudged"),
            width=12,
        ),
        graph(
            "Share that passed",
            "Of the streams' completions with a verdict.",
            SHARE,
            Line(f"{passed} / {per_second(c.SAMPLES_JUDGED, STREAM)}", "passed"),
            width=12,
            highest=1,
        ),
    ]


def _engines() -> list[shared.Panel]:
    queries, hits, steps = (_COUNTED[name] for name in ("prefix_cache_queries", "prefix_cache_hits", "steps"))
    tokens = _COUNTED["generation_tokens"]
    return [
        graph(
            "Tokens per second",
            "Sampled, and prompt tokens of requests whose first token was sampled.",
            PER_SECOND,
            Line(per_second(tokens, *ENGINE, by=("model",)), "{{model}} sampled"),
            Line(per_second(_COUNTED["prompt_tokens"], *ENGINE, by=("model",)), "{{model}} prompt"),
        ),
        graph(
            "Idle",
            "Share of the time in which an engine had nothing to do.",
            SHARE,
            Line(f"rate({select(_COUNTED['idle_seconds'], *ENGINE)}[$__rate_interval])", NAMED),
            highest=1,
            alert_above=bounds.ENGINE_IDLE_SHARE,
        ),
        graph(
            "Tokens in a pass",
            "Sampled tokens for each pass through the model: how well it is batched. No line: no pass was made.",
            COUNT,
            Line(f"{per_second(tokens, *ENGINE, by=OF)} / {per_second(steps, *ENGINE, by=OF)}", NAMED),
        ),
        graph(
            "Found in the prefix cache",
            "Share of the prompt tokens that were looked for. A problem's samples share its prompt.",
            SHARE,
            Line(f"{per_second(hits, *ENGINE, by=OF)} / {per_second(queries, *ENGINE, by=OF)}", NAMED),
            highest=1,
        ),
        graph(
            "Key-value cache",
            "Share that requests in flight hold.",
            SHARE,
            Line(select(_NOW["kv_cache_usage_ratio"], *ENGINE), NAMED),
            highest=1,
        ),
        graph(
            "Preemptions",
            "Requests that lost their place in the cache and were computed anew: it is too small for what is in flight.",
            PER_SECOND,
            Line(per_second(_COUNTED["preemptions"], *ENGINE, by=OF), NAMED),
        ),
    ]


def _requests() -> list[shared.Panel]:
    first = per_second(_COUNTED["first_tokens"], *ENGINE, by=("model",))
    return [
        graph(
            "Requests in the engine",
            "Computed now, and waiting inside it.",
            COUNT,
            Line(total(_NOW["requests_running"], *ENGINE, by=("model",)), "{{model}} running"),
            Line(total(_NOW["requests_waiting"], *ENGINE, by=("model",)), "{{model}} waiting"),
            width=6,
        ),
        graph(
            "Until the first token",
            "Mean, and its part until the engine's scheduler took the request up.",
            SECONDS,
            Line(f"{per_second(_COUNTED['first_token_seconds'], *ENGINE, by=('model',))} / {first}", "{{model}}"),
            Line(f"{per_second(_COUNTED['queue_seconds'], *ENGINE, by=('model',))} / {first}", "{{model}} in queue"),
            width=6,
        ),
        graph(
            "Requests ended per second",
            "By why: a stop sequence, the longest length, given up, or failed.",
            PER_SECOND,
            Line(per_second(c.ENGINE_FINISHED, *ENGINE, by=("model", "reason")), "{{model}} {{reason}}"),
            width=6,
            stacked=True,
        ),
        graph(
            "Calls to endpoints made again",
            "Of OpenAI-compatible endpoints: over their rate limit, or failed.",
            PER_SECOND,
            Line(per_second(c.ENGINE_RETRIES, *ENGINE, by=("model", "reason")), "{{model}} {{reason}}"),
            width=6,
        ),
    ]


def _vllm() -> list[shared.Panel]:
    of = ('pool=~"generation-$model"', WORKER)
    told = select(promql.VLLM_CACHE, *of)

    def quantiles(metric: promql.Foreign, name: str = "") -> list[Line]:
        return [Line(quantile(q, metric, *of), f"p{q * 100:g}{name}") for q in (0.5, 0.95)]

    return [
        graph(
            "vLLM: until the first token",
            "From a request's coming.",
            SECONDS,
            *quantiles(promql.VLLM_FIRST_TOKEN),
            width=6,
        ),
        graph(
            "vLLM: for each further token",
            "Mean of a request, over its requests.",
            SECONDS,
            *quantiles(promql.VLLM_TOKEN),
            width=6,
        ),
        graph(
            "vLLM: a whole request",
            "And its part in vLLM's own queue.",
            SECONDS,
            *quantiles(promql.VLLM_REQUEST),
            *quantiles(promql.VLLM_QUEUED, " in queue"),
            width=6,
        ),
        graph(
            "vLLM: requests",
            "Running and waiting, and how many end per second, by reason.",
            COUNT,
            Line(total(promql.VLLM_RUNNING, *of), "running"),
            Line(total(promql.VLLM_WAITING, *of), "waiting"),
            Line(per_second(promql.VLLM_ENDED, *of, by=("finished_reason",)), "{{finished_reason}} per second"),
            width=6,
        ),
        number(
            "Key-value cache of each vLLM engine",
            "As vLLM tells it.",
            COUNT,
            Line(
                f"sum by (pool, worker, num_gpu_blocks, block_size) ({told})",
                "{{pool}} {{worker}}: {{num_gpu_blocks}} blocks of {{block_size}} tokens",
            ),
            width=24,
            names=True,
        ),
    ]
