"""Runs a unittest or pytest file in the program's own process.

The program and what tests it share everything here, so a verdict is only ever SHARED. The plain ways to cheat are closed
all the same: leaving early leaves no report; what the runner and the script consist of is remembered before the program
can touch it and compared after each test; a test that the program has skipped has not passed; and no configuration that
the program may have left is read.
"""

from __future__ import annotations

import os
import sys
import time

from . import frames
from .candidate import as_bytes, classify, compile_program, describe, new_main, passes_through_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SCRIPT_FILE = "test_script.py"
# What an honest program may replace: none of it decides a test.
REPLACEABLE = ("print", "input", "open", "exit", "quit", "help", "copyright", "credits", "license", "_")
KEPT_TESTS = 200
SET_BY_UNITTEST = ("_classSetupFailed", "_class_cleanups", "tearDown_exceptions")


class Changed(Exception):
    """Something of the runner's is not what it was."""


class Memory:
    """What modules consisted of at one time."""

    def __init__(self) -> None:
        self.parts: list[tuple[Any, str, Any, tuple[Any, ...]]] = []
        self.modules: dict[str, Any] = {}
        self.names: list[tuple[type, set[str]]] = []

    def remember(self, modules: dict[str, Any]) -> None:
        """Modules, by the names under which they are imported."""
        self.modules.update(modules)
        for module in modules.values():
            self.remember_parts(module)
            for value in list(vars(module).values()):
                if isinstance(value, type) and value.__module__ == module.__name__:
                    self.remember_parts(value)

    def remember_parts(self, holder: Any) -> None:
        if isinstance(holder, type):
            self.names.append((holder, {*vars(holder), *SET_BY_UNITTEST}))
        for name, value in list(vars(holder).items()):
            if name not in REPLACEABLE and (
                callable(value) or isinstance(value, (staticmethod, classmethod, property))
            ):
                self.parts.append((holder, name, value, inner_parts(value)))

    def check(self) -> None:
        """Raises Changed."""
        for holder, name, value, inner in self.parts:
            now = vars(holder).get(name)
            if now is not value or any(one is not other for one, other in zip(inner_parts(now), inner)):
                raise Changed(f"{getattr(holder, '__name__', holder)}.{name} was replaced")
        for name, module in self.modules.items():
            if sys.modules.get(name) is not module:
                raise Changed(f"the module {name} was replaced")
        for cls, names in self.names:
            more = set(vars(cls)) - names
            if any(not name.startswith("_pytest") for name in more):
                raise Changed(f"{cls.__name__} was given {sorted(more)[0]}")
        if sys.gettrace() is not None or sys.getprofile() is not None:
            raise Changed("a trace function was set")


def inner_parts(value: Any) -> tuple[Any, ...]:
    value = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
    if not isinstance(value, (type(inner_parts), property)):
        return ()
    return tuple(getattr(value, name, None) for name in ("__code__", "__defaults__", "__kwdefaults__", "fget"))


class Rows:
    """What became of each test, by name."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.first: tuple[int, str, str] | None = None
        self.changed: Changed | None = None
        self.names: set[str] = set()
        self.passed = 0
        self.rows: list[Any] = []
        self.count = 0
        self.began = time.monotonic()

    def note(self, name: str, told: tuple[int, str, str]) -> None:
        try:
            self.memory.check()
        except Changed as error:
            self.changed = error  # a runner may swallow it
            raise
        self.names.add(name)
        if told[0] == frames.PASSED:
            self.passed += 1
        elif told[0] != frames.NOT_RUN and self.first is None:
            self.first = told
        now = time.monotonic()
        if self.count < KEPT_TESTS:
            self.rows += (self.count, *told, as_bytes(name)[:1000], b"", now - self.began)
        self.count += 1
        self.began = now

    def expect(self, names: list[str]) -> None:
        """Takes note of the tests that should have ended by now, and did not."""
        if self.changed is not None:
            raise self.changed
        if self.first is None:
            for name in names:
                if name not in self.names:
                    self.note(name, (frames.RAISED, "", "it was kept from running"))

    def told(self) -> tuple[int, str, str]:
        if self.first is not None:
            return self.first
        if not self.passed:
            return frames.RAISED, "", "the script has no test that ran"
        return frames.PASSED, "", ""


def run_script(
    program: bytes, script: bytes, framework: bytes, module_name: bytes
) -> tuple[tuple[int, str, str], bytes]:
    """Gives how it went as a whole, and a frame's body that tells of each test."""
    import builtins
    import unittest.mock  # noqa: F401  (loaded, and so remembered, before the program can touch it)

    try:
        compile(script.decode("utf-8"), SCRIPT_FILE, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError) as error:
        return (frames.BROKEN_TESTS, *describe(error)), b""
    prefixes = ["unittest"]
    if framework == b"PYTEST":
        try:
            import pytest  # noqa: F401
        except ImportError:
            return (frames.BROKEN_TESTS, "ImportError", "the sandbox's image has no pytest"), b""
        prefixes += ["pytest", "_pytest", "pluggy"]
    runner = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in prefixes}
    memory = Memory()
    memory.remember({"builtins": builtins, **runner})
    rows = Rows(memory)
    name = module_name.decode("utf-8")
    solution = new_main()
    solution.__name__ = name
    sys.modules[name] = solution
    code, told = compile_program(program)
    if code is None:
        return told, b""
    try:
        exec(code, solution.__dict__)
        memory.check()
        sys.modules[name] = solution
        if framework == b"PYTEST" and "pytestmark" in vars(solution):
            raise Changed("the program marks the tests")
        if framework == b"PYTEST":
            run_pytest(script, solution, memory, rows)
        else:
            run_unittest(script, solution, memory, rows)
        memory.check()
    except Changed as error:
        return (frames.FORGED, "", str(error)), frames.encode(*rows.rows)[4:]
    except BaseException as error:  # noqa: BLE001  (the program's, or the script's own)
        return classify(error, testing=True), frames.encode(*rows.rows)[4:]
    return rows.told(), frames.encode(*rows.rows)[4:]


