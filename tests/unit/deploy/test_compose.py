"""compose.yaml is what Docker Compose takes, and its Prometheus is the one of deploy/monitoring but for the address.

`compose` is Docker Compose v2's own program in a wheel; `config` needs no engine.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[3] / "deploy"

found = importlib.util.find_spec("compose")
if found is None or found.origin is None:
    missing = "Docker Compose isn't installed; pip install 'codesieve[dev]'"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{missing} (CI has to have it)", pytrace=False)
    pytest.skip(missing, allow_module_level=True)
PROGRAM = Path(str(found.origin)).with_name("docker-compose")


def config(*arguments: str, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [str(PROGRAM), *arguments, "config", "--format", "json"],
        cwd=DEPLOY,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    model: dict[str, Any] = json.loads(done.stdout)
    return model


def test_compose_takes_it_and_publishes_on_loopback_only() -> None:
    services = config("-f", "compose.yaml", "--profile", "model")["services"]
    assert services.keys() == {"codesieve", "model", "postgres", "prometheus", "grafana"}
    published = {name: [port["host_ip"] for port in service.get("ports", [])] for name, service in services.items()}
    assert {ip for ips in published.values() for ip in ips} == {"127.0.0.1"}
    for name, service in services.items():
        assert service["restart"] == "unless-stopped", name
        assert "privileged" not in service, name
        mounted = [volume.get("source", "") for volume in service.get("volumes", [])]
        assert not [source for source in mounted if "docker.sock" in source], name
        assert name == "codesieve" or "healthcheck" in service, name  # codesieve's is its image's


def test_the_door_puts_tokens_and_tls_before_the_network() -> None:
    front_end = config("-f", "compose.yaml", "-f", "compose.door.yaml", TLS_NAME="judge.example")["services"][
        "codesieve"
    ]
    (port,) = front_end["ports"]
    assert "host_ip" not in port
    assert "--insecure" not in front_end["command"]
    assert [option.partition("=")[0] for option in front_end["command"][-3:]] == ["--tokens", "--tls-cert", "--tls-key"]
    assert front_end["healthcheck"]["test"][-1] == "judge.example"
    secrets = {secret["source"] for secret in front_end["secrets"]}
    assert secrets == {"postgres_password", "tokens.toml", "tls.crt", "tls.key", "ca.crt"}
    open_command = config("-f", "compose.yaml")["services"]["codesieve"]["command"]
    assert front_end["command"][:4] == open_command[:4], "both files start the front end by the same script"


def test_prometheus_scrapes_as_deploy_monitoring_says() -> None:
    inline = config("-f", "compose.yaml")["configs"]["prometheus"]["content"]
    told = (DEPLOY / "monitoring/prometheus.yml").read_text()
    assert yaml.safe_load(inline) == yaml.safe_load(told.replace("127.0.0.1:9464", "codesieve:9464"))


def test_what_is_mounted_is_there() -> None:
    for name, service in config("-f", "compose.yaml")["services"].items():
        for volume in service.get("volumes", []):
            if volume["type"] == "bind":
                assert Path(volume["source"]).exists(), (name, volume["source"])
        for option in service.get("security_opt", []):
            if option.startswith("seccomp="):
                assert json.loads((DEPLOY / option.partition("=")[2]).read_text())["defaultAction"] == "SCMP_ACT_ALLOW"


def test_cells_can_be_made_under_the_containers_list_of_system_calls() -> None:
    (denied,) = json.loads((DEPLOY / "docker/seccomp.json").read_text())["syscalls"]
    assert not {"clone", "clone3", "unshare", "mount", "umount2", "pivot_root", "seccomp"} & set(denied["names"])
    assert {"bpf", "ptrace", "kexec_load", "init_module", "io_uring_setup", "setns"} <= set(denied["names"])


def test_the_images_are_made_of_extras_that_there_are() -> None:
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]
    dockerfile = (DEPLOY / "docker/Dockerfile").read_text()
    (line,) = [line for line in dockerfile.splitlines() if line.startswith("ARG EXTRAS=")]
    asked = set(line.partition("=")[2].split(","))
    asked |= set(
        config("-f", "compose.yaml", "--profile", "model")["services"]["model"]["build"]["args"]["EXTRAS"].split(",")
    )
    assert asked <= project["optional-dependencies"].keys()
    needed = {line.split()[1] for line in dockerfile.splitlines() if line.startswith("COPY") and "--from" not in line}
    ignored = (DEPLOY.parent / ".dockerignore").read_text().splitlines()
    assert needed <= {line.lstrip("!") for line in ignored if line.startswith("!")}
