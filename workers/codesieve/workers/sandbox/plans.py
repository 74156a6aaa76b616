"""From a problem to what a cell is asked to do. Pure.

Tests are prepared once for a problem and used for all of its samples: each assertion of a check function is put between
two marks, so that the judge can tell what became of it; the names under test are found; and it is decided whether the tests
can be split from the program at all, and whether they could change more of the judge than their own namespace, in which
case they run in a fork of it.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import functools
import re
import sys

from codesieve.workers.sandbox.inside import frames
from codesieve.workers.types import AssertionTests, FunctionTests, Problem, ScriptTests, StdioTests

BEGIN, DONE = "__codesieve_begin__", "__codesieve_done__"
NAME_CHARACTERS = 300
BUILT_IN = frozenset(dir(builtins))
LINE_ENDS = re.compile(r"\r\n|\r|\n")
# Modules of which nothing that tests can name without an underscore or an assignment has lasting effect.
HARMLESS_MODULES = frozenset(
    [
        "__future__",
        "bisect",
        "cmath",
        "collections",
        "copy",
        "fractions",
        "heapq",
        "itertools",
        "json",
        "math",
        "re",
        "statistics",
        "string",
        "textwrap",
        "typing",
    ]
)
# Names and attributes by which code reaches past its own namespace, or past what syntax shows.
REACHING_NAMES = frozenset(
    [
        "__builtins__",
        "__import__",
        "breakpoint",
        "compile",
        "delattr",
        "eval",
        "exec",
        "exit",
        "getattr",
        "globals",
        "help",
        "input",
        "memoryview",
        "object",
        "open",
        "quit",
        "setattr",
        "super",
        "type",
        "vars",
    ]
)
REACHING_ATTRIBUTES = frozenset(["dispatch_table", "get_type_hints", "register"])
REACHING_PREFIXES = ("_", "ag_", "co_", "cr_", "f_", "gi_", "tb_")


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What the judge is sent for each program of a problem."""

    mode: int
    payload: bytes
    names: tuple[str, ...] = ()
    """Of the tests, in order."""


@functools.lru_cache(maxsize=4096)
def prepare(problem: Problem) -> Plan:
    """How the problem's function tests, assertions or script are run. stdio tests have no plan: each case is a run."""
    tests = problem.tests
    if isinstance(tests, FunctionTests):
        return split_function(problem, tests) or prepare_together(problem)
    if isinstance(tests, AssertionTests):
        return split_assertions(tests) or prepare_together(problem)
    if isinstance(tests, ScriptTests):
        payload = (to_bytes(tests.script), tests.framework.value.encode(), tests.module.encode())
        return Plan(frames.SCRIPT, frames.encode(*payload))
    raise TypeError(f"no plan for {type(tests).__name__}")


@functools.lru_cache(maxsize=1024)
def prepare_together(problem: Problem) -> Plan:
    """The same tests in the program's own process, where they can't be split."""
    tests = problem.tests
    if isinstance(tests, FunctionTests):
        source = f"{tests.check_function}\ncheck({problem.entry_point})"
        return Plan(frames.TOGETHER, frames.encode(to_bytes(source)))
    if isinstance(tests, AssertionTests):
        payload = frames.encode(to_bytes(tests.setup), *map(to_bytes, tests.assertions))
        return Plan(frames.TOGETHER, payload, tuple(map(short_name, tests.assertions)))
    raise TypeError(f"{type(tests).__name__} can't be run together with the program")


def checker_payload(tests: StdioTests, stdin: bytes, stdout: bytes, expected: bytes) -> bytes:
    """For `frames.CHECKER`: the checker sees text, with U+FFFD for what isn't UTF-8."""
    facts = facts_of(tests.checker)
    texts = (text.decode("utf-8", "replace") for text in (stdin, stdout, expected))
    return frames.encode(int(facts is not None and facts.leaves_no_trace), to_bytes(tests.checker), *texts)


def program_of(problem: Problem, completion: bytes) -> bytes:
    """The program: prompt + completion in HumanEval's form, else the completion alone.

    Text that isn't valid Unicode is kept as it is and won't compile.
    """
    if isinstance(problem.tests, FunctionTests):
        return to_bytes(problem.prompt) + completion + b"\n"
    return completion + b"\n"


