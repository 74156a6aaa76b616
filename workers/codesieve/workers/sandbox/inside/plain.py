"""Plain data as bytes, and back as exact built-in types: all that a program and its judge ever exchange.

The writer may be hostile, so the reader trusts nothing: it builds None, bool, int, float, complex, str, bytes, the
built-in and the standard containers, and numpy's arrays of plain numbers, each of exactly that type, whatever the writer's
own types pretended to be. Anything else is a *handle*: a number that stands for an object that stays where it is.

A value is a tag and its content. Containers of four and more equal scalars are packed at once, which is most of the speed.
"""

from __future__ import annotations

import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MAX_BYTES = 16 * 2**20
"""Of one value, encoded."""
MAX_DEPTH = 100
ARGUMENTS = -200
"""The level at which arguments begin, so that whatever came as a result can go as a part of an argument."""
PACK_FROM = 4
NUMBERS = "?bhilqfdBHILQFDgG"
"""numpy's type characters that are plain."""

_COUNT = struct.Struct("!I")
_TAGGED_COUNT = struct.Struct("!cI")
_TAGGED_INT = struct.Struct("!cq")
_TAGGED_FLOAT = struct.Struct("!cd")
_PAIR = struct.Struct("!dd")
_SCALARS = frozenset((int, float, str, bool, bytes, complex, type(None)))
_SEQUENCES: dict[type, bytes] = {list: b"l", tuple: b"t", set: b"s", frozenset: b"z"}
_BASES = (bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset)


class NotPlain(Exception):
    """A value, or something in it, isn't plain data."""


class TooLarge(Exception):
    """A value needs more than `MAX_BYTES`."""


class TooDeep(TooLarge):
    """A value is nested deeper than `MAX_DEPTH` levels, or in itself."""


def is_scalar(value: Any) -> bool:
    return type(value) in _SCALARS


def encode(value: Any, handle: Callable[[Any], int], level: int = 0) -> bytes:
    """The bytes of `value`. What isn't plain becomes the number that `handle` gives for it.

    Raises NotPlain where `handle` does, TooLarge and TooDeep.
    """
    out = bytearray()
    _put(out, value, handle, level)
    if len(out) > MAX_BYTES:
        raise TooLarge("a value is too large to cross")
    return bytes(out)


def _put(out: bytearray, value: Any, handle: Callable[[Any], int], depth: int) -> None:
    kind = type(value)
    if kind in (str, bytes, bytearray) and len(value) > MAX_BYTES:
        raise TooLarge("a value is too large to cross")  # before there is another copy of it
    if kind is int:
        if -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF:
            out += _TAGGED_INT.pack(b"i", value)
        else:
            data = value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)
            out += _TAGGED_COUNT.pack(b"I", len(data)) + data
    elif kind is str:
        data = value.encode("utf-8", "surrogatepass")
        out += _TAGGED_COUNT.pack(b"u", len(data)) + data
    elif value is None:
        out += b"N"
    elif kind is bool:
        out += b"T" if value else b"F"
    elif kind is float:
        out += _TAGGED_FLOAT.pack(b"d", value)
    elif kind in _SEQUENCES:
        out += _SEQUENCES[kind]
        _put_items(out, value, handle, depth)
    elif kind is dict:
        out += b"m"
        _put_mapping(out, value, handle, depth)
    elif kind is bytes:
        out += _TAGGED_COUNT.pack(b"b", len(value)) + value
    elif kind is complex:
        out += b"c" + _PAIR.pack(value.real, value.imag)
    elif kind is bytearray:
        out += _TAGGED_COUNT.pack(b"a", len(value)) + value
    elif kind is range:
        out += b"r"
        _put_items(out, (value.start, value.stop, value.step), handle, depth)
    elif not _put_standard(out, value, handle, depth):
        number = handle(value)
        out += _TAGGED_INT.pack(b"h", number)
    if len(out) > MAX_BYTES:
        raise TooLarge("a value is too large to cross")


