"""Where each of a job's samples has its place, so that what is known of them fits in arrays.

A job knows from the start which samples it may have: those of each problem at each temperature are neighbours, by their
index. So a place is found from a sample's id, with one entry in memory for each problem and temperature, and none for each
sample.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping

from codesieve.server.jobs.model import JobContents, JobSpec, group_of, sample_id


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """The samples of one problem at one temperature."""

    problem_id: str
    temperature: float | None
    first: int
    """The place of the sample with the index 0."""
    size: int

    @property
    def places(self) -> slice:
        return slice(self.first, self.first + self.size)


class Places:
    """The places of a job's samples, from 0."""

    def __init__(self, sizes: Mapping[tuple[str, float | None], int]) -> None:
        """`sizes` tells how many samples each problem has at each temperature."""
        groups: list[Group] = []
        self.total = 0
        for (problem_id, temperature), size in sizes.items():
            groups.append(Group(problem_id, temperature, self.total, size))
            self.total += size
        self.groups: tuple[Group, ...] = tuple(groups)
        self._numbers = {
            group_of(sample_id(group.problem_id, group.temperature, 0))[0]: number
            for number, group in enumerate(self.groups)
        }

    def of(self, name: str) -> tuple[Group, int]:
        """The group of the sample with this id, and its place."""
        front, index = group_of(name)
        group = self.groups[self._numbers[front]]
        return group, group.first + index


def places_of(spec: JobSpec, contents: JobContents) -> Places:
    """Those of all samples that the job may have."""
    if spec.generation is not None:
        size = spec.generation.samples_per_problem
        pairs = ((problem.problem_id, one) for problem in contents.problems for one in spec.generation.temperatures)
        return Places(dict.fromkeys(pairs, size))
    return Places(_sizes(((one.problem_id, one.temperature), one.index) for one in contents.recorded or ()))


def _sizes(indices: Iterable[tuple[tuple[str, float | None], int]]) -> Mapping[tuple[str, float | None], int]:
    """Of recorded samples, some of whose indices may be missing: those of a job that was cancelled."""
    sizes: collections.defaultdict[tuple[str, float | None], int] = collections.defaultdict(int)
    for pair, index in indices:
        sizes[pair] = max(sizes[pair], index + 1)
    return sizes
