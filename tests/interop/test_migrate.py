"""Real state of other clients: what they have goes on here without a byte downloaded."""

from __future__ import annotations

import asyncio
import base64
import math
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.folders import PIECE, make_folder, make_torrent
from tests.interop.engines import running, until
from tests.interop.peers import deluge, qbittorrent, rtorrent, transmission
from tests.interop.peers.base import poll

from wildbach.engine.options import AddOptions
from wildbach.protocol.metainfo.builder import Kind
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.services.migrate import Client, Found, Start, State, Unreadable, find, general, lacking, torrents

SIZES = {"a.bin": 2 * PIECE, "b/c.bin": 3 * PIECE, "z.bin": PIECE}
"Files end where pieces do, so that each can be checked without the others."
MAGNET = "magnet:?xt=urn:btih:" + "ab" * 20 + "&dn=a%20link&tr=http%3A%2F%2F127.0.0.1%3A9%2Fannounce"


def made(folder: Path, *names: str, kinds: tuple[Kind, ...] = ("v1",)) -> dict[str, Metainfo]:
    """Content on the disk and its torrents."""
    return {
        name: make_torrent(make_folder(folder, name, SIZES, seed=number), kinds[number % len(kinds)])
        for number, name in enumerate(names)
    }


@contextmanager
def untouched(folder: Path) -> Iterator[None]:
    """Nothing in this folder changes."""
    def look() -> dict[str, tuple[int, int]]:
        return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in folder.rglob("*")}

    before = look()
    yield
    assert look() == before


def one_state(path: Path, client: Client) -> State:
    (state,) = find(path)
    assert state.client is client
    return state


def read_all(state: State) -> dict[str, Found]:
    found = {}
    for item in torrents(state):
        assert not isinstance(item, Unreadable), item.reason
        found[item.name] = item
    return found


async def goes_on(item: Found, state: Path) -> None:
    """It seeds with nothing downloaded, and what is on the disk is what the torrent wants."""
    assert item.save_path is not None and item.complete and lacking(item) == ()
    async with running() as session:
        torrent = await session.add(item.source, AddOptions(
            save_path=item.save_path, incomplete_path=item.incomplete_path, layout=item.layout, renames=item.renames,
            suffix=item.suffix, select=lambda index, _file: item.wanted(index), skip_check=item.complete,
            paused=item.start is Start.STOPPED, sequential=item.sequential,
        ))
        if item.start is Start.STOPPED:
            await torrent.resume()
        await asyncio.wait_for(torrent.complete(), 30)
        view = torrent.view()
        assert (view.state, view.downloaded) == ("seeding", 0)
        await torrent.recheck()
        view = torrent.view()
        assert view.wanted == view.done > 0
        assert torrent.swarm.assumed is None


def spoilt(folder: Path) -> None:
    """Two of three pieces of one file are bad, and another file is not there."""
    (folder / "z.bin").unlink()
    with (folder / "b" / "c.bin").open("r+b") as file:
        file.write(b"x" * 2 * PIECE)


async def goes_on_from_there(item: Found) -> None:
    """What the other client has of a torrent that is not complete is found; nothing is in the way."""
    assert item.save_path is not None and not item.complete
    async with running() as session:
        torrent = await session.add(item.source, AddOptions(
            save_path=item.save_path, incomplete_path=item.incomplete_path, suffix=item.suffix, renames=item.renames))
        await until(lambda: torrent.view().state == "downloading", story=torrent.view)
        assert (torrent.view().done, torrent.view().wanted) == (3 * PIECE, 6 * PIECE)


def all_go_on(found: dict[str, Found], tmp_path: Path) -> None:
    async def main() -> None:
        for item in found.values():
            await goes_on(item, tmp_path / "state")

    asyncio.run(main())


def link_of(found: dict[str, Found]) -> Found:
    """The one that has no metadata."""
    (name,) = [name for name, item in found.items() if item.metainfo is None]
    item = found.pop(name)
    assert item.magnet is not None and item.hashes.v1 == b"\xab" * 20
    assert item.trackers == (("http://127.0.0.1:9/announce",),)
    return item


# -- qBittorrent

