"""torrents/… that change torrents."""

from __future__ import annotations

from typing import Any

from wildbach.base.errors import StorageError, UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.doors.qbittorrent import listing, names
from wildbach.interfaces.doors.qbittorrent.call import (
    Answer,
    Call,
    Refusal,
    bad,
    conflict,
    data,
    rate,
    text,
    whole,
)
from wildbach.interfaces.doors.qbittorrent.endpoints import endpoint


async def _act(call: Call, act: m.Act) -> Answer:
    await call.api.act(m.Action(act, **call.selection()))
    return text()


async def _patch(call: Call, patch: m.TorrentPatch) -> Answer:
    await call.api.change_torrents(m.TorrentsPatch(patch, **call.selection()))
    return text()


@endpoint("torrents/start", "Starts torrents.", change=True)
@endpoint("torrents/resume", "An older name of torrents/start.", change=True)
async def start(call: Call) -> Answer:
    return await _act(call, "start")


@endpoint("torrents/stop", "Stops torrents.", change=True)
@endpoint("torrents/pause", "An older name of torrents/stop.", change=True)
async def stop(call: Call) -> Answer:
    return await _act(call, "stop")


@endpoint("torrents/recheck", "Hashes all that is there.", change=True)
async def recheck(call: Call) -> Answer:
    return await _act(call, "recheck")


@endpoint("torrents/reannounce", "Announces to all trackers now.", change=True)
async def reannounce(call: Call) -> Answer:
    return await _act(call, "reannounce")


@endpoint("torrents/delete", "Removes torrents at once; with their content where asked.", change=True)
async def delete(call: Call) -> Answer:
    call.required("hashes", "deleteFiles")
    chosen = call.selection()
    # Programs count on the space, and on a torrent that they add again being a new one: so not by way of the trash.
    await call.api.remove_torrents(m.Removal(files=bool(call.flag("deleteFiles")), now=True, **chosen))
    return text()


# -- queue


async def _queue(call: Call, act: m.Act) -> Answer:
    call.required("hashes")
    if not (await call.shared.usual())[1]:
        raise conflict("Torrent queueing must be enabled")
    return await _act(call, act)


@endpoint("torrents/increasePrio", "One place up in the queue.", change=True)
async def up(call: Call) -> Answer:
    return await _queue(call, "up")


@endpoint("torrents/decreasePrio", "One place down in the queue.", change=True)
async def down(call: Call) -> Answer:
    return await _queue(call, "down")


@endpoint("torrents/topPrio", "To the top of the queue.", change=True)
async def top(call: Call) -> Answer:
    return await _queue(call, "top")


@endpoint("torrents/bottomPrio", "To the end of the queue.", change=True)
async def bottom(call: Call) -> Answer:
    return await _queue(call, "bottom")


# -- options


@endpoint("torrents/setDownloadLimit", "Download limit of torrents.", change=True)
async def set_down_limit(call: Call) -> Answer:
    call.required("hashes", "limit")
    return await _patch(call, m.TorrentPatch(down_limit=rate(call.number("limit", 0))))


@endpoint("torrents/setUploadLimit", "Upload limit of torrents.", change=True)
async def set_up_limit(call: Call) -> Answer:
    call.required("hashes", "limit")
    return await _patch(call, m.TorrentPatch(up_limit=rate(call.number("limit", 0))))


@endpoint("torrents/setShareLimits", "Ratio and minutes of seeding; -2: as the settings say, -1: none.", change=True)
async def set_share_limits(call: Call) -> Answer:
    call.required("hashes", "ratioLimit", "seedingTimeLimit")
    changes: dict[str, Any] = {
        "ratio_limit": names.ratio_limit(call.real("ratioLimit", -2)),
        "seeding_limit": names.seconds(call.number("seedingTimeLimit", -2)),
    }
    if call.has("inactiveSeedingTimeLimit"):
        changes["idle_limit"] = names.seconds(call.number("inactiveSeedingTimeLimit", -2))
    if call.text("shareLimitAction") in names.ACTIONS:
        changes["limit_action"] = names.ACTIONS[call.text("shareLimitAction")]
    return await _patch(call, m.TorrentPatch(**changes))


@endpoint("torrents/setForceStart", "Lets torrents run whatever the queue says.", change=True)
async def set_forced(call: Call) -> Answer:
    call.required("hashes", "value")
    if call.flag("value"):
        return await _act(call, "force_start")
    return await _patch(call, m.TorrentPatch(forced=False))


@endpoint("torrents/setSuperSeeding", "Super seeding (BEP 16).", change=True)
async def set_super_seeding(call: Call) -> Answer:
    call.required("hashes", "value")
    return await _patch(call, m.TorrentPatch(super_seed=bool(call.flag("value"))))


