"""One request at the door, and what may be answered.

An endpoint is a function of a `Call`: it reads its parameters from it, asks the Api, and returns an Answer or raises
`Refusal`. Parameters are texts that anybody may have written, so each reader names what is wrong with one.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypedDict

import msgspec

from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.doors.qbittorrent.forms import Form, Upload
from wildbach.net.httpd import Response, Stream

if TYPE_CHECKING:
    from wildbach.interfaces.doors.qbittorrent.state import Shared, Viewer

Answer = Response | Stream
JSON: Final = "application/json"
_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class Chosen(TypedDict, total=False):
    """Torrents, as the Api's models name them: `keys` or `all`."""

    keys: tuple[str, ...]
    all: bool


class Refusal(Exception):
    """Not done; `status` and `text` go to the client."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text


def bad(text: str) -> Refusal:
    """A parameter that cannot be."""
    return Refusal(400, text)


def conflict(text: str) -> Refusal:
    """It cannot be done as things are."""
    return Refusal(409, text)


def not_found() -> Refusal:
    """No such torrent, task …; programs look for this very text."""
    return Refusal(404, "Not Found")


def text(value: str = "") -> Response:
    return Response(value.encode())


def data(value: Any) -> Response:
    """JSON."""
    return Response(msgspec.json.encode(value), content_type=JSON)


def stream(chunks: AsyncIterator[bytes]) -> Stream:
    """JSON that is made while it is sent."""
    return Stream(chunks, content_type=JSON)


@dataclass(slots=True)
class Call:
    """What an endpoint knows of its request."""

    api: Api
    "Refuses what the caller's role does not permit."
    shared: Shared
    "What the door remembers for all."
    viewer: Viewer
    "What it remembers for this caller."
    form: Form

    # -- parameters

    def has(self, name: str) -> bool:
        return name in self.form.fields

    def text(self, name: str, default: str = "") -> str:
        return self.form.fields.get(name, default)

    def required(self, *names: str) -> list[str]:
        """The values of parameters that must be there."""
        missing = [name for name in names if name not in self.form.fields]
        if missing:
            raise bad(f"Missing required parameters: {', '.join(missing)}")
        return [self.form.fields[name] for name in names]

    def flag(self, name: str, default: bool | None = None) -> bool | None:
        """true or false; `default` where it is neither, as the original has it."""
        value = self.form.fields.get(name, "").strip().lower()
        if value in ("true", "1"):
            return True
        if value in ("false", "0"):
            return False
        return default

    def number(self, name: str, default: int) -> int:
        """A whole number; `default` where it is left out or empty."""
        value = self.form.fields.get(name, "").strip()
        if not value:
            return default
        number = whole(value)
        if number is None:
            raise bad(f"{name} must be an integer")
        return number

    def real(self, name: str, default: float) -> float:
        value = self.form.fields.get(name, "").strip()
        if not value:
            return default
        if not re.fullmatch(r"[+-]?[0-9]{1,18}(?:\.[0-9]{0,18})?", value):
            raise bad(f"{name} must be a number")
        return float(value)

    def listed(self, name: str, separator: str) -> list[str]:
        """What is joined by a separator, without blanks around it and without what is empty."""
        return [item for part in self.text(name).split(separator) if (item := part.strip())]

    @property
    def files(self) -> list[Upload]:
        return self.form.files

    # -- which torrents

    def key(self, name: str = "hash") -> str:
        """The one torrent that is asked for."""
        [value] = self.required(name)
        value = value.strip().lower()
        if not _HASH.fullmatch(value):
            raise not_found()
        return self.shared.key(value)

    def selection(self, name: str = "hashes") -> Chosen:
        """`keys` and `all` of several torrents; what is no hash is left out, as the original does."""
        [value] = self.required(name)
        if value.strip() == "all":
            return {"all": True}
        return {"keys": tuple(self.keys_of(value))}

    def keys_of(self, value: str) -> list[str]:
        return [
            self.shared.key(item) for part in value.split("|") if _HASH.fullmatch(item := part.strip().lower())
        ]


def whole(value: str) -> int | None:
    """A decimal number of at most 18 digits; None for anything else."""
    return int(value) if re.fullmatch(r"[+-]?[0-9]{1,18}", value) else None


def within(value: int, lowest: int, highest: int) -> int:
    return max(lowest, min(value, highest))


def rate(value: int) -> int:
    """A limit in bytes a second: 0 and below are none."""
    return within(value, 0, 1 << 40)
