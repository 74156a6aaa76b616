"""What early stop saves, by simulation: HumanEval's size, pass rates drawn from a Beta distribution.

    python -m tests.benchmarks.early_stop_saving [--samples 200] [--passes 5] [--flight 128] [--seed 1]

Requests are offered as a job offers them (`planned_requests`), so many in flight at a time, and finish after times that are
drawn (a failing sample takes twice as long). The rule is the job's own (`EarlyStopper`), told of each as it finishes; what
is under way of a problem that stops is cancelled. The engine's time is that of all samples, the cancelled ones' up to then.
"""

from __future__ import annotations

import argparse
import heapq
import random
import sys

import numpy as np
from rich.console import Console
from rich.table import Table

from codesieve.server.evaluation.report import build
from codesieve.server.evaluation.sample import NOT_MADE, ScoredSamples
from codesieve.server.evaluation.stopping import EarlyStop
from codesieve.server.jobs.early import EarlyStopper
from codesieve.server.jobs.model import GenerationSpec, JobContents, JobSpec, planned_requests, sample_id
from codesieve.server.jobs.places import Group, places_of
from codesieve.workers.types import FunctionTests, Integrity, Judgement, Limits, Problem, Verdict

PROBLEMS = 164
KS = (1, 10, 100)


def simulate(samples: int, rule: EarlyStop, flight: int, beta: tuple[float, float], seed: int, table: Table) -> None:
    rng = random.Random(seed)
    problems = tuple(Problem(f"p/{i}", "", "f", FunctionTests("")) for i in range(PROBLEMS))
    rates = {problem.problem_id: rng.betavariate(*beta) for problem in problems}
    generation = GenerationSpec("m", (0.8,), samples, 0.95, 512, (), 1, early_stop=rule)
    spec, contents = JobSpec(generation, Limits(), KS, "simulated", 0), JobContents(problems, None)
    places = places_of(spec, contents)
    passed = np.full(places.total, NOT_MADE, np.int8)
    stopper = EarlyStopper(places, rule, passed)
    running: list[tuple[float, float, str, bool]] = []
    waiting = planned_requests("j", spec, contents)
    now = busy = whole = 0.0

    def finish() -> None:
        nonlocal now, busy
        now, begun, name, passes = heapq.heappop(running)
        busy += now - begun
        verdict = Verdict.PASSED if passes else Verdict.FAILED
        group = stopper.group(name)
        stopper.ended(name, Judgement(name, verdict, Integrity.SPLIT))
        if not stopper.wants(group):
            for one in [one for one in running if stopper.group(one[2]) == group]:
                busy += now - one[1]
                running.remove(one)
            heapq.heapify(running)

    for _, request in waiting:
        passes = rng.random() < rates[request.problem_id]
        seconds = rng.expovariate(1.0) * (1.0 if passes else 2.0)
        whole += seconds
        name = sample_id(request.problem_id, request.temperature, request.index)
        while len(running) >= flight:
            finish()
        if stopper.wants(stopper.group(name)):
            heapq.heappush(running, (now + seconds, now, name, passes))
    while running:
        finish()

    def scored(group: Group) -> ScoredSamples:
        nothing = np.full(group.size, np.nan)
        return ScoredSamples(group.problem_id, 0.8, passed[group.places], np.ones(group.size, np.int32), nothing)

    (told,) = build(map(scored, places.groups), KS, (0.8,), rule)
    exact = [sum(1 - (1 - rate) ** k for rate in rates.values()) / PROBLEMS for k in KS]
    table.add_row(
        f"Beta({beta[0]:g}, {beta[1]:g})",
        f"{told.samples:,}",
        f"{told.samples_surplus:,}",
        f"{told.samples_saved / told.samples_planned:.1%}",
        f"{1 - busy / whole:.1%}",
        ", ".join(f"{one.value:.1%} ({true:.1%})" for one, true in zip(told.pass_at_k, exact, strict=True)),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Simulates what early stop saves.")
    parser.add_argument("--samples", type=int, default=200, help="of each problem, at most")
    parser.add_argument("--passes", type=int, default=5, help="after which a problem stops")
    parser.add_argument("--flight", type=int, default=128, help="samples in flight")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    samples, passes, flight = options.samples, options.passes, options.flight
    title = f"{PROBLEMS} problems, at most {samples} samples of each, {passes} passes, {flight} in flight"
    table = Table(title=title, title_justify="left")
    for column in ("pass rates", "count", "surplus", "saved", "engine time saved", "pass@1, @10, @100 (true)"):
        table.add_column(column, justify="right")
    for beta in ((0.5, 0.5), (0.3, 1.2), (0.2, 3.0)):
        simulate(samples, EarlyStop(passes=passes), flight, beta, options.seed, table)
    Console(highlight=False, width=140).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