def split_function(problem: Problem, tests: FunctionTests) -> Plan | None:
    """None where the tests can't be split from the program."""
    prelude = helpers_of(problem.prompt)
    before = facts_of(prelude) or Facts()
    tree = parsed(tests.check_function)
    names: tuple[str, ...] = ()
    source, warm, needed = tests.check_function, False, set[str]()
    if tree is not None:  # else it is no Python to this interpreter; the cell's may know it
        facts = look_through(tree)
        lines = [line.encode() for line in LINE_ENDS.split(tests.check_function)]
        names = tuple(name_of(node, lines) for node in facts.asserts)
        warm = facts.leaves_no_trace and before.leaves_no_trace
        needed = facts.free() - before.bound - BUILT_IN - {"check"}
        if facts.objects & (needed - sys.stdlib_module_names | {problem.entry_point}) - facts.bound:
            return None
        source = ast.unparse(Marker(facts.asserts).visit(tree))
    modules = needed & sys.stdlib_module_names - {problem.entry_point}
    payload = frames.encode(
        int(warm),
        to_bytes(prelude),
        " ".join(sorted(needed - modules | {problem.entry_point})),
        " ".join(sorted(modules)),
        problem.entry_point,
        len(names),
        to_bytes(source),
    )
    return Plan(frames.SPLIT, payload, names)


def split_assertions(tests: AssertionTests) -> Plan | None:
    """None where the tests can't be split from the program."""
    all_facts = [facts_of(source) for source in (tests.setup, *tests.assertions)]
    known = [facts for facts in all_facts if facts is not None]
    warm = len(known) == len(all_facts) and all(facts.leaves_no_trace for facts in known)
    defined, needed = set(BUILT_IN), set[str]()
    for facts in known:
        needed |= facts.free() - defined
        defined |= facts.bound
    if not needed and tests.assertions and len(known) == len(all_facts):
        # They use no name of the program's: it has a function of the name of the one built-in function that they all call.
        called = set.intersection(*(facts.called & BUILT_IN for facts in known[1:]))
        needed = called if len(called) == 1 else set()
    objects = set[str]().union(*(facts.objects for facts in known))
    if objects & (needed - sys.stdlib_module_names):
        return None
    modules = needed & sys.stdlib_module_names
    payload = frames.encode(
        int(warm),
        to_bytes(tests.setup),
        " ".join(sorted(needed - modules)),
        " ".join(sorted(modules)),
        "",
        len(tests.assertions),
        *map(to_bytes, tests.assertions),
    )
    names = tuple(map(short_name, tests.assertions))
    return Plan(frames.SPLIT, payload, names)


def helpers_of(prompt: str) -> str:
    """What the prompt defines, as source: the judge's own copies. "" where the prompt is no Python.

    A prompt ends with a function's head and docstring, or in the middle of its body.
    """
    return next(
        (
            source
            for ending in ("", "\n    pass\n", "\n        pass\n")
            if parsed(source := prompt + ending) is not None
        ),
        "",
    )


def parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def short_name(source: str) -> str:
    return " ".join(source.split())[:NAME_CHARACTERS]


def name_of(node: ast.Assert, lines: list[bytes]) -> str:
    """The assertion's own text, in one line. `lines` are the source's: ast counts columns in bytes of UTF-8."""
    last = node.end_lineno or node.lineno
    text = lines[node.lineno - 1 : last]
    text[-1] = text[-1][: node.end_col_offset]
    text[0] = text[0][node.col_offset :]
    return short_name(b"\n".join(text).decode("utf-8", "replace"))


class Marker(ast.NodeTransformer):
    """Puts each assert statement between its marks."""

    def __init__(self, asserts: list[ast.Assert]) -> None:
        self._index = {id(node): index for index, node in enumerate(asserts)}

    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        index = ast.Constant(self._index[id(node)])

        def mark(name: str) -> ast.stmt:
            return ast.Expr(ast.Call(ast.Name(name, ast.Load()), [index], []))

        return [mark(BEGIN), node, mark(DONE)]


