"""How an operation of the Api is declared: once, and the HTTP routes, the OpenAPI document and the client over HTTP
follow.

    class Api:
        @operation("GET", "/torrents/{key}", role="guest")
        async def torrent(self, key: str) -> TorrentDetail: ...

Parameters that the path names come from it. One more may be there, a Struct: of a GET it is the query, else the body.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

import msgspec

Role = Literal["guest", "user"]
"Who may: a guest only looks."
ROLES: Final[tuple[Role, ...]] = ("guest", "user")

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the Api."""

    name: str
    method: str
    path: str
    "Below the API's root; `{name}` stands for a parameter."
    role: Role
    doc: str
    parameters: tuple[tuple[str, type], ...]
    "Those in the path, with their types: str or int."
    payload: str
    "The name of the parameter that comes from the query or the body; empty for none."
    payload_type: Any
    result: Any
    "Its type; None for no content, bytes for a file."
    content_type: str
    "Of a result that is bytes."

    @property
    def in_query(self) -> bool:
        """The payload comes from the query."""
        return bool(self.payload) and self.method == "GET"


@dataclass(frozen=True, slots=True)
class _Declared:
    method: str
    path: str
    role: Role
    content_type: str


def operation(
    method: str, path: str, *, role: Role = "user", content_type: str = "application/octet-stream",
) -> Callable[[F], F]:
    """Declare a method of the Api as an operation."""

    def mark(function: F) -> F:
        function.__dict__["__operation__"] = _Declared(method, path, role, content_type)
        return function

    return mark


_made: dict[type, dict[str, Operation]] = {}


def operations(api: type) -> dict[str, Operation]:
    """The operations that a class and those it is made of declare, by name, in the order of their declaration."""
    if api not in _made:
        _made[api] = {
            name: _read(name, member, member.__dict__["__operation__"])
            for part in api.__mro__ for name, member in vars(part).items()
            if "__operation__" in getattr(member, "__dict__", {})
        }
    return _made[api]


def _read(name: str, function: Callable[..., Any], declared: _Declared) -> Operation:
    hints = typing.get_type_hints(function)
    result = hints.pop("return")
    in_path = re.findall(r"\{(\w+)\}", declared.path)
    rest = [key for key in hints if key not in in_path]
    if len(rest) > 1 or any(hints[key] not in (str, int) for key in in_path):
        raise TypeError(f"{name}: one payload, and parameters of a path that are str or int")
    kind = hints[rest[0]] if rest else None
    if kind is not None and not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        raise TypeError(f"{name}: the payload is a Struct")
    return Operation(
        name, declared.method, declared.path, declared.role, inspect.cleandoc(function.__doc__ or ""),
        tuple((key, hints[key]) for key in in_path), rest[0] if rest else "", kind,
        None if result is type(None) else result, declared.content_type,
    )