@endpoint("torrents/setAutoManagement", "Lets the folder follow the category.", change=True)
async def set_auto(call: Call) -> Answer:
    call.required("hashes", "enable")
    return await _patch(call, m.TorrentPatch(auto=bool(call.flag("enable"))))


@endpoint("torrents/toggleSequentialDownload", "Pieces in their order, or not.", change=True)
async def toggle_sequential(call: Call) -> Answer:
    found = await listing.rows(call)
    for value in (True, False):
        keys = tuple(row.key for row in found if row.sequential is not value)
        if keys:
            await call.api.change_torrents(m.TorrentsPatch(m.TorrentPatch(sequential=value), keys))
    return text()


@endpoint("torrents/toggleFirstLastPiecePrio", "First and last pieces of files first, or not.", change=True)
async def toggle_ends(call: Call) -> Answer:
    found = await listing.rows(call)
    for value in (True, False):
        keys = tuple(row.key for row in found if row.ends_first is not value)
        if keys:
            await call.api.change_torrents(m.TorrentsPatch(m.TorrentPatch(ends_first=value), keys))
    return text()


@endpoint("torrents/rename", "Another name in the list.", change=True)
async def rename(call: Call) -> Answer:
    _, name = call.required("hash", "name")
    key = call.key()
    name = " ".join(name.split())
    if not name:
        raise conflict("Incorrect torrent name")
    await call.api.change_torrent(key, m.TorrentPatch(name=name))
    return text()


# -- folders


async def _move(call: Call, name: str, path: str, *, incomplete: bool = False) -> Answer:
    chosen = call.selection(name)
    try:
        await call.api.move_torrents(m.Move(path, incomplete=incomplete, **chosen))
    except StorageError as error:
        raise Refusal(403 if error.errno in (1, 13, 30) else 409, str(error)) from None
    return text()


@endpoint("torrents/setLocation", "Moves the content.", change=True)
async def set_location(call: Call) -> Answer:
    _, path = call.required("hashes", "location")
    if not path.strip():
        raise bad("Save path cannot be empty")
    try:
        return await _move(call, "hashes", path.strip())
    except UsageError as error:
        raise conflict(str(error)) from None


@endpoint("torrents/setSavePath", "Moves the content; the hashes are called `id`.", change=True)
async def set_save_path(call: Call) -> Answer:
    _, path = call.required("id", "path")
    if not path.strip():
        raise bad("Save path cannot be empty")
    return await _move(call, "id", path.strip())


@endpoint("torrents/setDownloadPath", "Refused so far: it is chosen when a torrent is added.", change=True, kind="none")
async def set_download_path(call: Call) -> Answer:
    _, path = call.required("id", "path")
    return await _move(call, "id", path.strip(), incomplete=True)


# -- files


@endpoint("torrents/filePrio", "Priorities of files: 0 not wanted, 1 usual, 6 high, 7 highest.", change=True)
async def file_priorities(call: Call) -> Answer:
    call.required("hash", "id", "priority")
    key = call.key()
    priority = whole(call.text("priority").strip())
    if priority is None:
        raise bad("Priority must be an integer")
    if priority not in names.PRIORITIES:
        raise bad("Priority is not valid")
    indexes = []
    for item in call.listed("id", "|"):
        index = whole(item)
        if index is None:
            raise bad("File IDs must be integers")
        indexes.append(index)
    detail = await call.api.torrent(key)
    if not detail.row.has_metadata:
        raise conflict("Torrent's metadata has not yet downloaded")
    if any(not 0 <= index < detail.files for index in indexes):
        raise conflict("File ID is not valid")
    await call.api.set_priorities(key, m.FilePriorities({str(index): priority for index in indexes}))
    return text()


@endpoint("torrents/renameFile", "Another path of a file: `oldPath` and `newPath`, or `id` and `name`.", change=True)
async def rename_file(call: Call) -> Answer:
    call.required("hash")
    key = call.key()
    if call.has("id") and not call.has("oldPath"):
        _, new_name = call.required("id", "name")
        index = whole(call.text("id").strip())
        page = await call.api.files(key, m.FileListing(max(index or 0, 0), 1))
        if index is None or index < 0 or not page.files:
            raise conflict("File ID is not valid")
        old = page.files[0].path
        folder, slash, _ = old.rpartition("/")
        return await _rename(call, key, old, folder + slash + new_name)
    old, new = call.required("oldPath", "newPath")
    return await _rename(call, key, old, new)


@endpoint("torrents/renameFolder", "Another path of a folder: `oldPath` and `newPath`.", change=True)
async def rename_folder(call: Call) -> Answer:
    _, old, new = call.required("hash", "oldPath", "newPath")
    return await _rename(call, call.key(), old, new)


