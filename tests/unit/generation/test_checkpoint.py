"""The digest of a checkpoint's files: what it is of, and when it is told."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.checkpoints import digest_by_the_shell

from codesieve.workers.generation import checkpoint
from codesieve.workers.generation.checkpoint import Checkpoint, files_of

KNOWN = "5458bd6593311304ab02a65e641121be29864871dffdce1a5b3fa2857314221f"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    directory = tmp_path / "model"
    (directory / "tokenizer").mkdir(parents=True)
    (directory / "model.safetensors").write_bytes(bytes(range(256)) * 10_000)  # more than is read at a time
    (directory / "config.json").write_text('{"hidden_size": 8}\n')
    (directory / "tokenizer/vocab.txt").write_text("a\nb\n")
    # Sorts before "tokenizer/" by bytes, and after it part by part.
    (directory / "tokenizer-2.txt").write_text("")
    (directory / os.fsdecode(b"odd\n\xff.txt")).write_text("odd")
    return directory


def digest(directory: Path) -> str:
    return ended(Checkpoint(directory))


def ended(made: Checkpoint) -> str:
    """What is told once the engine has loaded the files, and they are read."""
    made.loaded()
    if made._thread.is_alive():
        made._thread.join(30)
    assert not made._thread.is_alive()
    return made.digest


def test_it_is_what_the_protos_line_of_shell_makes_and_stays_so(model: Path) -> None:
    assert digest(model) == digest_by_the_shell(model) == KNOWN


def change_a_byte(model: Path) -> None:
    with (model / "model.safetensors").open("r+b") as file:
        file.seek(2_000_000)
        file.write(b"\xee")


@pytest.mark.parametrize(
    "change",
    [
        change_a_byte,
        lambda model: (model / "tokenizer/vocab.txt").rename(model / "tokenizer/words.txt"),
        lambda model: (model / "tokenizer/vocab.txt").rename(model / "vocab.txt"),
        lambda model: (model / "tokenizer-2.txt").unlink(),
        lambda model: (model / "more.json").write_text(""),
        lambda model: (model / "config.json").write_text('{"hidden_size": 8}'),
    ],
)
def test_another_checkpoint_has_another(model: Path, change: Callable[[Path], object]) -> None:
    before = digest(model)
    change(model)
    assert digest(model) not in (before, "")


def test_where_it_lies_and_how_its_files_are_listed_changes_nothing(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest(model)
    shutil.copytree(model, tmp_path / "copy")
    walk = os.walk

    def backwards(top: Path, onerror: Callable[[OSError], object]) -> Iterator[tuple[str, list[str], list[str]]]:
        for folder, folders, names in walk(str(top), onerror=onerror):
            folders.reverse()
            yield folder, folders, names[::-1]

    monkeypatch.setattr(os, "walk", backwards)
    assert digest(tmp_path / "copy") == before


def test_a_hubs_snapshot_of_links_has_that_of_its_files(model: Path, tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "hub/blobs", tmp_path / "hub/snapshots/0123abc"
    (snapshot / "tokenizer").mkdir(parents=True)
    blobs.mkdir()
    for number, name in enumerate(files_of(model)):
        shutil.copy(model / name, blobs / str(number))
        (snapshot / name).symlink_to(os.path.relpath(blobs / str(number), (snapshot / name).parent))
    assert digest(snapshot) == digest(model) == digest_by_the_shell(snapshot)
    (tmp_path / "link").symlink_to(snapshot)
    assert digest(tmp_path / "link") == digest(model)


def test_what_is_no_file_of_the_checkpoint_is_left_out(model: Path, tmp_path: Path) -> None:
    before = digest(model)
    (model / ".cache/huggingface").mkdir(parents=True)
    (model / ".cache/huggingface/x.lock").write_text("x")
    (model / ".gitattributes").write_text("x")
    os.mkfifo(model / "pipe")
    (model / "leads-nowhere").symlink_to(tmp_path / "none")
    (model / "round").symlink_to(model)
    (model / "empty").mkdir()
    assert digest(model) == digest_by_the_shell(model) == before


def test_it_is_told_once_the_engine_has_loaded_the_files(model: Path) -> None:
    made = Checkpoint(model)
    made._thread.join(0.2)
    assert made._thread.is_alive()
    assert made.digest == "", "they may change still"
    assert ended(made) == digest(model)


@pytest.mark.parametrize("same_time", [False, True])
def test_files_that_changed_while_they_were_loaded_are_not_told(
    model: Path, same_time: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody knows which of them the engine has."""
    made = Checkpoint(model)
    time.sleep(0.05)  # file systems count time in the kernel's ticks
    times = os.stat(model / "model.safetensors")
    change_a_byte(model)
    if same_time:
        os.utime(model / "model.safetensors", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert ended(made) == ""
    (said,) = (vars(record) for record in caplog.records)
    assert (said["levelno"], said["directory"]) == (logging.WARNING, str(model))
    assert said["error"] == "its files changed while they were loaded"


def test_what_cannot_be_read_is_not_told_and_said(
    model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert digest(model / "none") == ""
    made = Checkpoint(model)
    shutil.rmtree(model)
    assert ended(made) == ""
    assert len(caplog.records) == 2
    assert "No such file" in vars(caplog.records[0])["error"]


def test_who_stops_waits_for_no_large_file(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "_BUFFER_BYTES", 1)  # it takes seconds
    with (model / "model.safetensors").open("ab") as file:
        file.truncate(2**30)
    made = Checkpoint(model)
    made.stop()
    made._thread.join(30)
    assert not made._thread.is_alive()
    assert made.digest == ""
