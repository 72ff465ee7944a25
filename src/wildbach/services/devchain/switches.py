"""What tests do to a chain: undo its newest blocks, move its clock, have the node lie, say nothing or be busy.

By calls, or by POST below /switches where the node was started so: `undo` {count, again}, `clock` {seconds}, `block`,
`lie` {path, answer}, `stall` {path}, `clear`. A lie stands in place of the answer to every question at that path.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

import msgspec

from wildbach.base.errors import FormatError
from wildbach.services.devchain.api import Absent
from wildbach.services.devchain.asking import Asked
from wildbach.services.devchain.chain import DevChain

T = TypeVar("T")

_MOST_LIES: Final = 100
_STALL: Final = b""


class Run(Protocol):
    """Calls something with the chain, in its thread."""

    async def __call__(self, call: Callable[[DevChain], T], /) -> T: ...


class Stalled(Exception):
    """A question that gets no answer."""


class Switches:
    def __init__(self, run: Run) -> None:
        self._run = run
        self._lies: dict[str, bytes] = {}

    async def undo(self, count: int, *, again: bool = True) -> bytes:
        """Replace the newest blocks; the id of the newest one then. Raises UsageError for solid ones."""
        return (await self._run(lambda chain: chain.undo(count, again=again))).id

    async def forward(self, seconds: int) -> int:
        """Move the clock; ms by which it is ahead now. A block is made with the new time."""
        def move(chain: DevChain) -> int:
            ahead = chain.shift(seconds)
            chain.produce()
            return ahead

        return await self._run(move)

    async def produce(self, count: int = 1) -> int:
        """Make blocks now, at most a thousand; the newest number."""
        def make(chain: DevChain) -> int:
            for _ in range(min(count, 1000)):
                chain.produce()
            return chain.head.number

        return await self._run(make)

    def lie(self, path: str, answer: object) -> None:
        """`path`: as wallet/getaccount. Raises FormatError where there are too many."""
        self._put(path, msgspec.json.encode(answer))

    def stall(self, path: str) -> None:
        """Let whoever asks wait for a minute, for nothing."""
        self._put(path, _STALL)

    def clear(self) -> None:
        """The truth again."""
        self._lies.clear()

    def _put(self, path: str, answer: bytes) -> None:
        if len(self._lies) >= _MOST_LIES and path not in self._lies:
            raise FormatError(f"there are {_MOST_LIES} lies already")
        self._lies[path.strip("/")] = answer

    async def met(self, path: str) -> bytes | None:
        """What to say in place of the truth. Raises Stalled."""
        found = self._lies.get(path)
        if found == _STALL:
            raise Stalled
        return found

    async def turn(self, name: str, asked: Asked) -> dict[str, object]:
        match name:
            case "undo":
                found = await self.undo(asked.number("count", 1), again=asked.flag("again", True))
                return {"blockID": found.hex()}
            case "clock":
                return {"ahead": await self.forward(asked.number("seconds"))}
            case "block":
                return {"number": await self.produce(asked.number("count", 1))}
            case "lie":
                self.lie(asked.text("path"), asked.document.get("answer"))
            case "stall":
                self.stall(asked.text("path"))
            case "clear":
                self.clear()
            case _:
                raise Absent(name)
        return {}