async def _rename(call: Call, key: str, old: str, new: str) -> Answer:
    await call.api.torrent(key)
    try:
        await call.api.rename(key, m.Rename(old, new))
    except (UsageError, StorageError) as error:
        raise conflict(str(error)) from None
    return text()


# -- trackers, web seeds and peers


@endpoint("torrents/addTrackers", "More trackers, one a line; an empty line begins a tier.", change=True)
async def add_trackers(call: Call) -> Answer:
    call.required("hash", "urls")
    tiers: list[list[str]] = [[]]
    for line in call.text("urls").split("\n"):
        if url := line.strip():
            tiers[-1].append(url)
        elif tiers[-1]:
            tiers.append([])
    added = tuple(tuple(tier) for tier in tiers if tier)
    key = call.key()
    await call.api.torrent(key)
    if added:
        await call.api.change_trackers(key, m.TrackerChange(add=added))
    return text()


@endpoint("torrents/editTracker", "Another URL for a tracker.", change=True)
async def edit_tracker(call: Call) -> Answer:
    call.required("hash", "newUrl")
    old, new = call.text("origUrl") or call.text("url"), call.text("newUrl")
    if not old:
        raise bad("Missing required parameters: origUrl")
    key = call.key()
    urls = [row.url for row in (await call.api.trackers(key)).trackers]
    if new == old:
        return text()
    if new in urls:
        raise conflict("New tracker URL already exists")
    if old not in urls:
        raise conflict("Tracker not found")
    await call.api.change_trackers(key, m.TrackerChange(replace={old: new}))
    return text()


@endpoint("torrents/removeTrackers", "Removes trackers, joined by |.", change=True)
async def remove_trackers(call: Call) -> Answer:
    call.required("hash", "urls")
    key = call.key()
    there = {row.url for row in (await call.api.trackers(key)).trackers}
    found = tuple(url for url in dict.fromkeys(call.listed("urls", "|")) if url in there)
    if not found:
        raise conflict("No trackers were removed")
    await call.api.change_trackers(key, m.TrackerChange(remove=found))
    return text()


@endpoint("torrents/addWebSeeds", "More web seeds, joined by |.", change=True)
async def add_web_seeds(call: Call) -> Answer:
    call.required("hash", "urls")
    key = call.key()
    urls = tuple(_web_url(url) for url in call.listed("urls", "|"))
    await call.api.change_web_seeds(key, m.WebSeedChange(add=urls))
    return text()


@endpoint("torrents/editWebSeed", "Another URL for a web seed.", change=True)
async def edit_web_seed(call: Call) -> Answer:
    _, old, new = call.required("hash", "origUrl", "newUrl")
    key = call.key()
    old, new = _web_url(old), _web_url(new)
    if old not in {row.url for row in (await call.api.web_seeds(key)).web_seeds}:
        raise conflict(f'"{old}" is not an existing URL')
    if old != new:
        await call.api.change_web_seeds(key, m.WebSeedChange((old,), (new,)))
    return text()


@endpoint("torrents/removeWebSeeds", "Removes web seeds, joined by |.", change=True)
async def remove_web_seeds(call: Call) -> Answer:
    call.required("hash", "urls")
    key = call.key()
    urls = [_web_url(url) for url in call.listed("urls", "|")]
    there = {row.url for row in (await call.api.web_seeds(key)).web_seeds}
    found = tuple(url for url in urls if url in there)
    if found:
        await call.api.change_web_seeds(key, m.WebSeedChange(found))
    return text()


def _web_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise bad(f'"{url[:100]}" is not a valid URL')
    return url


@endpoint("torrents/addPeers", "Calls peers, HOST:PORT joined by |, of torrents.", change=True)
async def add_peers(call: Call) -> Answer:
    call.required("hashes", "peers")
    peers = call.listed("peers", "|")
    good = tuple(peer for peer in peers if _endpoint(peer))
    if not good:
        raise bad("No valid peers were specified")
    added = {}
    for key in call.keys_of(call.text("hashes")):
        try:
            await call.api.add_peers(key, m.PeerList(good))
        except UsageError:
            continue
        added[call.shared.shown(key)] = {"added": len(good), "failed": len(peers) - len(good)}
    return data(added)


def _endpoint(text: str) -> bool:
    host, _, port = text.rpartition(":")
    number = whole(port)
    return bool(host.strip("[]")) and number is not None and 0 < number < 65536


@endpoint("torrents/setSSLParameters", "Refused: torrents over TLS (BEP 35) are not known here.", change=True,
          kind="none")
async def set_ssl_parameters(call: Call) -> Answer:
    call.required("hash", "ssl_certificate", "ssl_private_key", "ssl_dh_params")
    await call.api.torrent(call.key())
    raise Refusal(415, "Torrents over TLS (BEP 35) are not supported")