@pytest.mark.slow
@pytest.mark.foreign("qbittorrent")
@pytest.mark.skipif(qbittorrent.MISSING is not None, reason=str(qbittorrent.MISSING))
@pytest.mark.parametrize("storage", ["Legacy", "SQLite"])
def test_torrents_of_qbittorrent_go_on(tmp_path: Path, storage: str) -> None:
    data = tmp_path / "data"
    kinds: tuple[Kind, ...] = ("v1", "v1", "hybrid", "v2", "v1")
    all_made = made(data, "labelled", "paused", "skipped", "renamed", "forced", kinds=kinds)
    keys = {name: metainfo.info.hashes.swarms[-1].hex() for name, metainfo in all_made.items()}
    part = made(tmp_path / "part", "begun")["begun"]
    spoilt(tmp_path / "part" / "begun")
    with qbittorrent.QBittorrent(tmp_path, storage=storage) as client:
        client.post("torrents/createCategory", category="films", savePath=str(tmp_path / "films"))
        client.post("torrents/createCategory", category="films/old", savePath="")
        for name, metainfo in all_made.items():
            more = {
                "labelled": {
                    "category": "films", "tags": "one,two", "ratioLimit": "1.5", "seedingTimeLimit": "77",
                    "dlLimit": "5000", "upLimit": "6000", "sequentialDownload": "true",
                },
                "paused": {"paused": "true", "ratioLimit": "-1"},
            }.get(name, {})
            client.add(metainfo.to_bytes(), savepath=str(data), **more)
        client.add(MAGNET, savepath=str(data))
        client.add(part.to_bytes(), savepath=str(tmp_path / "part"))
        client.post("torrents/recheck", hashes=keys["paused"])
        for name, key in keys.items():
            client.wait(key, *(("pausedUP",) if name == "paused" else ("stalledUP", "uploading", "queuedUP")))
        client.wait(part.info.hashes.key, "stalledDL", "downloading", "queuedDL")
        suffixed = tmp_path / "part/begun/b/c.bin.!qB"
        poll(lambda: suffixed.exists() or None, 20, lambda: "no suffix")
        client.post("torrents/filePrio", hash=keys["skipped"], id="0", priority="0")
        client.post("torrents/filePrio", hash=keys["skipped"], id="2", priority="7")
        client.post("torrents/renameFile", hash=keys["renamed"], oldPath="renamed/b/c.bin", newPath="renamed/n/new.bin")
        client.post("torrents/rename", hash=keys["renamed"], name="My own name")
        client.post("torrents/setForceStart", hashes=keys["forced"], value="true")
        client.wait(keys["forced"], "forcedUP")
        # That alone is written down at the end, if there is time; a tracker is written down now, and that with it.
        client.post("torrents/addTrackers", hash=keys["forced"], urls="http://127.0.0.1:1/announce")
        client.post(
            "torrents/addTrackers", hash=keys["labelled"],
            urls="http://127.0.0.1:1/announce\n\nudp://127.0.0.1:2/announce")
        poll(lambda: (data / "renamed/n/new.bin").exists() or None, 20, lambda: "not renamed")
        (state, *_) = find(client.profile)
        poll(lambda: read_all(state)["forced"].start is Start.FORCED or None, 20, lambda: "not written down as forced")
        assert state.running.startswith("qBittorrent runs now")
    (data / "skipped" / "a.bin").unlink()
    with untouched(client.profile):
        state = one_state(tmp_path / "profile", Client.QBITTORRENT)
        shared, found = general(state), read_all(state)
    assert state.running == "" and state.count == 7 and shared.notes == ()
    assert (shared.save_path, shared.suffix) == (client.saves, ".!qB")
    assert [(item.name, item.save_path) for item in shared.categories] == [
        ("films", tmp_path / "films"), ("films/old", tmp_path / "films" / "old")]
    assert link_of(found).start is Start.QUEUED
    begun = found.pop("begun")
    assert begun.renames == {} and begun.suffix == ".!qB"
    asyncio.run(goes_on_from_there(begun))
    assert set(found) == {"labelled", "paused", "skipped", "My own name", "forced"}
    assert all(item.save_path == data and item.lost == () for item in found.values())
    one = found["labelled"]
    assert (one.category, one.tags, one.sequential) == ("films", ("one", "two"), True)
    assert one.trackers == (("http://127.0.0.1:1/announce",), ("udp://127.0.0.1:2/announce",))
    assert (one.limits.down, one.limits.up, one.limits.ratio, one.limits.seeding_seconds) == (5000, 6000, 1.5, 77 * 60)
    assert one.added_at is not None and one.completed_at is not None
    assert found["paused"].start is Start.STOPPED and found["paused"].limits.ratio == math.inf
    assert one.start is Start.QUEUED and found["forced"].start is Start.FORCED
    assert found["skipped"].priorities == (0, 1, 7)
    assert found["My own name"].renames == {1: ("renamed", "n", "new.bin")}
    assert all(item.metainfo is not None and item.metainfo.missing_layers == [] for item in found.values())
    all_go_on(found, tmp_path)


# -- Transmission

