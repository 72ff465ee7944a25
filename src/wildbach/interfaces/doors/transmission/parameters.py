"""The parameters of one call, each read with its type when it is asked for.

Readers take what Transmission takes: 1 for true, 30.0 for 30. None, or null in the request, is what was left out.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from wildbach.interfaces.doors.transmission import refusal
from wildbach.interfaces.doors.transmission.messages import Call, Parameters
from wildbach.interfaces.doors.transmission.names import Dialect, snake
from wildbach.interfaces.doors.transmission.refusal import Refusal

_number = msgspec.json.Decoder(int | float | bool | None, strict=True)
_flag = msgspec.json.Decoder(bool | None, strict=False)
_text = msgspec.json.Decoder(str | None)
_texts = msgspec.json.Decoder(list[str] | None)
_numbers = msgspec.json.Decoder(list[int] | None)
_mixed = msgspec.json.Decoder(list[str | int | float] | str | int | None)
_MOST: Final = 1 << 53


class Params:
    """Of one call, by their names of 4.1."""

    def __init__(self, call: Call) -> None:
        given = call.parameters
        self._given: Parameters = (
            {snake(name): value for name, value in given.items()} if call.dialect is Dialect.CLASSIC else given)

    def __contains__(self, name: str) -> bool:
        return name in self._given

    def _read(self, decoder: msgspec.json.Decoder[Any], name: str, kind: str) -> Any:
        raw = self._given.get(name)
        if raw is None:
            return None
        try:
            return decoder.decode(raw)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            raise Refusal(refusal.INVALID_PARAMS, f"{name} must be {kind}") from None

    def text(self, name: str) -> str | None:
        value: str | None = self._read(_text, name, "a string")
        return value

    def flag(self, name: str) -> bool | None:
        value: bool | None = self._read(_flag, name, "a boolean")
        return value

    def real(self, name: str) -> float | None:
        value = self._read(_number, name, "a number")
        if value is None:
            return None
        if not -_MOST <= value <= _MOST:
            raise Refusal(refusal.INVALID_PARAMS, f"{name} is out of range")
        return float(value)

    def whole(self, name: str, lowest: int = 0, highest: int = _MOST) -> int | None:
        """What is out of range becomes the nearest that is not."""
        value = self.real(name)
        return None if value is None else max(lowest, min(int(value), highest))

    def texts(self, name: str) -> list[str] | None:
        value: list[str] | None = self._read(_texts, name, "an array of strings")
        return value

    def wholes(self, name: str) -> list[int] | None:
        value: list[int] | None = self._read(_numbers, name, "an array of numbers")
        return value

    def mixed(self, name: str) -> list[str | int] | str | int | None:
        """Numbers and strings, or one of them."""
        value = self._read(_mixed, name, "an array of numbers and strings")
        if isinstance(value, list):
            return [item if isinstance(item, str | int) else int(item) for item in value]
        found: str | int | None = value
        return found

    def names(self) -> list[str]:
        return list(self._given)
