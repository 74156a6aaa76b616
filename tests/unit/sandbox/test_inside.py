"""What runs in a cell must run in any image with Python 3.8 or newer."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from codesieve.workers.sandbox import inside

FILES = sorted(Path(inside.__path__[0]).glob("*.py"))
MODULES = sys.stdlib_module_names | {"numpy", "pytest"}  # those two where the image has them
NEWER = {  # names of the standard library that came after 3.8, as they are written
    "removeprefix", "removesuffix", "waitstatus_to_exitcode", "pidfd_open", "to_thread", "pairwise", "batched", "bit_count",
    "is_relative_to", "randbytes", "add_note", "ExceptionGroup", "BaseExceptionGroup", "EncodingWarning", "aiter",
    "anext", "UTC", "StrEnum", "TaskGroup", "tomllib", "graphlib", "zoneinfo",
}  # fmt: skip


def test_there_is_something_to_look_at() -> None:
    assert len(FILES) > 4


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_is_python_3_8_of_the_standard_library(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    postponed = False
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert node.module is not None
            assert node.module.partition(".")[0] in MODULES, node.module
            postponed |= node.module == "__future__"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                assert alias.name.partition(".")[0] in MODULES, alias.name
        elif isinstance(node, ast.Attribute | ast.Name):
            name = node.attr if isinstance(node, ast.Attribute) else node.id
            assert name not in NEWER, f"{path.name}:{node.lineno}: {name} is newer than Python 3.8"
        elif isinstance(node, ast.Call):
            # zip(strict=), dataclass(slots=, kw_only=) and int.to_bytes() without arguments came later.
            assert not {keyword.arg for keyword in node.keywords} & {"strict", "slots", "kw_only"}, node.lineno
        elif isinstance(node, ast.Match if sys.version_info >= (3, 10) else ()):
            raise AssertionError(f"{path.name}:{node.lineno}: match came with Python 3.10")
    # `int | None` in an annotation is evaluated otherwise, which fails before 3.10.
    assert postponed or not any(isinstance(node, ast.AnnAssign | ast.FunctionDef) for node in ast.walk(tree))