@dataclasses.dataclass(slots=True)
class Facts:
    """What one walk through some source finds."""

    used: set[str] = dataclasses.field(default_factory=set)
    """Names that are read somewhere, at whatever level."""
    bound: set[str] = dataclasses.field(default_factory=set)
    """Names that are given a value somewhere, at whatever level."""
    called: set[str] = dataclasses.field(default_factory=set)
    """Names that are called by name somewhere."""
    objects: set[str] = dataclasses.field(default_factory=set)
    """Names in places where the judge's stand-in, a function, may not do: owners of attributes, operands, classes."""
    asserts: list[ast.Assert] = dataclasses.field(default_factory=list)
    leaves_no_trace: bool = True
    """Whether running it can change nothing but its own fresh namespace and what is made in it: it writes no attributes,
    declares no globals or classes, uses no attribute that reaches further or may be a module, none of `REACHING_NAMES`,
    and imports `HARMLESS_MODULES` only."""

    def free(self) -> set[str]:
        """Names that are used and never given a value: they are the program's, or built in."""
        return self.used - self.bound


def facts_of(source: str) -> Facts | None:
    """None where it is no Python."""
    tree = parsed(source)
    return None if tree is None else look_through(tree)


def look_through(tree: ast.AST) -> Facts:
    facts = Facts()
    used, bound = facts.used, facts.bound
    for node in ast.walk(tree):
        kind = type(node)
        if kind is ast.Name:
            name: str = node.id  # type: ignore[attr-defined]
            (used if type(node.ctx) is ast.Load else bound).add(name)  # type: ignore[attr-defined]
            if name in REACHING_NAMES or name.startswith("__"):
                facts.leaves_no_trace = False
        elif kind is ast.Attribute:
            name = node.attr  # type: ignore[attr-defined]
            if type(node.ctx) is not ast.Load or reaches_further(name):  # type: ignore[attr-defined]
                facts.leaves_no_trace = False
            add_names(facts.objects, node.value)  # type: ignore[attr-defined]
        elif kind is ast.Call:
            look_at_call(node, facts)  # type: ignore[arg-type]
        elif kind is ast.Compare:
            add_names(facts.objects, node.left, *node.comparators)  # type: ignore[attr-defined]
        elif kind is ast.BinOp:
            add_names(facts.objects, node.left, node.right)  # type: ignore[attr-defined]
        elif kind is ast.MatchClass:
            add_names(facts.objects, node.cls)  # type: ignore[attr-defined]
            if any(map(reaches_further, node.kwd_attrs)):  # type: ignore[attr-defined]
                facts.leaves_no_trace = False
        elif kind is ast.Assert:
            facts.asserts.append(node)  # type: ignore[arg-type]
        elif kind is ast.arg:
            bound.add(node.arg)  # type: ignore[attr-defined]
        elif kind in BINDING:
            look_at_binding(node, facts)
    facts.asserts.sort(key=lambda node: (node.lineno, node.col_offset))
    if not HARMLESS_MODULES.issuperset(facts.free() & sys.stdlib_module_names):  # the judge imports them for it
        facts.leaves_no_trace = False
    return facts


def reaches_further(attribute: str) -> bool:
    return (
        attribute.startswith(REACHING_PREFIXES)
        or attribute in REACHING_ATTRIBUTES
        or attribute in sys.stdlib_module_names
    )


def add_names(names: set[str], *parts: ast.expr | None) -> None:
    for part in parts:
        if isinstance(part, ast.Name):
            names.add(part.id)
        elif isinstance(part, ast.Tuple):
            add_names(names, *part.elts)


def look_at_call(node: ast.Call, facts: Facts) -> None:
    if isinstance(node.func, ast.Name):
        facts.called.add(node.func.id)
        if node.func.id in ("isinstance", "issubclass"):
            add_names(facts.objects, *node.args[1:])


BINDING = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Import,
    ast.ImportFrom,
    ast.ExceptHandler,
    ast.MatchAs,
    ast.MatchStar,
    ast.Global,
    ast.Await,
)


def look_at_binding(node: ast.AST, facts: Facts) -> None:
    if isinstance(node, ast.Import | ast.ImportFrom):
        facts.bound.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        if not HARMLESS_MODULES.issuperset(modules) or (
            isinstance(node, ast.ImportFrom)
            and modules != ["__future__"]
            and any(reaches_further(alias.name) for alias in node.names)
        ):
            facts.leaves_no_trace = False
        return
    name = getattr(node, "name", None)
    if name:
        facts.bound.add(name)
    if isinstance(node, ast.ClassDef):
        add_names(facts.objects, *node.bases)
    elif isinstance(node, ast.ExceptHandler):
        add_names(facts.objects, node.type)
    if isinstance(node, ast.ClassDef | ast.AsyncFunctionDef | ast.Global | ast.Await):
        facts.leaves_no_trace = False


def to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
