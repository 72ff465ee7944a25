"""The torrents of a session as the media host shows them."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from wildbach.base.errors import UsageError
from wildbach.engine.reader import Reader
from wildbach.engine.session import Session
from wildbach.engine.torrent import Torrent
from wildbach.interfaces.http.mediahost import Shown
from wildbach.services.stream.tokens import Tokens


class Trash(Protocol):
    """The library: what was thrown away is shown to nobody."""

    def in_trash(self, key: str) -> bool: ...


class SessionStage:
    """What has a token, and is in no trash."""

    def __init__(self, session: Session, tokens: Tokens, trash: Trash) -> None:
        self._session = session
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

    def open(self, key: str, index: int) -> AbstractAsyncContextManager[Reader]:
        return self._torrent(key).open(index)

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
