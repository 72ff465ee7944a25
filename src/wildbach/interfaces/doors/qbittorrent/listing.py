"""torrents/… that tell of many torrents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec
from msgspec import structs

from wildbach.interfaces.api import models as m
from wildbach.interfaces.doors.qbittorrent import details, names
from wildbach.interfaces.doors.qbittorrent.call import Answer, Call, Chosen, data, stream, text
from wildbach.interfaces.doors.qbittorrent.endpoints import endpoint

_PAGE: Final = 1000
_OVERLAP: Final = 50
"Rows of the page before that are asked for again: where torrents went meanwhile, none is passed over."
_SLICE: Final = 100

_DOWNLOADING = frozenset({
    "downloading", "metaDL", "forcedMetaDL", "forcedDL", "stalledDL", "checkingDL", "stoppedDL", "queuedDL",
})
_UPLOADING = frozenset({"uploading", "stalledUP", "checkingUP", "queuedUP", "forcedUP"})


def _active(row: m.TorrentRow) -> bool:
    return row.down_rate >= 1 or row.up_rate >= 1 or row.state in ("metadata", "moving")


_FILTERS: Final[dict[str, tuple[tuple[str, ...], Callable[[m.TorrentRow], bool]]]] = {
    # What the Api is asked for, and which of that are meant.
    "downloading": (("incomplete",), lambda row: names.state(row) in _DOWNLOADING),
    "seeding": (("complete",), lambda row: names.state(row) in _UPLOADING),
    "completed": (("complete",), lambda row: row.complete),
    "stopped": (("stopped",), lambda row: row.state == "stopped"),
    "paused": (("stopped",), lambda row: row.state == "stopped"),
    "running": ((), lambda row: row.state != "stopped"),
    "resumed": ((), lambda row: row.state != "stopped"),
    "active": ((), _active),
    "inactive": ((), lambda row: not _active(row)),
    "stalled": ((), lambda row: names.state(row) in ("stalledUP", "stalledDL")),
    "stalled_uploading": ((), lambda row: names.state(row) == "stalledUP"),
    "stalled_downloading": ((), lambda row: names.state(row) == "stalledDL"),
    "checking": (("checking",), lambda row: row.state == "checking"),
    "moving": (("moving",), lambda row: row.state == "moving"),
    "errored": (("error",), lambda row: row.state == "error"),
}


async def pages(
    call: Call, listing: m.Listing, first: m.TorrentPage | None = None,
) -> AsyncIterator[list[m.TorrentRow]]:
    """All rows of a listing, each once."""
    page = first or await call.api.list_torrents(listing)
    seen: set[str] = set()
    offset = 0
    while True:
        yield [row for row in page.torrents if row.key not in seen]
        offset += len(page.torrents)
        if not page.torrents or offset >= page.total:
            return
        seen.update(row.key for row in page.torrents)
        offset = max(offset - _OVERLAP, 0)
        page = await call.api.list_torrents(structs.replace(listing, offset=offset))
        if len(page.torrents) <= _OVERLAP:
            yield [row for row in page.torrents if row.key not in seen]
            return


async def rows(call: Call, name: str = "hashes") -> list[m.TorrentRow]:
    """The torrents that a request names."""
    chosen = call.selection(name)
    if chosen.get("keys") == ():
        return []
    listing = m.Listing(sort="key", limit=_PAGE, keys=chosen.get("keys", ()))
    return [row async for page in pages(call, listing) for row in page]


@endpoint("torrents/info", "The list, filtered, sorted and cut; with trackers and files where asked.")
async def info(call: Call) -> Answer:
    wanted, meant = _FILTERS.get(call.text("filter").strip().lower(), ((), lambda row: True))
    chosen = call.selection() if call.text("hashes") else Chosen(all=True)
    if chosen.get("keys") == ():
        return data([])
    sort = call.text("sort")
    listing = m.Listing(
        sort=names.SORTS.get(sort, "added_at"), descending=bool(call.flag("reverse")), limit=_PAGE, state=wanted,
        category=(call.text("category"),) if call.has("category") else (),
        tag=(call.text("tag"),) if call.has("tag") else (), keys=chosen.get("keys", ()),
    )
    private = call.flag("private")
    usual, _ = await call.shared.usual()
    first = await call.api.list_torrents(listing)

    def fits(row: m.TorrentRow) -> bool:
        return meant(row) and (private is None or (row.has_metadata and row.private == private))

    offset, limit = call.number("offset", 0), call.number("limit", 0)
    if offset < 0:
        offset += sum([sum(map(fits, page)) async for page in pages(call, listing, first)])
    return stream(_rows(call, pages(call, listing, first), fits, usual, max(offset, 0), limit))


async def _rows(
    call: Call, found: AsyncIterator[list[m.TorrentRow]], fits: Callable[[m.TorrentRow], bool], usual: names.Globals,
    offset: int, limit: int,
) -> AsyncIterator[bytes]:
    trackers, files = call.flag("includeTrackers"), call.flag("includeFiles")
    yield b"["
    between = b""
    taken = 0
    async for page in found:
        for start in range(0, len(page), _SLICE):
            part: list[dict[str, Any]] = []
            for row in page[start:start + _SLICE]:
                if not fits(row):
                    continue
                if offset:
                    offset -= 1
                    continue
                if 0 < limit <= taken:
                    break
                taken += 1
                shown = {"hash": call.shared.shown(row.key), **names.torrent(row, usual)}
                if trackers:
                    shown["trackers"] = await details.tracker_list(call, row.key)
                if files:
                    shown["files"] = [item async for items in details.file_pages(call, row.key) for item in items]
                part.append(shown)
            if part:
                yield between + msgspec.json.encode(part)[1:-1]
                between = b","
            await asyncio.sleep(0)
        if 0 < limit <= taken:
            break
    yield b"]"


@endpoint("torrents/count", "How many torrents there are.")
async def count(call: Call) -> Answer:
    return text(str((await call.api.facets()).total))


@endpoint("torrents/downloadLimit", "Download limits of torrents, in bytes a second; 0: none.")
async def down_limits(call: Call) -> Answer:
    return data({call.shared.shown(row.key): row.down_limit for row in await rows(call)})


@endpoint("torrents/uploadLimit", "Upload limits of torrents.")
async def up_limits(call: Call) -> Answer:
    return data({call.shared.shown(row.key): row.up_limit for row in await rows(call)})
