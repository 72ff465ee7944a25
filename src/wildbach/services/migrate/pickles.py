"""Pickles read as data. Nothing in them is ever run.

A pickle is a program for a stack machine. This reader knows only the instructions that make plain values: None, truth
values, numbers, text, bytes, lists, tuples and dictionaries with text as keys. Of classes it knows the names it is
told; an instance becomes a `Record` with the attributes that were written. All else (calls, other names, persistent
ids, extensions, buffers) is refused, whatever a pickle says it is for. Protocols 0 to 5.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError

_INT = re.compile(rb"[+-]?[0-9]{1,20}")
_FLOAT = re.compile(rb"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?(?:e[+-]?[0-9]{1,4})?|inf|nan)", re.IGNORECASE)
_LONG_BYTES = 9
_MARK: Final = object()


@dataclass(slots=True, eq=False)
class Record:
    """An instance of a class that was permitted by name."""

    kind: str
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Class:
    name: str


def load(data: bytes, classes: Collection[tuple[str, str]]) -> Any:
    """The value of a pickle. `classes` are the (module, name) that instances may have.

    Raises FormatError for what is no pickle or not plain data, LimitError where a limit is passed.
    """
    return _Machine(data, classes).run()


class _Machine:
    __slots__ = ("_at", "_classes", "_data", "_left", "_memo", "_stack")

    def __init__(self, data: bytes, classes: Collection[tuple[str, str]]) -> None:
        self._data = data
        self._classes = classes
        self._at = 0
        self._left = limits.PICKLE_VALUES
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        data, size = self._data, len(self._data)
        while self._at < size:
            code = data[self._at]
            self._at += 1
            if code == 0x2E:  # STOP
                value = self._pop()
                if self._stack:
                    raise self._bad("values are left over")
                return value
            step = _STEPS.get(code)
            if step is None:
                raise self._bad(f"instruction {bytes([code])!r} makes no plain value")
            self._left -= 1
            if self._left < 0:
                raise LimitError("more than PICKLE_VALUES instructions", where="pickle")
            step(self)
        raise self._bad("the data ends early")

    def _bad(self, reason: str) -> FormatError:
        return FormatError(reason, where=f"pickle byte {self._at}")

    # -- reading arguments

    def _take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise self._bad("the data ends early")
        raw = self._data[self._at : end]
        self._at = end
        return raw

    def _number(self, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self._take(size), "little", signed=signed)

    def _line(self) -> bytes:
        end = self._data.find(b"\n", self._at)
        if end < 0:
            raise self._bad("a line without an end")
        raw = self._data[self._at : end]
        self._at = end + 1
        return raw.removesuffix(b"\r")

    # -- the stack

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise self._bad("a value is missing")
        return self._stack.pop()

    def _top(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise self._bad("a value is missing")
        return self._stack[-1]

    def _to_mark(self) -> list[Any]:
        stack = self._stack
        for at in range(len(stack) - 1, -1, -1):
            if stack[at] is _MARK:
                items = stack[at + 1 :]
                del stack[at:]
                return items
        raise self._bad("a mark is missing")

    # -- instructions

    def _mark(self) -> None:
        self._stack.append(_MARK)

    def _drop(self) -> None:
        if self._stack and self._stack[-1] is _MARK:
            self._stack.pop()
        else:
            self._pop()

    def _proto(self) -> None:
        if self._number(1) > 5:
            raise self._bad("an unknown version of the format")

    def _int_line(self) -> None:
        raw = self._line()
        if raw in (b"00", b"01"):
            self._push(raw == b"01")
        else:
            self._push(self._int(raw))

    def _int(self, raw: bytes) -> int:
        if _INT.fullmatch(raw) is None:
            raise self._bad("not a number")
        return int(raw)

    def _long_line(self) -> None:
        self._push(self._int(self._line().removesuffix(b"L")))

    def _long(self, size: int) -> None:
        if size > _LONG_BYTES:
            raise LimitError("a number of too many digits", where=f"pickle byte {self._at}")
        self._push(self._number(size, signed=True))

    def _float_line(self) -> None:
        raw = self._line()
        if _FLOAT.fullmatch(raw) is None:
            raise self._bad("not a number")
        self._push(float(raw))

    def _float(self) -> None:
        self._push(struct.unpack(">d", self._take(8))[0])

    def _text(self, raw: bytes, coding: str = "utf-8") -> None:
        try:
            self._push(raw.decode(coding, "surrogatepass" if coding == "utf-8" else "strict"))
        except (UnicodeDecodeError, ValueError):
            raise self._bad("not text") from None

    def _unicode_line(self) -> None:
        self._text(self._line(), "raw-unicode-escape")

    def _quoted_line(self) -> None:
        raw = self._line()
        if len(raw) < 2 or raw[:1] != raw[-1:] or raw[:1] not in (b"'", b'"'):
            raise self._bad("a string without quotes")
        self._old(_unescaped(raw[1:-1]))

    def _old(self, raw: bytes) -> None:
        """A string of Python 2: text where it is UTF-8, else bytes."""
        try:
            self._push(raw.decode())
        except UnicodeDecodeError:
            self._push(raw)

    def _append(self) -> None:
        value = self._pop()
        self._list().append(value)

    def _appends(self) -> None:
        items = self._to_mark()
        self._list().extend(items)

    def _list(self) -> list[Any]:
        target = self._top()
        if type(target) is not list:
            raise self._bad("something is appended to what is no list")
        return target

    def _set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._fill(self._top(), [key, value])

    def _set_items(self) -> None:
        items = self._to_mark()
        self._fill(self._top(), items)

    def _fill(self, target: Any, items: list[Any]) -> None:
        if type(target) is not dict or len(items) % 2:
            raise self._bad("entries for what is no dictionary")
        for at in range(0, len(items), 2):
            key = items[at]
            if type(key) is not str:
                raise self._bad("a key that is no text")
            target[key] = items[at + 1]

    def _dict(self) -> None:
        items = self._to_mark()
        made: dict[str, Any] = {}
        self._fill(made, items)
        self._push(made)

    def _tuple(self, count: int) -> None:
        items = [self._pop() for _ in range(count)]
        self._push(tuple(reversed(items)))

    def _class(self, module: Any, name: Any) -> _Class:
        if type(module) is not str or type(name) is not str or (module, name) not in self._classes:
            raise self._bad(f"the name {str(module)[:60]}.{str(name)[:60]} is refused")
        return _Class(name)

    def _global(self) -> None:
        module, name = self._line(), self._line()
        self._push(self._class(module.decode("ascii", "replace"), name.decode("ascii", "replace")))

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        self._push(self._class(module, name))

    def _new(self) -> None:
        arguments, kind = self._pop(), self._pop()
        self._make(kind, arguments)

    def _make(self, kind: Any, arguments: Any) -> None:
        if type(kind) is not _Class or arguments not in ((), []):
            raise self._bad("an instance with arguments, or of what is no class")
        self._push(Record(kind.name))

    def _instance(self) -> None:
        module, name = self._line(), self._line()
        kind = self._class(module.decode("ascii", "replace"), name.decode("ascii", "replace"))
        self._make(kind, self._to_mark())

    def _object(self) -> None:
        items = self._to_mark()
        if not items:
            raise self._bad("an instance without a class")
        self._make(items[0], items[1:])

    def _build(self) -> None:
        values, target = self._pop(), self._top()
        if type(target) is not Record or type(values) is not dict:
            raise self._bad("attributes for what is no instance")
        target.values.update(values)

    def _put(self, number: int) -> None:
        self._memo[number] = self._top()

    def _get(self, number: int) -> None:
        if number not in self._memo:
            raise self._bad("a value that was not kept")
        self._push(self._memo[number])

    def _frame(self) -> None:
        if self._number(8) > len(self._data) - self._at:
            raise self._bad("a frame beyond the end")


_ESCAPES = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_SHORT = {b"n": b"\n", b"t": b"\t", b"r": b"\r"}


def _unescaped(raw: bytes) -> bytes:
    def one(match: re.Match[bytes]) -> bytes:
        word = match[1]
        return bytes([int(word[1:], 16)]) if len(word) == 3 else _SHORT.get(word, word)

    return _ESCAPES.sub(one, raw)


_Step = Callable[[_Machine], None]
_STEPS: Final[dict[int, _Step]] = {
    ord("("): _Machine._mark,
    ord("0"): _Machine._drop,
    0x31: lambda m: (m._to_mark(), None)[1],  # POP_MARK
    ord("2"): lambda m: m._push(m._top()),
    ord("N"): lambda m: m._push(None),
    0x88: lambda m: m._push(True),
    0x89: lambda m: m._push(False),
    ord("I"): _Machine._int_line,
    ord("L"): _Machine._long_line,
    ord("F"): _Machine._float_line,
    ord("J"): lambda m: m._push(m._number(4, signed=True)),
    ord("K"): lambda m: m._push(m._number(1)),
    ord("M"): lambda m: m._push(m._number(2)),
    0x8A: lambda m: m._long(m._number(1)),
    0x8B: lambda m: m._long(m._number(4)),
    ord("G"): _Machine._float,
    ord("V"): _Machine._unicode_line,
    ord("S"): _Machine._quoted_line,
    ord("X"): lambda m: m._text(m._take(m._number(4))),
    0x8C: lambda m: m._text(m._take(m._number(1))),
    0x8D: lambda m: m._text(m._take(m._number(8))),
    ord("T"): lambda m: m._old(m._take(m._number(4))),
    ord("U"): lambda m: m._old(m._take(m._number(1))),
    ord("B"): lambda m: m._push(m._take(m._number(4))),
    ord("C"): lambda m: m._push(m._take(m._number(1))),
    0x8E: lambda m: m._push(m._take(m._number(8))),
    ord("]"): lambda m: m._push([]),
    ord("}"): lambda m: m._push({}),
    ord(")"): lambda m: m._push(()),
    ord("l"): lambda m: m._push(m._to_mark()),
    ord("t"): lambda m: m._push(tuple(m._to_mark())),
    ord("d"): _Machine._dict,
    0x85: lambda m: m._tuple(1),
    0x86: lambda m: m._tuple(2),
    0x87: lambda m: m._tuple(3),
    ord("a"): _Machine._append,
    ord("e"): _Machine._appends,
    ord("s"): _Machine._set_item,
    ord("u"): _Machine._set_items,
    ord("c"): _Machine._global,
    0x93: _Machine._stack_global,
    0x81: _Machine._new,
    ord("i"): _Machine._instance,
    ord("o"): _Machine._object,
    ord("b"): _Machine._build,
    ord("p"): lambda m: m._put(m._int(m._line())),
    ord("q"): lambda m: m._put(m._number(1)),
    ord("r"): lambda m: m._put(m._number(4)),
    0x94: lambda m: m._put(len(m._memo)),
    ord("g"): lambda m: m._get(m._int(m._line())),
    ord("h"): lambda m: m._get(m._number(1)),
    ord("j"): lambda m: m._get(m._number(4)),
    0x80: _Machine._proto,
    0x95: _Machine._frame,
}
"The instructions that make plain values; each leaves the stack as the format says."
