"""What the Docker backend makes of an engine's description of itself."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import docker.errors
import pytest
import requests

from codesieve.workers.errors import SandboxUnavailable
from codesieve.workers.sandbox.docker import RUNSC_FLAGS, is_gvisor, remove, uid_range, unbounded
from codesieve.workers.sandbox.docker_images import remove_old_images
from codesieve.workers.sandbox.uids import BLOCK_SIZE, own_range

if TYPE_CHECKING:
    from collections.abc import Callable

RUNSC = {"path": "/usr/bin/runsc", "runtimeArgs": list(RUNSC_FLAGS)}
NOW = datetime.datetime(2026, 1, 10, tzinfo=datetime.UTC)


def test_a_runtime_that_is_not_registered_is_refused_with_the_mend() -> None:
    with pytest.raises(SandboxUnavailable, match=r"runsc install -- --network=none --host-uds=open --oci-seccomp && "):
        is_gvisor("runsc", {"runc": {"path": "runc"}})
    with pytest.raises(SandboxUnavailable, match=r"no runtime 'kata'; add it to /etc/docker/daemon.json"):
        is_gvisor("kata", {"runc": {"path": "runc"}})


def test_gvisor_is_known_by_its_program_and_needs_its_flags() -> None:
    assert is_gvisor("runsc", {"runsc": RUNSC})
    assert is_gvisor("other", {"other": {**RUNSC, "runtimeArgs": [flag[1:] for flag in RUNSC_FLAGS]}})
    assert not is_gvisor("runc", {"runc": {"path": "runc"}})
    for lacking in RUNSC_FLAGS:
        given = [flag for flag in RUNSC_FLAGS if flag != lacking]
        with pytest.raises(SandboxUnavailable, match=f"lacks {lacking} .*runsc install"):
            is_gvisor("runsc", {"runsc": {**RUNSC, "runtimeArgs": given}})
    with pytest.raises(SandboxUnavailable, match="lacks --network=none"):
        is_gvisor("runsc", {"runsc": {"path": "/usr/bin/runsc"}})


@pytest.mark.parametrize("option", ["name=rootless", "name=userns"])
def test_an_engine_that_maps_ids_gets_small_ones(option: str) -> None:
    uids = uid_range({"SecurityOptions": ["name=seccomp,profile=default", option]}, "a")
    assert 0 < uids.first < uids.first + uids.blocks * BLOCK_SIZE < 65536
    assert uid_range({"SecurityOptions": ["name=seccomp,profile=default"]}, "a") == own_range("a")
    assert uid_range({"SecurityOptions": None}, "a") == own_range("a")


def test_what_an_engine_cannot_bound_is_said() -> None:
    assert unbounded({"MemoryLimit": True, "PidsLimit": True}) == ""
    assert "a cell's memory and processes" in unbounded({"MemoryLimit": False, "PidsLimit": False})
    assert "a cell's processes" in unbounded({"MemoryLimit": True})


class FakeContainer:
    short_id = "abc"

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def remove(self, force: bool) -> None:
        assert force
        if self.error is not None:
            raise self.error

    def wait(self, condition: str) -> None:
        assert condition == "removed"


def test_an_engine_that_is_gone_is_no_crash() -> None:
    remove(FakeContainer(None))
    remove(FakeContainer(docker.errors.NotFound("gone")))
    remove(FakeContainer(docker.errors.APIError("removal of container abc is already in progress")))
    for error in (requests.ConnectionError("refused"), docker.errors.APIError("no")):
        with pytest.raises(SandboxUnavailable, match="container abc can't be removed"):
            remove(FakeContainer(error))


class FakeImages:
    """An engine's images: each with its age in hours, or an error on removal."""

    def __init__(self, images: dict[str, float], stuck: Callable[[str], Exception | None]) -> None:
        self.images = images
        self.stuck = stuck
        self.removed: list[str] = []

    def list(self, name: str) -> list[Any]:
        assert name == "codesieve-cell"
        return [FakeImage(tag, NOW - datetime.timedelta(hours=age)) for tag, age in self.images.items()]

    def remove(self, tag: str) -> None:
        error = self.stuck(tag)
        if error is not None:
            raise error
        self.removed.append(tag)


class FakeImage:
    def __init__(self, tag: str, made: datetime.datetime) -> None:
        self.tags = [tag]
        self.attrs = {"Created": made.strftime("%Y-%m-%dT%H:%M:%S.123456789Z")}


class FakeEngine:
    def __init__(self, images: FakeImages) -> None:
        self.images = images


def test_old_images_go_but_the_one_in_use() -> None:
    in_use = docker.errors.APIError("conflict: container x is using it")
    images = FakeImages(
        {"codesieve-cell:now": 50, "codesieve-cell:new": 1, "codesieve-cell:old": 25, "codesieve-cell:used": 60},
        lambda tag: in_use if tag.endswith("used") else None,
    )
    remove_old_images(FakeEngine(images), "codesieve-cell:now", NOW)
    assert images.removed == ["codesieve-cell:old"]
