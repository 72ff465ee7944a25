"""The secret part of a torrent's address on the media host: who has it may read the files of that torrent, and nothing
else.

128 bits, drawn at random, the same in every run until somebody asks for another one; from then on the old one leads
nowhere.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping
from typing import Final, Protocol

from wildbach.base import limits

AREA: Final = "stream_tokens"
_BYTES: Final = 16
TOKEN: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


class Keeper(Protocol):
    """Keeps values by area and name; the session."""

    async def kept(self, area: str) -> dict[str, bytes]: ...

    async def keep(self, area: str, changes: Mapping[str, bytes | None], *, durable: bool = False) -> None: ...


class Tokens:
    """Those of all torrents that have one."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._by_key: dict[str, str] = {}
        self._by_token: dict[str, str] = {}
        self._writing = asyncio.Lock()

    async def load(self) -> None:
        """Take what earlier runs kept. What is no token is passed over: its torrent gets a new one."""
        for key, raw in (await self._keeper.kept(AREA)).items():
            token = raw.decode("ascii", "replace")
            if TOKEN.fullmatch(token):
                self._set(key, token)

    def key_of(self, token: str) -> str | None:
        """The torrent that a token is of."""
        return self._by_token.get(token)

    async def of(self, key: str) -> str:
        """The token of a torrent, made where it has none; durable when this returns. Raises StorageError."""
        async with self._writing:
            return self._by_key.get(key) or await self._draw(key)

    async def renew(self, key: str) -> str:
        """Another one: the old one is worth nothing when this returns. Raises StorageError; then the old one holds."""
        async with self._writing:
            return await self._draw(key)

    async def forget(self, key: str) -> None:
        """The torrent is gone."""
        async with self._writing:
            if key in self._by_key:
                await self._keeper.keep(AREA, {key: None}, durable=True)
                self._drop(key)

    async def _draw(self, key: str) -> str:
        token = secrets.token_hex(_BYTES)
        others = [other for other in self._by_key if other != key]
        gone = others[:max(0, len(others) + 1 - limits.PLAY_TOKENS)]
        changes: dict[str, bytes | None] = dict.fromkeys(gone)
        await self._keeper.keep(AREA, {**changes, key: token.encode()}, durable=True)
        for other in (*gone, key):
            self._drop(other)
        self._set(key, token)
        return token

    def _set(self, key: str, token: str) -> None:
        self._by_key[key] = token
        self._by_token[token] = key

    def _drop(self, key: str) -> None:
        self._by_token.pop(self._by_key.pop(key, ""), None)