def public_names(solution: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(solution).items() if not name.startswith("_")}


def run_unittest(script: bytes, solution: Any, memory: Memory, rows: Rows) -> None:
    import unittest

    module = type(sys)("test_script")
    sys.modules["test_script"] = module
    module.__dict__.update(public_names(solution))
    exec(compile(script.decode("utf-8"), SCRIPT_FILE, "exec", dont_inherit=True), module.__dict__)
    memory.check()
    classes = classes_of_script(module, solution)
    for cls in classes:
        memory.remember_parts(cls)
    loader = unittest.TestLoader()
    suite: Any = unittest.TestSuite()
    for cls in classes:
        if issubclass(cls, unittest.TestCase):
            suite.addTests(loader.loadTestsFromTestCase(cls))
    load_tests = vars(module).get("load_tests")
    if load_tests is not None and load_tests is not vars(solution).get("load_tests"):
        suite = load_tests(loader, suite, None)
    names = [test.id() for test in each_of(suite)]
    result = make_result(rows)
    suite.run(result)
    if not result.skips_groups:
        rows.expect(names)


def each_of(suite: Any) -> Any:
    for test in suite:
        if hasattr(test, "__iter__"):
            yield from each_of(test)
        else:
            yield test


def classes_of_script(module: Any, solution: Any) -> list[type]:
    """The script's own classes, not those that it took from the program."""
    given = {id(value) for value in vars(solution).values()}
    found = {
        id(value): value
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__ and id(value) not in given
    }
    return list(found.values())


def make_result(rows: Rows) -> Any:
    import unittest

    class Result(unittest.TestResult):
        def __init__(self) -> None:
            super().__init__()
            self.troubled: set[str] = set()
            self.skips_groups = False  # a class or a module, whose tests are not told of one by one

        def addSuccess(self, test: Any) -> None:
            if test.id() not in self.troubled:
                rows.note(test.id(), (frames.PASSED, "", ""))

        def addFailure(self, test: Any, err: Any) -> None:
            self.trouble(test, classify(err[1], testing=True))

        def addError(self, test: Any, err: Any) -> None:
            self.trouble(test, classify(err[1], testing=True))

        def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
            if err is not None:
                self.trouble(test, classify(err[1], testing=True))

        def addSkip(self, test: Any, reason: str) -> None:
            by_program = passes_through_program(sys.exc_info()[2])
            told = (frames.RAISED, "SkipTest", "skipped by the program") if by_program else (frames.NOT_RUN, "", reason)
            self.skips_groups = self.skips_groups or not isinstance(test, unittest.TestCase)
            rows.note(test.id(), told)

        def addExpectedFailure(self, test: Any, err: Any) -> None:
            rows.note(test.id(), (frames.PASSED, "", ""))

        def addUnexpectedSuccess(self, test: Any) -> None:
            self.trouble(test, (frames.ASSERTION, "", "passed where a failure is expected"))

        def trouble(self, test: Any, told: tuple[int, str, str]) -> None:
            self.troubled.add(test.id())
            rows.note(test.id(), told)

    return Result()


def run_pytest(script: bytes, solution: Any, memory: Memory, rows: Rows) -> None:
    import pytest

    for name in [name for name in os.environ if name.startswith("PYTEST")]:
        del os.environ[name]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    place = os.path.join(os.getcwd(), "tests-" + os.urandom(8).hex())  # where the program has put nothing
    os.mkdir(place)
    path = os.path.join(place, SCRIPT_FILE)
    with open(path, "wb") as file:
        file.write(script)

    expected: list[str] = []

    class Recorder:
        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(self, items: list[Any]) -> None:
            expected.extend(item.nodeid for item in items)
            for module in {item.module for item in items if getattr(item, "module", None) is not None}:
                for name, value in public_names(solution).items():
                    module.__dict__.setdefault(name, value)
                for cls in classes_of_script(module, solution):
                    memory.remember_parts(cls)
                memory.remember_parts(module)

        def pytest_exception_interact(self, node: Any, call: Any, report: Any) -> None:
            report.codesieve = classify(call.excinfo.value, testing=True)

        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_makereport(self, item: Any, call: Any) -> Any:
            outcome = yield
            if call.excinfo is not None and outcome.get_result().outcome == "skipped":
                outcome.get_result().by_program = passes_through_program(call.excinfo.value.__traceback__)

        def pytest_collectreport(self, report: Any) -> None:
            if report.failed:
                rows.note(report.nodeid, getattr(report, "codesieve", (frames.RAISED, "", "can't be collected")))

        def pytest_runtest_logreport(self, report: Any) -> None:
            if report.failed:
                rows.note(report.nodeid, getattr(report, "codesieve", (frames.RAISED, "", "")))
            elif report.skipped:
                by_program = getattr(report, "by_program", False)
                told = (frames.RAISED, "Skipped", "skipped by the program") if by_program else (frames.NOT_RUN, "", "")
                rows.note(report.nodeid, told)
            elif report.when == "call":
                rows.note(report.nodeid, (frames.PASSED, "", ""))

    arguments = ["-p", "no:legacypath", "-p", "no:cacheprovider", "-p", "no:terminal", "--noconftest", "-c", os.devnull]
    arguments += ["--rootdir", place, "--import-mode=importlib", path]
    pytest.main(arguments, plugins=[Recorder()])
    rows.expect(expected)
    import shutil

    shutil.rmtree(place, ignore_errors=True)
