"""How a cell is found clean, and made so."""

from __future__ import annotations

import os

from . import frames

POSIX_IPC = ("/dev/shm", "/dev/mqueue")


class Dirty(Exception):
    """This cell can't prove that it is clean."""


def writable_places() -> tuple[str, ...]:
    """The mounted directories that every user may write to. The cell's root is read-only."""
    places = []
    with open("/proc/mounts") as file:
        for line in file:
            _, path, kind, options = line.split()[:4]
            path = path.encode().decode("unicode_escape")
            if kind in ("proc", "sysfs", "devpts") or "rw" not in options.split(","):
                continue
            if os.path.isdir(path) and os.stat(path).st_mode & 0o002:
                places.append(path)
    return tuple(places)


def system_v_rows() -> int:
    rows = 0
    for name in ("shm", "msg", "sem"):
        with open("/proc/sysvipc/" + name) as file:
            rows += len(file.readlines()) - 1
    return rows


def find_leftovers(scratch: str, places: tuple[str, ...], uids: tuple[int, ...]) -> tuple[set[int], int]:
    """The users of whom something lies in `places`, and of what kind it is (``frames.LEFT_...``).

    Raises Dirty where it is another's than one of `uids`.
    """
    try:
        os.rmdir(scratch)  # empty after most programs
    except OSError:
        pass  # it isn't there, or isn't empty: the places say so
    owners, kinds = set(), 0
    for place in places:
        for name in os.listdir(place):
            owners.add(os.lstat(os.path.join(place, name)).st_uid)
            kinds |= frames.LEFT_IPC if place in POSIX_IPC else frames.LEFT_FILES
    if not owners <= set(uids):
        raise Dirty(f"a file of user {min(owners - set(uids))} lies in {' or '.join(places)}")
    return owners, kinds


def wipe(uid: int, places: tuple[str, ...]) -> None:
    """Removes all that `uid` owns at the top of `places`, in a process of that user's. Raises Dirty where it can't."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            for place in places:
                remove_all(uid, place)
            status = 0
        finally:
            os._exit(status)
    if os.waitpid(pid, 0)[1] != 0:
        raise Dirty("a program left files that can't be removed")


def remove_all(uid: int, place: str) -> None:
    """Directories are flattened as they are met (each subdirectory is moved up beside its parent), so that no depth, and
    no path longer than the system takes, is in the way.
    """
    doomed = [
        path for path in (os.path.join(place, name) for name in os.listdir(place)) if os.lstat(path).st_uid == uid
    ]
    count = 0
    while doomed:
        path = doomed.pop()
        if os.path.islink(path) or not os.path.isdir(path):
            os.unlink(path)
            continue
        os.chmod(path, 0o700)
        for entry in list(os.scandir(path)):
            if entry.is_dir(follow_symlinks=False):
                count += 1
                moved = os.path.join(place, f"wipe-{uid}-{count}-{os.urandom(4).hex()}")
                os.chmod(entry.path, 0o700)
                os.rename(entry.path, moved)
                doomed.append(moved)
            else:
                os.unlink(entry.path)
        os.rmdir(path)
