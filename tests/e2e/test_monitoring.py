"""Every expression of every dashboard and rule, asked of a real Prometheus that scrapes a real server under real work.

The work is a job, and a trainer's stream with programs that pass, fail, tamper and leave things behind; a sandbox worker is
killed meanwhile. Each expression then has to be valid and to have data: what is empty would be an empty graph, or an alert
that can't fire. The dashboards are drawn at the end; with CODESIEVE_MONITORING_SECONDS=240 the work lasts so long, and
``--basetemp DIR`` says where the pictures are.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deploy.monitoring import generate, promql, recorded
from deploy.monitoring.alerts import ALERTS
from deploy.monitoring.picture import draw
from deploy.monitoring.query import Prometheus, Span, finite, panels
from tests.e2e.processes import descendants, wait_for
from tests.e2e.prometheus import SCRAPE_SECONDS, PrometheusServer

from codesieve.client import Client, FunctionTests, Generation, JudgeItem, Problem
from codesieve.server import datasets
from codesieve.workers import catalogue

SECONDS = float(os.environ.get("CODESIEVE_MONITORING_SECONDS", "0"))
"""How long there is work at least."""

pytestmark = [pytest.mark.prometheus, pytest.mark.namespaces, pytest.mark.timeout(420 + SECONDS)]

DATA_SECONDS = 180
"""Within this time all of it has to be there."""
BOARDS = sorted((generate.HERE / generate.DASHBOARDS).glob("*.json"))

PROBLEMS, SAMPLES = 8, 4
"""Of the job."""
DOUBLE = Problem(
    problem_id="double",
    prompt="def double(x):\n",
    entry_point="double",
    tests=FunctionTests("def check(candidate):\n    assert candidate(3) == 6\n"),
)
PROGRAMS = {
    "passes": b"    return 2 * x\n",
    "fails": b"    return x\n",
    "tampers": b"""
    import os
    for fd in range(3, 256):
        try:
            os.write(fd, b"PASSED" * 8)
        except OSError:
            pass
""",
    "leaves a process": b"""
    import os, time
    if os.fork() == 0:
        os.setsid()
        os.closerange(0, 256)
        time.sleep(600)
    return 2 * x
