"""Who tidies up, and when: the sweep of dead workers' leftovers, and the roots that nobody uses."""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
from typing import TYPE_CHECKING

from codesieve.workers.errors import SandboxUnavailable
from codesieve.workers.sandbox.image import UNUSED_SECONDS, lock_root, prepare_root, remove_old_roots
from codesieve.workers.sandbox.leftovers import Sweeper

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

OLD = 1_000_000.0


async def test_it_sweeps_again_and_again_whatever_happens() -> None:
    enough = threading.Event()
    swept: list[int] = []

    def sweep() -> None:
        swept.append(len(swept))
        if len(swept) == 1:
            raise SandboxUnavailable("the engine is away")
        if len(swept) == 3:
            enough.set()

    sweeper = Sweeper(sweep, every_seconds=0.001)
    sweeper.start()
    assert await asyncio.to_thread(enough.wait, 20)
    await sweeper.stop()
    count = len(swept)
    await asyncio.sleep(0.02)
    assert len(swept) == count


async def test_a_stop_waits_for_the_sweep_under_way() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def sweep() -> None:
        begun.set()
        go_on.wait(20)
        done.set()

    sweeper = Sweeper(sweep, every_seconds=0.001)
    sweeper.start()
    await asyncio.to_thread(begun.wait, 20)
    stopping = asyncio.create_task(sweeper.stop())
    await asyncio.sleep(0.01)
    assert not stopping.done()
    go_on.set()
    await stopping
    assert done.is_set()


async def test_stopping_what_never_started_is_nothing() -> None:
    await Sweeper(lambda: None, 1).stop()


def age(path: Path) -> None:
    os.utime(path, (OLD, OLD))


def make(roots: Path, name: str) -> Path:
    root = roots / name
    (root / "usr").mkdir(parents=True)
    lock = lock_root(root, fcntl.LOCK_SH)
    assert lock is not None
    os.close(lock)
    return root


def test_roots_that_nobody_uses_go_after_a_day(tmp_path: Path) -> None:
    kept, old, used, fresh = (make(tmp_path, name) for name in ("kept", "old", "used", "fresh"))
    (tmp_path / "making-x" / "usr").mkdir(parents=True)
    held = lock_root(used, fcntl.LOCK_SH)
    assert held is not None
    for root in (kept, old, used):
        age(tmp_path / f"{root.name}.lock")
    age(tmp_path / "making-x")
    os.utime(tmp_path / "fresh.lock", (OLD + UNUSED_SECONDS / 2,) * 2)
    remove_old_roots(tmp_path, kept, OLD + UNUSED_SECONDS + 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "fresh", "fresh.lock", "kept", "kept.lock", "used", "used.lock",
    ]  # fmt: skip
    os.close(held)
    remove_old_roots(tmp_path, kept, OLD + UNUSED_SECONDS + 1)
    assert not used.exists()
    assert fresh.exists()


def test_a_root_is_locked_as_long_as_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codesieve.workers.sandbox.image.collect_files", dict)
    monkeypatch.setattr("codesieve.workers.sandbox.image.roots_directory", lambda runtime_dir: tmp_path)
    first, second = prepare_root(tmp_path), prepare_root(tmp_path)
    assert first.path == second.path
    assert (first.path / "usr/bin").is_dir()
    for root in (first, second):
        assert lock_root(root.path, fcntl.LOCK_EX | fcntl.LOCK_NB) is None
        root.release()
    lock = lock_root(first.path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert lock is not None
    os.close(lock)


def test_a_lock_of_a_root_that_was_removed_meanwhile_is_taken_anew(tmp_path: Path) -> None:
    root = make(tmp_path, "root")
    collector = lock_root(root, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert collector is not None
    found: list[int | None] = []
    waiting = threading.Thread(target=lambda: found.append(lock_root(root, fcntl.LOCK_SH)))
    waiting.start()
    (tmp_path / "root.lock").unlink()
    os.close(collector)
    waiting.join(20)
    assert found[0] is not None
    assert os.fstat(found[0]).st_ino == (tmp_path / "root.lock").stat().st_ino
    os.close(found[0])
