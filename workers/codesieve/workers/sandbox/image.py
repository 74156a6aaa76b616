"""This machine's own Python as a cell's root, so that a cell can be made without any network.

The interpreter, its standard library and the shared libraries that they need are copied once into a directory that is
named by what is in it. The namespace backend mounts that directory read-only; the Docker backend imports it as an image.
Whoever uses a root holds a lock beside it; roots that nobody has used for a day are removed.
A copy, and not mounts of the original: the original may lie where other users can't read (a pyenv in /root), and a part of
the standard library is left out.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from importlib import metadata
from pathlib import Path, PurePosixPath

from codesieve.workers.errors import SandboxUnavailable

PREFIX = PurePosixPath("/usr/local")
"""Where the interpreter lies in a cell."""
LAYOUT = 4
"""Goes up when `prepare_root` lays the same files out in another way."""
LEFT_OUT = {
    "site-packages",
    "dist-packages",
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "ensurepip",
    "lib2to3",
}
TEST_RUNNER = ("pytest", "iniconfig", "packaging", "pluggy", "pygments")
LEFT_OUT_MODULE = re.compile(r"^(_tkinter|_test|_ctypes_test|xx|_xx)|\.opt-[12]\.pyc$")
FIXED_FILES = {
    "etc/passwd": "root:x:0:0:root:/:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "oom_counter": "",
}
DIRECTORIES = ("proc", "dev", "sys", "tmp", "codesieve", "usr/bin", "bin")
UNUSED_SECONDS = 24 * 3600.0
"""After which a root or an image that nobody uses goes. Making it again takes two seconds."""
SYSTEM_LIBRARIES = ("/lib", "/usr/lib")


def collect_files() -> dict[PurePosixPath, Path]:
    """Every file of the root, by where it lies in the cell. Raises SandboxUnavailable where the interpreter is odd."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    base = Path(sys.base_prefix)
    interpreter = base / "bin" / version
    if not interpreter.exists():
        raise SandboxUnavailable(
            f"{interpreter} isn't there, so this Python can't be copied into cells; name an --image"
        )
    files = {PREFIX / "bin" / "python3": interpreter.resolve()}
    roots = {
        Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix})),
        Path(sysconfig.get_path("platstdlib", vars={"platbase": sys.base_exec_prefix})),
    }
    for root in roots:
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if name not in LEFT_OUT and not name.startswith("config-")]
            for name in names:
                source = Path(folder, name)
                if not LEFT_OUT_MODULE.search(name) and source.is_file():
                    files[PREFIX / source.relative_to(base)] = source
    # Debian's own Python looks for packages in a folder of another name.
    site = (
        PREFIX
        / "lib"
        / version
        / ("dist-packages" if "deb_system" in sysconfig.get_scheme_names() else "site-packages")
    )
    files.update({site / place: source for place, source in test_runner_files().items()})
    files.update(
        shared_libraries([path for path in files.values() if ".so" in path.name or path == interpreter.resolve()])
    )
    return files


def test_runner_files() -> dict[str, Path]:
    """pytest, where this Python has it, and what it needs: for test files of its form."""
    found = {}
    for package in TEST_RUNNER:
        try:
            files = metadata.files(package) or []
        except metadata.PackageNotFoundError:
            continue
        for file in files:
            source = Path(str(file.locate()))
            if ".." not in file.parts and source.suffix in (".py", "") and source.is_file():
                found[str(file)] = source
    return found


def shared_libraries(binaries: list[Path]) -> dict[PurePosixPath, Path]:
    """The libraries that `binaries` need and the loader. Raises SandboxUnavailable where ldd can't say."""
    try:
        listing = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        raise SandboxUnavailable(
            "ldd isn't there to find Python's libraries; install libc-bin or name an --image"
        ) from None
    paths = {Path(found) for found in re.findall(r"(/\S+) \(0x", listing)}
    home = next((path.parent for path in sorted(paths) if path.name.startswith("libc.")), Path("/usr/lib"))
    libraries = {}
    for path in paths:
        # A library in a place of its own was found by a path written into the binary; in the cell it lies beside libc.
        place = path.parent if str(path).startswith(SYSTEM_LIBRARIES) else home
        libraries[PurePosixPath(place / path.name)] = path
    return libraries


def digest(files: dict[PurePosixPath, Path]) -> str:
    """A short name for exactly these files."""
    content = hashlib.sha256(sys.version.encode())
    content.update(repr((LAYOUT, sorted(FIXED_FILES.items()), DIRECTORIES)).encode())
    for target, source in sorted(files.items()):
        status = source.stat()
        content.update(f"{target} {status.st_size} {status.st_mtime_ns}\n".encode())
    return content.hexdigest()[:12]