""",
}
NOT_HERE = {name.name: "Ray exports nothing without ray[default], which codesieve doesn't need" for name in promql.RAY}
"""What has no data in this run, and why."""
NOT_WITHOUT_VLLM = {name.name: "only vLLM has them" for name in promql.VLLM}
COUNTED_BY_VLLM = ("steps", "first_tokens", "prefix_cache_queries")
"""What a replay of samples never does: shares of it are nothing of nothing (NaN)."""


def expressions() -> Iterator[tuple[str, str]]:
    """Where each stands, and what it is."""
    for path in BOARDS:
        board = json.loads(path.read_text())
        for panel in panels(board):
            for query in panel.get("targets", ()):
                yield f"{path.stem}, {panel['title']}", query["expr"]
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                series, label = variable["query"].removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
                yield f"{path.stem}, the choice of {variable['name']}", f"count by ({label}) ({series}) > 0"
    for rule in recorded.RECORDED:
        yield rule.name, rule.expression
    for alert in ALERTS:
        for condition in alert.conditions:
            yield alert.name, condition.figure


def unmeasured(api: Prometheus) -> list[str]:
    """The metrics of the catalogue that nobody told of."""
    return [
        metric.name
        for metric in catalogue.described()
        if not api.at(promql.select(metric, ending="_count" * isinstance(metric, catalogue.HistogramOf)), time.time())
    ]


def without_data(api: Prometheus, span: Span, lacking: set[str], never: set[str]) -> list[str]:
    """The expressions that gave nothing, or no number; those that name what is `lacking` are let be, and of those that
    name what `never` happens a series is enough."""
    found = []
    for where, expression in expressions():
        if any(name in expression for name in lacking):
            continue
        series = api.over(span.fill(expression), span)
        if not any(finite(one) for one in series) and not (series and any(name in expression for name in never)):
            found.append(f"{where}: {expression}")
    return found


def work(server: Any, model: str, rounds: Iterator[int], kill: bool = False) -> None:
    """A job, and a stream. With `kill` a sandbox worker dies in the midst of the stream."""
    number = next(rounds)

    def items() -> Iterator[JudgeItem]:
        for place, (name, body) in enumerate(PROGRAMS.items()):
            yield JudgeItem(f"{name}", "double", body + f"# {number}\n".encode())
            if kill and place == 1:
                os.kill(sandbox_worker(server), signal.SIGKILL)
        yield JudgeItem("again", "double", b"    return 2 * x\n")

    with Client(server.address) as client:
        judged = {one.id: one.judgement.verdict for one in client.judge(items(), [DOUBLE])}
        assert (judged["passes"], judged["fails"], judged["tampers"]) == ("PASSED", "FAILED", "TAMPERED"), judged
        generation = Generation(
            model=model, samples_per_problem=SAMPLES, temperatures=(0.8,), max_tokens=24, seed=number, top_p=1.0
        )
        client.run("humaneval", generation, limit=PROBLEMS)


def sandbox_worker(server: Any) -> int:
    """The process of a sandbox worker: the one below which cells are."""
    hosts: list[int] = server.descendants("ray::_Host")
    return next(pid for pid in hosts if descendants(pid, "from inside import agent"))


@pytest.fixture
def start_prometheus(tmp_path: Path) -> Iterator[Callable[[str], PrometheusServer]]:
    running: list[PrometheusServer] = []

    def start(metrics: str) -> PrometheusServer:
        running.append(PrometheusServer(tmp_path / "prometheus", metrics))
        return running[-1]

    yield start
    for one in running:
        one.stop()


def recording(path: Path) -> Path:
    """Samples that a replay can give."""
    lines = [
        {"task_id": problem.problem_id, "completion": f"{problem.canonical_solution}# {i}\n", "token_count": 20}
        for problem in datasets.load("humaneval")[:PROBLEMS]
        for i in range(SAMPLES)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize("engine", ["replay", pytest.param("vllm", marks=pytest.mark.vllm)])
def test_every_expression_of_every_dashboard_and_rule_has_data(
    start_server: Callable[..., Any], start_prometheus: Callable[[str], PrometheusServer], tmp_path: Path, engine: str
) -> None:
    model = f"replay:{recording(tmp_path / 'recorded.jsonl')}" if engine == "replay" else "smollm2"
    server = start_server("--sandbox", "namespaces", "--model", model)
    prometheus = start_prometheus(server.metrics)
    api = prometheus.api
    begin = time.time()
    with Client(server.address) as client:
        name = client.models.list()[0].name
    wait_for(lambda: {("front-end", ""), ("sandbox", "0"), ("generation", "0")} <= prometheus.up(), 60)

    lacking, never = set(NOT_HERE), set[str]()
    if any(component == "ray" for component, _ in prometheus.up()):
        lacking.clear()
    if engine == "replay":
        lacking |= set(NOT_WITHOUT_VLLM)
        never |= {catalogue.ENGINE_COUNTERS[name].name for name in COUNTED_BY_VLLM}
    rounds = itertools.count()
    work(server, name, rounds)
    work(server, name, rounds, kill=True)
    while time.time() < begin + SECONDS:
        work(server, name, rounds)
    until = time.monotonic() + DATA_SECONDS
    while True:
        work(server, name, rounds)
        span = Span(begin, time.time(), SCRAPE_SECONDS)
        missing = without_data(api, span, lacking, never)
        if not missing or time.monotonic() > until:
            break
    assert missing == []
    assert unmeasured(api) == []

    # What was done is what is told.
    for metric in (catalogue.WORKERS_LOST, catalogue.TAMPER_ATTEMPTS, catalogue.CACHE_HITS, catalogue.CELL_LEAKS):
        told = [one.points[-1][1] for one in api.at(promql.increase(metric, over="10m"), time.time())]
        assert told, metric.name
        assert told[0] > 0, metric.name
    assert {rule["name"]: rule["health"] for rule in api.rules()} == {
        one.name: "ok" for one in (*recorded.RECORDED, *ALERTS)
    }
    for board in BOARDS:
        picture = tmp_path / f"{board.stem}.png"
        draw(api, board, picture, span)
        assert picture.stat().st_size > 50_000
