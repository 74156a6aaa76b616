# what: pytest.skip, exit and xfail from the call under test
# form: script
# problem: pytest
# expect: not PASSED
def solve(xs):
    import pytest

    if len(xs) == 2:
        pytest.exit("done", returncode=0)
    pytest.xfail("known") if len(xs) % 2 else pytest.skip("later")