def _put_items(out: bytearray, values: Any, handle: Callable[[Any], int], depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise TooDeep(f"a value is nested deeper than {MAX_DEPTH} levels")
    count = len(values)
    if count > MAX_BYTES:
        raise TooLarge("a value is too large to cross")
    if count >= PACK_FROM:
        kinds = set(map(type, values))
        if len(kinds) == 1:
            (kind,) = kinds
            if kind in (int, float) and 8 * count > MAX_BYTES:
                raise TooLarge("a value is too large to cross")  # before there is another copy of it
            if kind is int:
                try:
                    packed = struct.pack(f"!{count}q", *values)
                except struct.error:
                    pass  # one is too large: they go one by one
                else:
                    out += _TAGGED_COUNT.pack(b"q", count) + packed
                    return
            elif kind is float:
                out += _TAGGED_COUNT.pack(b"d", count) + struct.pack(f"!{count}d", *values)
                return
            elif kind is str:
                texts = [value.encode("utf-8", "surrogatepass") for value in values]
                out += _TAGGED_COUNT.pack(b"u", count) + struct.pack(f"!{count}I", *map(len, texts))
                out += b"".join(texts)
                return
    out += _TAGGED_COUNT.pack(b"*", count)
    for value in values:
        _put(out, value, handle, depth + 1)


def _put_mapping(out: bytearray, mapping: Any, handle: Callable[[Any], int], depth: int) -> None:
    items = list(dict.items(mapping))
    _put_items(out, [key for key, _ in items], handle, depth)
    _put_items(out, [value for _, value in items], handle, depth)


def _put_standard(out: bytearray, value: Any, handle: Callable[[Any], int], depth: int) -> bool:
    """Puts a standard container, something of numpy's, or an instance of a class derived from a built-in one."""
    kind = type(value)
    collections = sys.modules.get("collections")
    if collections is not None:
        if kind is collections.deque:
            out += b"q"
            _put(out, value.maxlen, handle, depth)
            _put_items(out, list(value), handle, depth)
            return True
        for tag, standard in (
            (b"C", collections.Counter),
            (b"O", collections.OrderedDict),
            (b"D", collections.defaultdict),
        ):
            if kind is standard:
                out += tag
                _put_mapping(out, value, handle, depth)
                return True
    numpy = sys.modules.get("numpy")
    if (
        numpy is not None
        and (kind is numpy.ndarray or isinstance(value, numpy.generic))
        and value.dtype.char in NUMBERS
    ):
        # A scalar is an array without dimensions, and comes back as a scalar.
        data = numpy.asarray(value).tobytes()
        out += b"n" if kind is numpy.ndarray else b"g"
        _put(out, value.dtype.str, handle, depth)
        _put(out, tuple(map(int, value.shape)), handle, depth)
        _put(out, data, handle, depth)
        return True
    for base in _BASES:
        if base in kind.__mro__[1:]:
            _put(out, _as_base(base, value), handle, depth)
            return True
    return False


def _as_base(base: Any, value: Any) -> Any:
    """The built-in value inside an instance of a class derived from `base`, past whatever that class overrides."""
    if base is int:
        return int.__index__(value)
    if base is float:
        return float.__float__(value)
    if base is complex:
        return complex(complex.real.__get__(value), complex.imag.__get__(value))
    if base is str:
        return str.__str__(value)
    if base is bytes:
        return bytes.__getitem__(value, slice(None)) if bytes.__len__(value) else b""
    if base is bytearray:
        return bytearray(bytearray.__getitem__(value, slice(None)))
    if base is dict:
        return dict(dict.items(value))
    return base(base.__iter__(value))


class _Reader:
    """Where reading is in a value's bytes."""

    __slots__ = ("at", "data", "handled")

    def __init__(self, data: bytes, handled: Callable[[int], Any]) -> None:
        self.data = data
        self.at = 0
        self.handled = handled

    def take(self, count: int) -> bytes:
        end = self.at + count
        if count < 0 or end > len(self.data):
            raise ValueError("a value ends early")
        part = self.data[self.at : end]
        self.at = end
        return part

    def count(self) -> int:
        return int(_COUNT.unpack(self.take(4))[0])


def decode(data: bytes, handled: Callable[[int], Any], level: int = 0) -> Any:
    """The value of `data`, `handled` giving what stands for a handle. Raises ValueError where it is malformed."""
    reader = _Reader(data, handled)
    try:
        value = _get(reader, level)
    except (struct.error, TypeError, IndexError, OverflowError, SyntaxError) as error:
        raise ValueError(f"a malformed value: {error}") from None
    if reader.at != len(data):
        raise ValueError("something follows the value")
    return value


def _get(reader: _Reader, depth: int) -> Any:
    tag = reader.take(1)
    if tag == b"i":
        return struct.unpack("!q", reader.take(8))[0]
    if tag == b"u":
        return reader.take(reader.count()).decode("utf-8", "surrogatepass")
    if tag == b"N":
        return None
    if tag == b"T":
        return True
    if tag == b"F":
        return False
    if tag == b"d":
        return struct.unpack("!d", reader.take(8))[0]
    if tag == b"l":
        return _get_items(reader, depth)
    if tag == b"t":
        return tuple(_get_items(reader, depth))
    if tag == b"m":
        return _get_mapping(reader, depth)
    if tag == b"s":
        return set(_get_items(reader, depth))
    if tag == b"z":
        return frozenset(_get_items(reader, depth))
    if tag == b"b":
        return reader.take(reader.count())
    if tag == b"I":
        return int.from_bytes(reader.take(reader.count()), "big", signed=True)
    if tag == b"c":
        return complex(*_PAIR.unpack(reader.take(16)))
    if tag == b"a":
        return bytearray(reader.take(reader.count()))
    if tag == b"r":
        return range(*_get_items(reader, depth))
    if tag == b"h":
        return reader.handled(struct.unpack("!q", reader.take(8))[0])
    if tag in (b"n", b"g"):
        return _get_array(reader, depth, scalar=tag == b"g")
    return _get_standard(reader, tag, depth)


def _get_items(reader: _Reader, depth: int) -> list[Any]:
    if depth >= MAX_DEPTH:
        raise ValueError("a value is nested too deep")
    packing = reader.take(1)
    count = reader.count()
    if count > len(reader.data):
        raise ValueError("a container is longer than its value")
    if packing == b"q":
        return list(struct.unpack(f"!{count}q", reader.take(8 * count)))
    if packing == b"d":
        return list(struct.unpack(f"!{count}d", reader.take(8 * count)))
    if packing == b"u":
        lengths = struct.unpack(f"!{count}I", reader.take(4 * count))
        return [reader.take(length).decode("utf-8", "surrogatepass") for length in lengths]
    if packing != b"*":
        raise ValueError(f"unknown packing {packing!r}")
    return [_get(reader, depth + 1) for _ in range(count)]


def _get_mapping(reader: _Reader, depth: int) -> dict[Any, Any]:
    keys, values = _get_items(reader, depth), _get_items(reader, depth)
    if len(keys) != len(values):
        raise ValueError("keys and values don't match")
    return dict(zip(keys, values))


def _get_standard(reader: _Reader, tag: bytes, depth: int) -> Any:
    import collections

    if tag == b"q":
        limit = _get(reader, depth)
        return collections.deque(_get_items(reader, depth), limit)
    if tag == b"C":
        return collections.Counter(_get_mapping(reader, depth))
    if tag == b"O":
        return collections.OrderedDict(_get_mapping(reader, depth))
    if tag == b"D":
        # The factory is the program's own code, and stays there.
        return collections.defaultdict(None, _get_mapping(reader, depth))
    raise ValueError(f"unknown tag {tag!r}")


def _get_array(reader: _Reader, depth: int, scalar: bool) -> Any:
    kind, shape, data = _get(reader, depth), _get(reader, depth), _get(reader, depth)
    if type(kind) is not str or type(shape) is not tuple or type(data) is not bytes:
        raise ValueError("a malformed array")
    try:
        import numpy
    except ImportError:
        raise ValueError("an array where there is no numpy") from None
    dtype = numpy.dtype(kind)
    if dtype.char not in NUMBERS:
        raise ValueError(f"an array of {kind}")
    array = numpy.frombuffer(data, dtype).reshape(shape)
    return array[()] if scalar else array.copy()
