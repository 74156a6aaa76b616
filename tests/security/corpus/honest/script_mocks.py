# what: uses unittest.mock on itself and catches warnings, for a unittest file
# form: script
# expect: PASSED
import warnings
from unittest import mock


def square(x):
    return x


def solve(xs):
    with mock.patch(f"{__name__}.square", side_effect=lambda x: x * x) as squared, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        return [squared(x) for x in sorted(xs) if xs.count(x) == 1]
