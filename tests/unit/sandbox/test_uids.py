"""Blocks of user ids: never held twice, free again when their holder is gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from codesieve.workers.errors import SandboxUnavailable
from codesieve.workers.sandbox.namespaces import subordinate_range
from codesieve.workers.sandbox.uids import (
    BLOCK_SIZE,
    FIRST_UID,
    UidBlocks,
    UidRange,
    identity_of,
    own_range,
    usable_range,
)


def test_blocks_do_not_overlap_and_are_never_held_twice(tmp_path: Path) -> None:
    blocks = UidBlocks(tmp_path / "uids", UidRange(1000, 3))
    others = UidBlocks(tmp_path / "uids", UidRange(1000, 3))
    held = [blocks.take(), others.take(), blocks.take()]
    assert [block.first for block in held] == [1000, 1000 + BLOCK_SIZE, 1000 + 2 * BLOCK_SIZE]
    with pytest.raises(SandboxUnavailable, match="all 3 blocks"):
        others.take()
    held[1].release()
    held[1].release()
    assert blocks.take().first == 1000 + BLOCK_SIZE
    assert others.try_take(1) is None


def test_a_dead_holder_frees_its_block(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from codesieve.workers.sandbox.uids import UidBlocks, UidRange
block = UidBlocks(Path({str(tmp_path)!r}), UidRange(1000, 1)).take()
print("held", flush=True)
input()
"""
    blocks = UidBlocks(tmp_path, UidRange(1000, 1))
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert blocks.try_take(0) is None
        holder.kill()
    assert blocks.try_take(0) is not None


def test_the_usual_range_is_used_where_it_is_mapped() -> None:
    assert usable_range("         0          0 4294967295\n", "a") == own_range("a")
    for identity in map(str, range(100)):
        uids = own_range(identity)
        assert uids.first >= FIRST_UID
        assert uids.first + uids.blocks * BLOCK_SIZE <= 2**31


def test_a_runtime_directory_keeps_its_identity(tmp_path: Path) -> None:
    here, there = identity_of(tmp_path / "here"), identity_of(tmp_path / "there")
    assert here == identity_of(tmp_path / "here") != there
    assert own_range(here) != own_range("another")


def test_inside_a_user_namespace_the_range_lies_within_what_is_mapped() -> None:
    uids = usable_range("0 100000 65536\n", "a")
    assert uids.blocks >= 4
    assert uids.first > 0
    assert uids.first + uids.blocks * BLOCK_SIZE < 65534


def test_too_few_mapped_ids_are_refused() -> None:
    with pytest.raises(SandboxUnavailable, match="only 1 user ids"):
        usable_range("0 1000 1\n", "a")


def test_subordinate_ids_of_a_user_without_root() -> None:
    assert subordinate_range("root:100000:65536\n", "root:100000:65536\n", 0) == UidRange(100000, 1024)
    with pytest.raises(SandboxUnavailable, match="usermod"):
        subordinate_range("root:100000:65536\n", "root:200000:65536\n", 0)
