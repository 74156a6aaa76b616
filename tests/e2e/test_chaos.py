"""A job goes on whatever is killed: one random schedule of harm, and two front ends of which one dies.

`make chaos SCHEDULES=20` runs many. CODESIEVE_CHAOS_SEED names a schedule to run again.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator

import pytest
from tests.e2e.chaos.schedule import Laboratory, Setup

pytestmark = [
    pytest.mark.namespaces,
    pytest.mark.postgres,
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.geteuid() != 0, reason="a small disk and an engine of its own take root"),
]


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with Laboratory(tmp_path_factory.mktemp("chaos"), say) as laboratory:
        yield laboratory


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


@pytest.mark.docker
def test_a_job_survives_a_random_schedule_of_harm(laboratory: Laboratory) -> None:
    given = os.environ.get("CODESIEVE_CHAOS_SEED")
    seed = int(given) if given else random.SystemRandom().randrange(10**6)
    say(f"CODESIEVE_CHAOS_SEED={seed}")  # shown with the test's failure
    laboratory.run(seed, Setup.of(seed))


def test_a_job_of_a_front_end_that_dies_is_ended_by_another(laboratory: Laboratory) -> None:
    laboratory.two_front_ends()