@pytest.mark.foreign("transmission")
@pytest.mark.skipif(transmission.MISSING is not None, reason=str(transmission.MISSING))
def test_torrents_of_transmission_go_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    all_made = made(data, "labelled", "paused", "skipped", "renamed")
    part = made(tmp_path / "part", "begun")["begun"]
    spoilt(tmp_path / "part" / "begun")
    (tmp_path / "part/begun/b/c.bin").rename(tmp_path / "part/begun/b/c.bin.part")
    with transmission.Transmission(tmp_path, {"rename-partial-files": True}) as client:
        def call(method: str, **arguments: object) -> dict[str, object]:
            return client.call(method, **arguments)

        ids = {}
        for name, metainfo in all_made.items():
            more = {"skipped": {"files-unwanted": [0], "priority-high": [2]}}.get(name, {})
            added = call("torrent-add", **{
                "metainfo": base64.b64encode(metainfo.to_bytes()).decode(), "download-dir": str(data), "paused": True,
            }, **more)["torrent-added"]
            assert isinstance(added, dict)
            ids[name] = added["id"]
        call("torrent-add", filename=MAGNET, paused=True)
        call("torrent-add", **{
            "metainfo": base64.b64encode(part.to_bytes()).decode(), "download-dir": str(tmp_path / "part")})
        call("torrent-verify", ids=list(ids.values()))

        def verified() -> bool | None:
            rows = call("torrent-get", ids=list(ids.values()), fields=["haveValid", "status"])["torrents"]
            assert isinstance(rows, list)
            return all(row["haveValid"] == 6 * PIECE and row["status"] == 0 for row in rows) or None

        poll(verified, 20, lambda: str(call("torrent-get", fields=["name", "haveValid", "status"])))
        call(
            "torrent-set", ids=[ids["labelled"]], labels=["films", "two"], downloadLimit=50, downloadLimited=True,
            seedRatioLimit=1.5, seedRatioMode=1, seedIdleLimit=33, seedIdleMode=1, bandwidthPriority=1,
            trackerAdd=["http://127.0.0.1:1/announce", "http://127.0.0.1:2/announce"])
        call("torrent-rename-path", ids=[ids["renamed"]], path="renamed/b", name="new")
        call("torrent-start-now", ids=[id_of for name, id_of in ids.items() if name != "paused"])
        poll(lambda: (data / "renamed" / "new").exists() or None, 20, lambda: "not renamed")

        def begun_is_checked() -> bool | None:
            rows = call("torrent-get", fields=["name", "haveValid"])["torrents"]
            assert isinstance(rows, list)
            return any(row["name"] == "begun" and row["haveValid"] == 3 * PIECE for row in rows) or None

        poll(begun_is_checked, 20, lambda: str(call("torrent-get", fields=["name", "haveValid"])))
        assert one_state(tmp_path / "config", Client.TRANSMISSION).running.startswith("Transmission runs now")
    (data / "skipped" / "a.bin").unlink()
    with untouched(tmp_path / "config"):
        state = one_state(tmp_path / "config", Client.TRANSMISSION)
        shared, found = general(state), read_all(state)
    assert state.count == 6 and (shared.save_path, shared.suffix, shared.notes) == (tmp_path, ".part", ())
    assert link_of(found).name == "a link"
    begun = found.pop("begun")
    assert begun.suffix == ".part"
    asyncio.run(goes_on_from_there(begun))
    assert set(found) == set(all_made)
    assert all(item.save_path == data for item in found.values())
    one = found["labelled"]
    assert one.tags == ("films", "two")
    assert one.trackers == (("http://127.0.0.1:1/announce",), ("http://127.0.0.1:2/announce",))
    assert (one.limits.down, one.limits.up, one.limits.ratio, one.limits.idle_seconds) == (50_000, 0, 1.5, 33 * 60)
    assert one.lost == ("its share of the bandwidth was to be larger or smaller than that of others",)
    assert found["paused"].start is Start.STOPPED and one.start is Start.QUEUED
    assert found["skipped"].priorities == (0, 4, 7)
    assert found["renamed"].renames == {1: ("renamed", "new", "c.bin")}
    all_go_on(found, tmp_path)


# -- Deluge