def roots_directory(runtime_dir: Path) -> Path:
    """Where roots are kept: the runtime directory, unless programs can't be run from it (Debian's /run)."""
    runtime_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.statvfs(runtime_dir).f_flag & os.ST_NOEXEC:
        return runtime_dir / "roots"
    place = Path("/var/tmp") / f"codesieve-{os.geteuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    if place.stat().st_uid != os.geteuid():
        raise SandboxUnavailable(f"{place} belongs to another user; remove it")
    return place / "roots"


@dataclasses.dataclass(slots=True)
class Root:
    """A root that is in use: it isn't removed before `release`, or before this process ends."""

    path: Path
    lock: int

    def release(self) -> None:
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


def prepare_root(runtime_dir: Path) -> Root:
    """The directory that is a cell's root, made if it isn't there. Takes a second or two the first time. Blocks."""
    files = collect_files()
    roots = roots_directory(runtime_dir)
    roots.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = roots / digest(files)
    lock = lock_root(path, fcntl.LOCK_SH)
    assert lock is not None
    try:
        if not path.is_dir():
            make_root(path, files)
        remove_old_roots(roots, path, time.time())
    except BaseException:
        os.close(lock)
        raise
    return Root(path, lock)


def contents_digest(root: Path) -> str:
    """A name for what is in a root, the same on every machine that has the same. Reads all of it. Blocks.

    Byte code is left out: it holds the times of the sources that it was made of.
    """
    whole = hashlib.sha256()
    for path in sorted(each for each in root.rglob("*") if each.is_file() and each.suffix != ".pyc"):
        with path.open("rb") as file:
            whole.update(f"{path.relative_to(root)} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return f"sha256:{whole.hexdigest()}"


def own_python_digest(runtime_dir: Path) -> str:
    """`contents_digest` of this machine's own root. Blocks."""
    root = prepare_root(runtime_dir)
    try:
        return contents_digest(root.path)
    finally:
        root.release()


def lock_root(path: Path, how: int) -> int | None:
    """The descriptor that locks a root; None where it is in use and `how` says not to wait."""
    name = path.with_name(path.name + ".lock")
    while True:
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, how)
            if how == fcntl.LOCK_SH:
                os.utime(lock)  # when it was last used
            if os.fstat(lock).st_ino == name.stat().st_ino:
                return lock
        except FileNotFoundError:
            pass
        except BlockingIOError:
            os.close(lock)
            return None
        os.close(lock)  # it was removed with its root while we waited


def remove_old_roots(roots: Path, keep: Path, now: float) -> None:
    """Removes the roots that nobody uses or has used for long, and what workers left that were killed while making one."""
    for path in roots.iterdir():
        if path == keep or not path.is_dir():
            continue
        lock_file = path.with_name(path.name + ".lock")
        try:
            last_used = (lock_file if lock_file.exists() else path).stat().st_mtime
        except FileNotFoundError:
            continue  # it has just been finished, or removed, by another worker
        if now - last_used < UNUSED_SECONDS:
            continue
        lock = lock_root(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if lock is not None:
            # By another name first: half a root must never look like one.
            doomed = Path(tempfile.mkdtemp(dir=roots, prefix="making-"))
            path.rename(doomed / "root")
            shutil.rmtree(doomed, ignore_errors=True)
            lock_file.unlink(missing_ok=True)
            os.close(lock)


def make_root(root: Path, files: dict[PurePosixPath, Path]) -> None:
    making = Path(tempfile.mkdtemp(dir=root.parent, prefix="making-"))
    try:
        for name in DIRECTORIES:
            (making / name).mkdir(parents=True, exist_ok=True)
        for name, text in FIXED_FILES.items():
            (making / name).parent.mkdir(parents=True, exist_ok=True)
            (making / name).write_text(text)
        for target, source in files.items():
            place = making / target.relative_to("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)
            # Python believes its byte code only while the source is as old as it was.
            os.utime(place, ns=(source.stat().st_atime_ns, source.stat().st_mtime_ns))
        for folder, folders, names in os.walk(making):
            for name in folders:
                os.chmod(Path(folder, name), 0o755)
            for name in names:
                runs = ".so" in name or folder.endswith("/bin")
                os.chmod(Path(folder, name), 0o755 if runs else 0o644)
        (making / "tmp").chmod(0o1777)  # Docker gives the mount on top of it the same mode
        making.chmod(0o755)
        try:
            making.rename(root)
        except OSError:
            if not root.is_dir():  # else another worker was first
                raise
    finally:
        if making.exists():
            shutil.rmtree(making)
