"""The torrents of a session as the media host shows them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

from wildbach.base.errors import UsageError
from wildbach.engine.reader import Reader
from wildbach.engine.session import Session
from wildbach.engine.torrent import Torrent
from wildbach.interfaces.http.mediahost import MediaHost, Shown
from wildbach.interfaces.indexes import Indexes
from wildbach.runtime.tasks import Scope
from wildbach.services.stream.kinds import Kind, type_of
from wildbach.services.stream.tokens import Tokens

_PLAYS: Final = (Kind.VIDEO, Kind.AUDIO)


class Trash(Protocol):
    """The library: what was thrown away is shown to nobody."""

    def in_trash(self, key: str) -> bool: ...


class SessionStage:
    """What has a token, and is in no trash. Every reader gets the time map of its file."""

    def __init__(
        self, session: Session, tokens: Tokens, trash: Trash, scope: Scope, report: Callable[[Exception], None],
    ) -> None:
        self._session = session
        self.indexes = Indexes(scope, lambda key, index: self._torrent(key).open(index), report)
        self._tokens = tokens
        self._trash = trash

    async def shown(self, token: str) -> Shown | None:
        key = self._tokens.key_of(token)
        torrent = self._session.torrent(key) if key is not None else None
        if key is None or torrent is None or self._trash.in_trash(key):
            return None
        if torrent.info is None and torrent.asleep:
            await torrent.metadata()
        if torrent.info is None:
            raise UsageError("the metadata of the torrent is not here yet", code="no_metadata")
        return Shown(key, torrent.info)

    @contextlib.asynccontextmanager
    async def open(self, key: str, index: int) -> AsyncIterator[Reader]:
        torrent = self._torrent(key)
        async with torrent.open(index) as reader:
            plays = torrent.info is not None and type_of(torrent.info.files[index].path.name).kind in _PLAYS
            if not plays:
                yield reader
                return
            self.indexes.join(key, index, reader)
            try:
                yield reader
            finally:
                self.indexes.leave(reader)

    def check(self, key: str, index: int) -> None:
        view = next(iter(self._torrent(key).files([index])), None)
        if view is not None and not view.wanted and view.have < view.size:
            raise UsageError("this file is not chosen for download", code="not_chosen")

    def whole(self, key: str, index: int) -> bool:
        view = next(iter(self._torrent(key).files([index])), None)
        return view is not None and view.have == view.size

    def _torrent(self, key: str) -> Torrent:
        torrent = self._session.torrent(key)
        if torrent is None:
            raise UsageError("the torrent was removed", code="not_found")
        return torrent


class Players:
    """What the Api wants to know of those who fetch."""

    def __init__(self, host: MediaHost, indexes: Indexes) -> None:
        self._host = host
        self._indexes = indexes

    def readers(self, key: str, index: int) -> list[Reader]:
        return [reader for reader in self._host.readers(key, index) if isinstance(reader, Reader)]

    def drop(self, key: str) -> None:
        self._host.drop(key)

    def duration(self, tag: str) -> float:
        found = self._indexes.get(tag)
        return found.duration if found is not None else 0.0