@pytest.mark.slow
@pytest.mark.foreign("deluge")
@pytest.mark.skipif(deluge.MISSING is not None, reason=str(deluge.MISSING))
def test_torrents_of_deluge_go_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    all_made = made(data, "labelled", "paused", "skipped", "renamed")
    with deluge.Deluge(tmp_path) as client:
        ids = {}
        for name, metainfo in all_made.items():
            more: dict[str, object] = {
                "labelled": {"max_download_speed": 5.0, "stop_at_ratio": True, "stop_ratio": 1.5},
                "paused": {"add_paused": True},
                "skipped": {"file_priorities": [0, 4, 7]},
            }.get(name, {})
            ids[name] = client.call(
                "core.add_torrent_file", f"{name}.torrent", base64.b64encode(metainfo.to_bytes()).decode(),
                {"download_location": str(data), **more})
        client.call("core.add_torrent_magnet", MAGNET, {"download_location": str(data)})
        client.call("label.add", "films")
        client.call("label.set_torrent", ids["labelled"], "films")
        client.call("label.set_options", "films", {
            "apply_move_completed": True, "move_completed": True, "move_completed_path": str(tmp_path / "films")})
        client.call("core.force_recheck", [ids["paused"]])

        def seeding() -> bool | None:
            rows = client.call("core.get_torrents_status", {"id": list(ids.values())}, ["state", "progress"])
            return all(
                row["progress"] == 100 and row["state"] in ("Seeding", "Queued", "Paused") for row in rows.values()
            ) or None

        poll(seeding, 30, lambda: str(client.call("core.get_torrents_status", {}, ["state", "progress"])))
        client.call("core.set_torrent_file_priorities", ids["skipped"], [0, 4, 7])
        client.call("core.rename_files", ids["renamed"], [[1, "renamed/n/new.bin"]])
        client.call("core.set_torrent_trackers", ids["labelled"], [
            {"url": "http://127.0.0.1:1/announce", "tier": 0}, {"url": "http://127.0.0.1:2/announce", "tier": 1}])
        poll(lambda: (data / "renamed/n/new.bin").exists() or None, 20, lambda: "not renamed")
        assert one_state(client.config, Client.DELUGE).running.startswith("Deluge runs now")
    (data / "skipped" / "a.bin").unlink()
    with untouched(client.config):
        state = one_state(client.config, Client.DELUGE)
        shared, found = general(state), read_all(state)
    assert state.running == "" and shared.notes == () and shared.save_path == client.saves
    assert [(item.name, item.save_path) for item in shared.categories] == [("films", tmp_path / "films")]
    assert link_of(found).start is Start.QUEUED
    assert set(found) == set(all_made)
    one = found["labelled"]
    assert (one.category, one.limits.down, one.limits.up, one.limits.ratio) == ("films", 5120, 0, 1.5)
    assert one.trackers == (("http://127.0.0.1:1/announce",), ("http://127.0.0.1:2/announce",))
    assert one.added_at is not None and one.save_path == data
    assert found["paused"].start is Start.STOPPED and one.start is Start.QUEUED
    assert found["skipped"].priorities == (0, 4, 7)
    assert found["renamed"].renames == {1: ("renamed", "n", "new.bin")}
    assert all(item.lost == () for item in found.values())
    all_go_on(found, tmp_path)


# -- rTorrent

@pytest.mark.foreign("rtorrent")
@pytest.mark.skipif(rtorrent.MISSING is not None, reason=str(rtorrent.MISSING))
def test_torrents_of_rtorrent_go_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    all_made = made(data, "labelled", "paused", "skipped", "renamed")
    (data / "renamed").rename(data / "other name")
    with rtorrent.RTorrent(tmp_path) as client:
        ids = {}
        for name, metainfo in all_made.items():
            assert metainfo.info.hashes.v1 is not None
            key = ids[name] = metainfo.info.hashes.v1.hex().upper()
            folder = f'd.directory_base.set="{data}/other name"' if name == "renamed" else f'd.directory.set="{data}"'
            client.call(
                "load.raw", "", xmlrpc.client.Binary(metainfo.to_bytes()), folder, "d.custom1.set=films%20old",
                "d.custom.set=addtime,1700000000")
            poll(lambda key=key: True if key in client.call("download_list", "") else None, 20, lambda: "not loaded")
            client.call("d.check_hash", key)
        client.call("load.normal", "", MAGNET)
        poll(
            lambda: all(client.call("d.complete", key) == 1 for key in ids.values()) or None, 30,
            lambda: str([client.call("d.message", key) for key in ids.values()]))
        client.call("f.priority.set", f"{ids['skipped']}:f0", 0)
        client.call("f.priority.set", f"{ids['skipped']}:f2", 2)
        client.call("d.update_priorities", ids["skipped"])
        client.call("d.tracker.insert", ids["labelled"], "0", "http://127.0.0.1:1/announce")
        for name, key in ids.items():
            if name != "paused":
                client.call("d.start", key)
        assert one_state(client.session, Client.RTORRENT).running.startswith("rTorrent runs now")
        client.call("session.save")
    (data / "skipped" / "a.bin").unlink()
    with untouched(client.session):
        state = one_state(client.session, Client.RTORRENT)
        found = read_all(state)
    assert state.running == "" and state.count == 5
    assert link_of(found).start is Start.QUEUED
    assert set(found) == set(all_made)
    assert all(item.category == "films old" and item.added_at == 1_700_000_000 for item in found.values())
    assert all(item.lost == () for item in found.values())
    assert found["labelled"].trackers == (("http://127.0.0.1:1/announce",),)
    assert found["paused"].start is Start.STOPPED and found["labelled"].start is Start.QUEUED
    assert found["skipped"].priorities == (0, 4, 7)
    assert (found["renamed"].layout, found["renamed"].save_path) == ("none", data / "other name")
    all_go_on(found, tmp_path)
