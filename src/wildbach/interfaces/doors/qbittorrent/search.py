"""search/…: there are no search plug-ins, which are programs of others that would run here. Searches find nothing."""

from __future__ import annotations

from typing import Any, Final

from wildbach.interfaces.api import models as m
from wildbach.interfaces.doors.qbittorrent.call import Answer, Call, data, not_found, text, whole
from wildbach.interfaces.doors.qbittorrent.endpoints import endpoint

_MOST: Final = 5
"Searches that are remembered."


@endpoint("search/plugins", "None.", kind="none")
async def plugins(call: Call) -> Answer:
    return data([])


@endpoint("search/start", "Begins a search, which is over at once.", change=True, kind="none")
async def start(call: Call) -> Answer:
    pattern, _, _ = call.required("pattern", "category", "plugins")
    searches = call.shared.searches
    while len(searches) >= _MOST:
        del searches[next(iter(searches))]
    number = call.shared.next_search
    call.shared.next_search += 1
    searches[number] = pattern[:200]
    return data({"id": number})


def _number(call: Call) -> int:
    [value] = call.required("id")
    number = whole(value.strip())
    if number not in call.shared.searches:
        raise not_found()
    return number


@endpoint("search/stop", "Ends a search.", change=True, kind="none")
async def stop(call: Call) -> Answer:
    _number(call)
    return text()


@endpoint("search/delete", "Forgets a search.", change=True, kind="none")
async def delete(call: Call) -> Answer:
    del call.shared.searches[_number(call)]
    return text()


@endpoint("search/status", "Searches: all have stopped.", kind="none")
async def status(call: Call) -> Answer:
    numbers = [_number(call)] if call.text("id") and call.text("id") != "0" else list(call.shared.searches)
    return data([{"id": number, "status": "Stopped", "total": 0} for number in numbers])


@endpoint("search/results", "Nothing is found.", kind="none")
async def results(call: Call) -> Answer:
    _number(call)
    found: list[Any] = []
    return data({"results": found, "status": "Stopped", "total": 0})


@endpoint("search/downloadTorrent", "Adds a torrent by its URL.", change=True)
async def download(call: Call) -> Answer:
    [url] = call.required("torrentUrl")
    await call.api.add_torrents(m.AddRequest((url.strip(),)))
    return text()


@endpoint("search/installPlugin", "Nothing: no programs of others are run.", change=True, kind="none")
@endpoint("search/uninstallPlugin", "Nothing.", change=True, kind="none")
@endpoint("search/enablePlugin", "Nothing.", change=True, kind="none")
@endpoint("search/updatePlugins", "Nothing.", change=True, kind="none")
async def nothing(call: Call) -> Answer:
    return text()
