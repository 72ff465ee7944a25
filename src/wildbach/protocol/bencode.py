"""Bencoding (BEP 3): strict, bounded, and decoded without recursion.

Every value has exactly one accepted spelling, so `encode(decode(x)) == x`. The one leniency a caller may ask for
(`strict=False`) is dictionaries whose keys are out of order: some v1 torrents in the wild have them.

All errors are FormatError (LimitError where a bound of `base.limits` is passed); `where` names the byte and the key.
"""

from __future__ import annotations

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError

Value = int | bytes | list["Value"] | dict[bytes, "Value"]
Buffer = bytes | bytearray | memoryview

_LENGTH_DIGITS = 10


class _Fault(Exception):
    """What is wrong and at which byte; `_parse` adds where in the structure that is."""

    def __init__(self, reason: str, at: int, *, over: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at = at
        self.kind: type[FormatError] = LimitError if over else FormatError

    def error(self, trail: str = "") -> FormatError:
        return self.kind(self.reason + trail, where=f"byte {self.at}")



# One entry for each container that is open around the current one: the container, the greatest key of it (None for
# a list or while it has none) and the key under which the next inner container is to be stored.
_Frame = tuple[list[Value] | dict[bytes, Value], bytes | None, bytes]


def decode(
    data: Buffer, *, strict: bool = True, depth: int = limits.BENCODE_DEPTH, tokens: int = limits.BENCODE_TOKENS
) -> Value:
    """Decode one value that fills `data` exactly.

    `depth` bounds the nesting, `tokens` the number of values (a dictionary's key counts with its value).
    """
    raw = bytes(data)
    value, end, _ = _parse(raw, 0, strict, depth, tokens)
    if end != len(raw):
        raise FormatError(f"{len(raw) - end} bytes follow the value", where=f"byte {end}")
    return value


def decode_prefix(
    data: Buffer, *, strict: bool = True, depth: int = limits.BENCODE_DEPTH, tokens: int = limits.BENCODE_TOKENS
) -> tuple[Value, int]:
    """Decode the value at the start of `data`; also returns the offset of the first byte behind it (BEP 9 needs it)."""
    value, end, _ = _parse(bytes(data), 0, strict, depth, tokens)
    return value, end


def decode_dict_spans(
    data: Buffer, *, strict: bool = True, depth: int = limits.BENCODE_DEPTH, tokens: int = limits.BENCODE_TOKENS,
    rest: bool = False,
) -> tuple[dict[bytes, Value], dict[bytes, tuple[int, int]]]:
    """Decode a dictionary that fills `data`; also returns for each key the (start, end) of its value's raw bytes.

    An info hash is the hash of bytes as received, never of a re-encoding (BEP 52), hence the spans. With `rest`,
    bytes behind the dictionary are passed over: some files in the wild end in a line break.
    """
    raw = bytes(data)
    if raw[:1] != b"d":
        raise FormatError("not a bencoded dictionary", where="byte 0")
    if depth < 1:
        raise LimitError(f"nested deeper than BENCODE_DEPTH = {depth}", where="byte 0")
    out: dict[bytes, Value] = {}
    spans: dict[bytes, tuple[int, int]] = {}
    greatest: bytes | None = None
    at = 1
    while raw[at : at + 1] != b"e":
        try:
            key, start = _string(raw, at)
        except _Fault as fault:
            raise fault.error() from None
        if greatest is None or key > greatest:
            greatest = key
        elif strict or key in out:
            raise _disorder(key, at, key in out).error()
        if tokens < 1:
            raise LimitError("more values than BENCODE_TOKENS permits", where=f"byte {at}")
        value, end, tokens = _parse(raw, start, strict, depth - 1, tokens, key)
        out[key] = value
        spans[key] = (start, end)
        at = end
    if at + 1 != len(raw) and not rest:
        raise FormatError(f"{len(raw) - at - 1} bytes follow the dictionary", where=f"byte {at + 1}")
    return out, spans


def encode(value: Value) -> bytes:
    """Encode canonically: keys sorted as raw bytes. Raises TypeError for anything that is not a Value."""
    out: list[bytes] = []
    _encode(value, out)
    return b"".join(out)


def _parse(
    data: bytes, at: int, strict: bool, depth: int, tokens: int, name: bytes = b""
) -> tuple[Value, int, int]:
    """Decode the value at `at`. Returns it, the offset behind it and the tokens that are left."""
    box: list[Value] | dict[bytes, Value] = []  # the outermost list collects the one value asked for
    keyed = False
    greatest: bytes | None = None
    key = b""
    stack: list[_Frame] = []
    value: Value
    used = 0
    try:
        for used in range(1, tokens + 1):  # noqa: B007  (read behind the loop)
            code = data[at]
            if keyed and code != 0x65:
                # A one-digit length is read here, since most keys are short; `_string` reads any other.
                if data[at + 1] == 0x3A and 0x30 <= code <= 0x39:
                    end = at + code - 0x2E
                    key = data[at + 2 : end]
                else:
                    key, end = _string(data, at)
                if greatest is None or key > greatest:
                    greatest = key
                elif strict or key in box:
                    raise _disorder(key, at, key in box)
                at = end
                code = data[at]
                if code == 0x65:
                    raise _Fault("a key without a value", at)
            if 0x30 <= code <= 0x39:
                if data[at + 1] == 0x3A:
                    end = at + code - 0x2E
                    value = data[at + 2 : end]
                    at = end
                else:
                    value, at = _string(data, at)
            elif code == 0x69:
                value, at = _integer(data, at)
            elif code == 0x65 and stack:
                value = box
                box, greatest, key = stack.pop()
                keyed = type(box) is dict
                at += 1
            elif code == 0x64 or code == 0x6C:
                if len(stack) >= depth:
                    raise _Fault(f"nested deeper than BENCODE_DEPTH = {depth}", at, over=True)
                stack.append((box, greatest, key))
                keyed = code == 0x64
                box = {} if keyed else []
                greatest = None
                at += 1
                continue
            else:
                raise _Fault(f"no value begins with {data[at : at + 1]!r}", at)
            if keyed:
                box[key] = value  # type: ignore[call-overload]  # `keyed` says that the box is a dict
            else:
                box.append(value)  # type: ignore[union-attr]  # and here that it is a list
                if not stack:
                    break
        else:
            raise _Fault(f"more values than BENCODE_TOKENS = {tokens}", at, over=True)
    except IndexError:
        trail = _trail(name, stack, box, key if greatest is not None else None)
        raise FormatError(f"the data ends early{trail}", where=f"byte {len(data)}") from None
    except _Fault as fault:
        raise fault.error(_trail(name, stack, box, key if greatest is not None else None)) from None
    if at > len(data):
        raise FormatError("a string is longer than the data", where=f"byte {len(data)}")
    return value, at, tokens - used


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    colon = data.find(b":", at, at + _LENGTH_DIGITS + 1)
    digits = data[at:colon] if colon >= 0 else b""
    if not digits.isdigit() or (digits[0] == 0x30 and len(digits) > 1):
        raise _Fault(f"not the length of a string: {data[at : at + 12]!r}", at)
    end = colon + 1 + int(digits)
    if end > len(data):
        raise _Fault(f"a string of {int(digits)} bytes is longer than the data", at)
    return data[colon + 1 : end], end


def _integer(data: bytes, at: int) -> tuple[int, int]:
    end = data.find(b"e", at + 1, at + limits.BENCODE_INT_DIGITS + 3)
    digits = data[at + 1 : end] if end >= 0 else b""
    if digits.isdigit() and (digits[0] != 0x30 or len(digits) == 1) and len(digits) <= limits.BENCODE_INT_DIGITS:
        return int(digits), end + 1
    rest = digits[1:]
    if digits[:1] == b"-" and rest.isdigit() and rest[0] != 0x30:
        return int(digits), end + 1
    body = data[at + 1 : at + limits.BENCODE_INT_DIGITS + 2].removeprefix(b"-")
    if body[: limits.BENCODE_INT_DIGITS].isdigit() and len(body) >= limits.BENCODE_INT_DIGITS:
        raise _Fault(f"an integer of more than {limits.BENCODE_INT_DIGITS} digits", at, over=True)
    raise _Fault(f"not an integer: {data[at : at + 12]!r}", at)


def _disorder(key: bytes, at: int, twice: bool) -> _Fault:
    return _Fault(f"key {show(key)} {'stands twice' if twice else 'is out of order'}", at)


def show(key: bytes) -> str:
    """A key as an error text shows it: short and printable."""
    text = key[:40].decode("ascii", "backslashreplace")
    return "".join(c if " " <= c < "\x7f" else f"\\x{ord(c):02x}" for c in text) or '""'


def _trail(name: bytes, stack: list[_Frame], box: list[Value] | dict[bytes, Value], key: bytes | None) -> str:
    """Where in the structure an error lies, such as ` (in info.files[3].path)`."""
    parts = [show(name)] if name else []
    for outer, _, outer_key in stack[1:9]:
        parts.append(f"[{len(outer)}]" if isinstance(outer, list) else f".{show(outer_key)}")
    if stack:
        parts.append(f"[{len(box)}]" if isinstance(box, list) else "" if key is None else f".{show(key)}")
    text = "".join(parts).lstrip(".")
    return f" (in {text})" if text else ""


def _encode(value: Value, out: list[bytes]) -> None:
    """Append the parts of one value. Recursion is safe: what was decoded is never nested deeply."""
    if isinstance(value, bytes):
        out.append(b"%d:%b" % (len(value), value))
    elif isinstance(value, dict):
        out.append(b"d")
        for key in sorted(value):
            out.append(b"%d:%b" % (len(key), key))
            _encode(value[key], out)
        out.append(b"e")
    elif isinstance(value, list):
        out.append(b"l")
        for item in value:
            _encode(item, out)
        out.append(b"e")
    elif type(value) is int:
        out.append(b"i%de" % value)
    else:
        raise TypeError(f"cannot bencode {type(value).__name__}")
