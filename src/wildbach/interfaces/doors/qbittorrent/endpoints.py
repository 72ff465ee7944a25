"""Which endpoints there are: each is declared once, where it is written, and the table and the docs follow.

    @endpoint("torrents/info", "The list, filtered and sorted.")
    async def info(call: Call) -> Answer: ...

A `change` is taken by POST only, so that no link can make one; what only tells is answered to GET and POST.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

from wildbach.interfaces.api.operation import Role
from wildbach.interfaces.doors.qbittorrent.call import Answer, Call

Handler = Callable[[Call], Awaitable[Answer]]
Kind = Literal["full", "part", "none"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint below /api/v2."""

    name: str
    does: str
    "What comes of it here, in a line."
    change: bool
    kind: Kind
    "`none`: answered so that programs go on, and nothing else."
    handler: Handler

    @property
    def role(self) -> Role:
        return "user" if self.change else "guest"


ENDPOINTS: Final[dict[str, Endpoint]] = {}


def endpoint(name: str, does: str, *, change: bool = False, kind: Kind = "full") -> Callable[[Handler], Handler]:
    """Declare an endpoint; several for one function are names of the same."""

    def declare(handler: Handler) -> Handler:
        if name in ENDPOINTS:
            raise TypeError(f"{name} is declared twice")
        ENDPOINTS[name] = Endpoint(name, does, change, kind, handler)
        return handler

    return declare
