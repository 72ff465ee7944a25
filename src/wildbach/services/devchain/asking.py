"""Questions that come over HTTP, read into values. Whatever makes no sense raises FormatError that names the field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.protocol.tron.abi import selector
from wildbach.protocol.tron.address import Address

_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})*", re.ASCII)
_DIGITS: Final = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_FUNCTION: Final = re.compile(r"[\x21-\x7e]{1,2000}", re.ASCII)
_MOST: Final = (1 << 63) - 1
_FIELDS: Final = 64


@dataclass(frozen=True, slots=True)
class Asked:
    """`document`: an object of JSON, or what stands behind the question mark."""

    document: Mapping[str, object]

    @classmethod
    def of_body(cls, body: bytes) -> Asked:
        if not body.strip():
            return cls({})
        try:
            found = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise FormatError(f"this is no JSON: {error}") from None
        if not isinstance(found, dict):
            raise FormatError("an object is wanted")
        return cls(found)

    @classmethod
    def of_query(cls, query: str) -> Asked:
        try:
            return cls(dict(parse_qsl(query, keep_blank_values=True, max_num_fields=_FIELDS)))
        except ValueError as error:
            raise FormatError(f"this is no question: {error}") from None

    @property
    def visible(self) -> bool:
        return self.flag("visible")

    def flag(self, key: str, usual: bool = False) -> bool:
        value = self.document.get(key)
        if value is None:
            return usual
        return value is True or (isinstance(value, str) and value.lower() == "true")

    def text(self, key: str) -> str:
        value = self.document.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise FormatError("a text is wanted", where=key)
        return value

    def number(self, key: str, usual: int = 0) -> int:
        """Not below zero."""
        value = self.document.get(key)
        if value is None or value == "":
            return usual
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
            raise FormatError("a whole number is wanted that is not below zero", where=key)
        return value

    def hex(self, key: str, most: int = limits.DEVCHAIN_BODY_BYTES) -> bytes:
        text = self.text(key).removeprefix("0x")
        if not _HEX.fullmatch(text):
            raise FormatError("hex digits are wanted", where=key)
        if len(text) > 2 * most:
            raise FormatError(f"there are more than {most} bytes", where=key)
        return bytes.fromhex(text)

    def hash(self, key: str) -> bytes:
        found = self.hex(key)
        if len(found) != 32:
            raise FormatError("32 bytes are wanted, in hex", where=key)
        return found

    def address(self, key: str) -> Address:
        found = self.maybe_address(key)
        if found is None:
            raise FormatError("an address is missing", where=key)
        return found

    def maybe_address(self, key: str) -> Address | None:
        text = self.text(key)
        if not text:
            return None
        try:
            return Address.parse(text.removeprefix("0x"))
        except FormatError as error:
            raise FormatError(error.message, where=key) from None

    def call_data(self) -> bytes:
        """Of a function with its parameters, or as it is."""
        function = self.text("function_selector")
        if not function:
            return self.hex("data")
        if not _FUNCTION.fullmatch(function):
            raise FormatError("a function is wanted, as name(type,type)", where="function_selector")
        return selector(function) + self.hex("parameter")
