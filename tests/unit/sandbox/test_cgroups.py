"""Where control groups are found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codesieve.workers.sandbox.backend import CellSpec
from codesieve.workers.sandbox.cgroups import CellGroup, Groups, find_groups

if TYPE_CHECKING:
    from pathlib import Path

OWN = "4:memory:/here\n3:pids:/\n0::/\n"


def test_version_1_groups_are_made_below_ones_own(tmp_path: Path) -> None:
    for name in ("memory/here", "pids"):
        (tmp_path / name).mkdir(parents=True)
    assert find_groups(tmp_path, OWN, "me") == Groups("me", tmp_path / "memory/here", tmp_path / "pids")


def test_a_cell_goes_without_where_a_tree_is_missing(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    groups = find_groups(tmp_path, OWN, "me")
    assert "only each program is bounded" in groups.describe()
    assert groups.make(3, CellSpec(2**30, 2**20)) == CellGroup()


def test_version_2_groups_bound_memory_and_processes(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").touch()
    groups = find_groups(tmp_path, "0::/\n", "me")
    group = groups.make(3, CellSpec(2**30, 2**20))
    place = tmp_path / "codesieve" / "codesieve-me-0003"
    assert (place / "memory.max").read_text() == str(2**30)
    assert int((place / "pids.max").read_text()) > 0
    assert group.procs == (str(place / "cgroup.procs"),)
    assert group.oom_counter == str(place / "memory.events")
