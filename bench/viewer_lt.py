"""A viewer by libtorrent: deadlines for the pieces from where it reads on, as its reference and its page on streaming
describe them.

The piece at hand has the deadline 0, each later one that at which the film gets there, up to AHEAD seconds. Pieces
come as `read_piece_alert` (`alert_when_available`); a jump clears all deadlines and sets those of the new place.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import libtorrent as lt
from bench import viewing
from tests.interop.peers.lt_child import LOOPBACK

from wildbach.protocol.media.index import MediaIndex
from wildbach.runtime.tasks import Scope
from wildbach.testing.player import AHEAD_SECONDS


class Deadlines:
    """Reads the only file of a torrent."""

    def __init__(self, session: lt.session, handle: lt.torrent_handle, index: MediaIndex) -> None:
        self.size = index.size
        self._session = session
        self._handle = handle
        self._index = index
        self._length = handle.torrent_file().piece_length()
        self._pieces: dict[int, bytes] = {}
        self._asked: set[int] = set()
        self._at = -1
        self._news = asyncio.Event()

    async def read(self, offset: int, limit: int) -> bytes:
        piece = offset // self._length
        if piece != self._at:
            self._go_to(piece, offset)
        while piece not in self._pieces:
            self._news.clear()
            await self._news.wait()
        begin = offset - piece * self._length
        return self._pieces[piece][begin : begin + limit]

    def _go_to(self, piece: int, offset: int) -> None:
        if piece not in (self._at, self._at + 1):
            self._handle.clear_piece_deadlines()
            self._asked.clear()
        self._at = piece
        now = self._index.seconds(offset)
        last = (self.size - 1) // self._length
        for number in range(piece, last + 1):
            wait = max(0.0, self._index.seconds(number * self._length) - now)
            if wait > AHEAD_SECONDS:
                break
            if number not in self._pieces and number not in self._asked:
                self._asked.add(number)
                flags = lt.deadline_flags_t.alert_when_available
                self._handle.set_piece_deadline(number, int(wait * 1000), flags)

    async def hear(self) -> None:
        """Take what it says, as soon as it does."""
        while True:
            await asyncio.to_thread(self._session.wait_for_alert, 200)
            for alert in self._session.pop_alerts():
                if isinstance(alert, lt.read_piece_alert) and alert.error.value() == 0:
                    self._pieces[alert.piece] = bytes(alert.buffer)
                    self._asked.discard(alert.piece)
                    self._news.set()

    def here(self, offset: int) -> bool:
        return bool(self._handle.have_piece(min(offset, self.size - 1) // self._length))


async def view(asked: viewing.Words) -> None:
    index = await viewing.index_of(Path(asked.film))
    mask = lt.alert.category_t.status_notification | lt.alert.category_t.error_notification
    session = lt.session({**LOOPBACK, "listen_interfaces": f"{asked.host}:0", "alert_mask": int(mask)})
    params = lt.load_torrent_file(asked.torrent)
    params.save_path = str(Path(asked.home) / "out")
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    began = time.monotonic()
    handle = session.add_torrent(params)
    reader = Deadlines(session, handle, index)
    for host, port in asked.peers:
        handle.connect_peer((host, port))
    async with Scope("viewer") as scope:
        scope.spawn("alerts", reader.hear())
        await viewing.evening(asked, began, reader, index, reader.here)
        scope.cancel()


if __name__ == "__main__":
    viewing.main(view)
