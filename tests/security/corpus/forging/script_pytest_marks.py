# what: public names that pytest reads from a test file: pytestmark, pytest_plugins, hooks, collect_ignore
# form: script
# problem: pytest
# expect: not PASSED
try:
    import pytest

    pytestmark = [pytest.mark.skip(reason="later"), pytest.mark.xfail(strict=False)]
except ImportError:
    pass

collect_ignore_glob = ["*"]
__test__ = False


def pytest_collection_modifyitems(items):
    items.clear()


def pytest_generate_tests(metafunc):
    metafunc.parametrize("xs,want", [])


def solve(xs):
    return None
