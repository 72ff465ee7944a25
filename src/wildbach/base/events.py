"""What every event is: a frozen slotted dataclass with a JSON form whose name derives from the class."""

from __future__ import annotations

import dataclasses
import re
from enum import Enum
from pathlib import PurePath
from typing import ClassVar

from wildbach.base.errors import WildbachError
from wildbach.base.ids import Endpoint

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class Event:
    """Base of all events. A subclass is a `@dataclass(frozen=True, slots=True)`."""

    __slots__ = ()

    name: ClassVar[str] = "event"
    "The name in JSON: `TorrentComplete` is `torrent_complete`."

    def __init_subclass__(cls) -> None:
        cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()

    def to_dict(self) -> dict[str, Json]:
        """The JSON form: `event` with the name, then the fields."""
        out: dict[str, Json] = {"event": self.name}
        for name in getattr(self, "__dataclass_fields__", ()):
            out[name] = to_json(getattr(self, name))
        return out


@dataclasses.dataclass(frozen=True, slots=True)
class TorrentEvent(Event):
    """An event of one torrent. `torrent` is its key (`InfoHashes.key`)."""

    torrent: str


def to_json(value: object) -> Json:
    """A value in JSON: bytes in hex, endpoints and paths as text, sequences as lists, dataclasses as objects.

    An error is an object of its code and its message. Raises TypeError for what has no form.
    """
    if isinstance(value, Enum):
        return to_json(value.value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return value.hex()
    if isinstance(value, Endpoint | PurePath):
        return str(value)
    if isinstance(value, WildbachError):
        return {"code": value.code, "message": str(value)}
    if isinstance(value, Exception):
        return {"code": "internal_error", "message": f"{type(value).__name__}: {value}"}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form")
