"""The codec between a program and its judge: what goes in comes out as exact built-in types, and nothing else ever does."""

from __future__ import annotations

import collections
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesieve.workers.sandbox.inside import plain

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.complex_numbers(allow_nan=False)
    | st.text(st.characters()) | st.binary() | st.binary().map(bytearray)
    | st.builds(range, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 9))
)  # fmt: skip
keys = st.integers() | st.text() | st.binary() | st.tuples(st.integers(), st.text())
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(keys, inner) | st.sets(keys) | st.frozensets(keys)
        | st.lists(inner).map(collections.deque) | st.dictionaries(keys, inner).map(collections.OrderedDict)
        | st.lists(keys).map(collections.Counter)
    ),
    max_leaves=20,
)  # fmt: skip
ALLOWED = {
    type(None), bool, int, float, complex, str, bytes, bytearray, range, list, tuple, dict, set, frozenset,
    collections.deque, collections.OrderedDict, collections.Counter, collections.defaultdict,
}  # fmt: skip


def refuse(value: object) -> int:
    raise plain.NotPlain(type(value).__name__)


def no_handle(number: int) -> object:
    raise ValueError("a handle")


def types_in(value: Any) -> set[type]:
    found = {type(value)}
    if isinstance(value, dict):
        return found.union(*map(types_in, value), *map(types_in, value.values()))
    if isinstance(value, list | tuple | set | frozenset | collections.deque):
        return found.union(*map(types_in, value))
    return found


def exact(value: Any) -> object:
    """For comparing: 1 and True, 0.0 and -0.0 differ."""
    if isinstance(value, dict):
        return type(value), [(exact(key), exact(item)) for key, item in value.items()]
    if isinstance(value, set | frozenset):
        return type(value), {exact(item) for item in value}
    if isinstance(value, tuple):
        return type(value), tuple(map(exact, value))
    if isinstance(value, list | collections.deque):
        return type(value), list(map(exact, value))
    return type(value), repr(value) if isinstance(value, float | bytearray) else value


@given(values)
def test_what_goes_in_comes_out(value: Any) -> None:
    assert exact(plain.decode(plain.encode(value, refuse), no_handle)) == exact(value)


def test_nan_and_large_numbers_cross() -> None:
    assert math.isnan(plain.decode(plain.encode(math.nan, refuse), no_handle))
    for number in (2**63, -(2**63) - 1, 2**100_000, [2**63, 1, 2, 3]):
        assert plain.decode(plain.encode(number, refuse), no_handle) == number


def decode_or_none(data: bytes) -> Any:
    try:
        return plain.decode(data, no_handle)
    except ValueError:
        return None


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_a_plain_value_or_a_value_error(data: bytes) -> None:
    assert types_in(decode_or_none(data)) <= ALLOWED


@given(values, st.data())
def test_mutated_bytes_are_a_plain_value_or_a_value_error(value: Any, data: st.DataObject) -> None:
    encoded = bytearray(plain.encode(value, refuse))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(encoded) - 1))
        encoded[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2) | st.sampled_from(
            [bytes([tag]) for tag in b"iIuNTFdltszmbcarhngqCOD*"]))  # fmt: skip
        if not encoded:
            break
    assert types_in(decode_or_none(bytes(encoded))) <= ALLOWED


def lying(base: type) -> Any:
    def lie(self: object, *args: object) -> Any:
        raise ZeroDivisionError("an override was called")

    names = [
        "__len__",
        "__iter__",
        "__eq__",
        "__hash__",
        "__getitem__",
        "__int__",
        "__index__",
        "__float__",
        "__str__",
        "__repr__",
        "__contains__",
    ]
    names += ["items", "keys", "values", "encode", "to_bytes", "bit_length", "__complex__", "__bool__", "__reduce_ex__"]
    return type("Lying", (base,), {**dict.fromkeys(names, lie), "__class__": property(lambda self: bool)})


@pytest.mark.parametrize(
    "value", [7, 2**70, 1.5, 1 + 2j, "text", b"bytes", bytearray(b"x"), [1, 2], (1, 2), {"k": 1}, {1}, frozenset([1])]
)
def test_a_subclass_comes_out_as_its_base_whatever_it_overrides(value: Any) -> None:
    out = plain.decode(plain.encode(lying(type(value))(value), refuse), no_handle)
    assert type(out) is type(value)
    assert out == value


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_depth_is_bounded_on_both_ends() -> None:
    deepest = plain.encode(nested(plain.MAX_DEPTH), refuse)
    assert plain.decode(deepest, no_handle) == nested(plain.MAX_DEPTH)
    with pytest.raises(plain.TooDeep):
        plain.encode(nested(plain.MAX_DEPTH + 1), refuse)
    itself: list[Any] = []
    itself.append(itself)
    with pytest.raises(plain.TooDeep):
        plain.encode(itself, refuse)
    with pytest.raises(ValueError, match="too deep"):
        plain.decode((b"l*" + b"\0\0\0\x01") * 10**5 + b"N", no_handle)
    # What came as a result goes as an argument, in a few containers more.
    argument = plain.encode([[plain.decode(deepest, no_handle)]], refuse, plain.ARGUMENTS)
    assert plain.decode(argument, no_handle, plain.ARGUMENTS) == nested(plain.MAX_DEPTH + 2)


@pytest.mark.parametrize(
    "value",
    [bytes(17 * 2**20), "x" * (17 * 2**20), [0] * 2**22, [0.5] * 2**22, [b"x" * 2**20] * 17, [None] * (17 * 2**20)],
)
def test_size_is_bounded(value: Any) -> None:
    with pytest.raises(plain.TooLarge):
        plain.encode(value, refuse)


def test_a_count_that_claims_too_much_allocates_nothing() -> None:
    for tag in (b"l*", b"lq", b"ld", b"lu", b"b", b"u", b"I", b"a"):
        with pytest.raises(ValueError, match=r"early|longer"):
            plain.decode(tag + b"\xff\xff\xff\xff", no_handle)


def test_what_is_not_plain_is_a_handle() -> None:
    encoded = plain.encode([len, {"k": len}], lambda value: 5)
    assert plain.decode(encoded, lambda number: ("handle", number)) == [("handle", 5), {"k": ("handle", 5)}]
    with pytest.raises(plain.NotPlain):
        plain.encode([object()], refuse)
