"""Programs for Transmission against our door: transmission-remote of Debian, and the library transmission-rpc."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transmission_rpc
from tests.api_fakes import PASSWORD
from tests.cli_torrents import CONTENT, torrent_of
from tests.clients import seed_content, until
from tests.transmission_door import There, transmission
from transmission_rpc.constants import IdleMode, RatioLimitMode

REMOTE = shutil.which("transmission-remote")
needs_remote = pytest.mark.skipif(REMOTE is None, reason="transmission-remote is not installed")


async def remote(there: There, *arguments: str) -> str:
    """What transmission-remote says."""
    process = await asyncio.create_subprocess_exec(
        str(REMOTE), f"127.0.0.1:{there.port}", "-n", f"admin:{PASSWORD}", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    said, _ = await process.communicate()
    text = said.decode()
    assert process.returncode == 0, text
    return text


async def library(there: There, work: Callable[[transmission_rpc.Client], Any]) -> Any:
    """Runs with a client of the library, in a thread."""
    def run() -> Any:
        return work(transmission_rpc.Client(host="127.0.0.1", port=there.port, username="admin", password=PASSWORD))
    return await asyncio.to_thread(run)


def test_transmission_rpc_adds_looks_changes_moves_and_removes(tmp_path: Path) -> None:
    async def work() -> None:
        torrent = seed_content(tmp_path, trackers=[["http://127.0.0.1:9/announce"], ["udp://127.0.0.1:9/announce"]])
        async with transmission(tmp_path) as there:
            api = there.api
            added = await library(there, lambda c: c.add_torrent(torrent.to_bytes(), labels=["linux", "iso"]))
            key, number = torrent.info.hashes.key, added.id
            assert added.name == "things" and added.hash_string == torrent.info.hashes.v1.hex()
            assert (await library(there, lambda c: c.add_torrent(torrent.to_bytes()))).id == number
            await until(lambda: api.core.catalog.fresh(key).complete, api)

            seen = await library(there, lambda c: c.get_torrent(number))
            assert seen.status.seeding and seen.percent_done == 1.0 and seen.left_until_done == 0
            assert seen.labels == ["linux", "iso"] and seen.download_dir == str(tmp_path / "downloads")
            assert seen.total_size == sum(map(len, CONTENT.values())) and seen.comment == "for tests"
            assert [(f.name, f.size, f.completed) for f in seen.get_files()] == [
                ("things/" + "/".join(parts), len(data), len(data)) for parts, data in CONTENT.items()]
            assert [t.announce for t in seen.trackers] == ["http://127.0.0.1:9/announce", "udp://127.0.0.1:9/announce"]
            assert {t.tier for t in seen.tracker_stats} == {0, 1} and seen.eta is None
            assert seen.added_date.year >= 2024 and seen.is_private is False
            assert [t.id for t in await library(there, lambda c: c.get_torrents([seen.hash_string]))] == [number]

            await library(there, lambda c: c.change_torrent(
                number, labels=["seen"], download_limit=50, download_limited=True, upload_limit=70,
                upload_limited=True, seed_ratio_limit=1.5, seed_ratio_mode=RatioLimitMode.Single, seed_idle_limit=90,
                seed_idle_mode=IdleMode.Single, priority_high=[0], priority_low=[1],
                tracker_list=[["http://127.0.0.1:9/other"], ["http://127.0.0.1:9/third"]]))
            seen = await library(there, lambda c: c.get_torrent(number))
            assert (seen.download_limit, seen.upload_limit) == (50, 70)
            assert (seen.seed_ratio_limit, seen.seed_ratio_mode) == (1.5, RatioLimitMode.Single)
            assert (seen.seed_idle_limit, seen.seed_idle_mode) == (90, IdleMode.Single)
            assert seen.labels == ["seen"]
            assert [f.priority.name for f in seen.get_files()] == ["High", "Low", "Normal", "Normal"]
            assert [t.announce for t in seen.trackers] == ["http://127.0.0.1:9/other", "http://127.0.0.1:9/third"]
            row = api.core.catalog.fresh(key)
            assert (row.down_limit, row.up_limit, row.ratio_limit, row.idle_limit) == (50_000, 70_000, 1.5, 5400)
            assert row.tags == ("seen",)

            path, name = await library(there, lambda c: c.rename_torrent_path(number, "things/a.bin", "one.bin"))
            assert (path, name) == ("things/a.bin", "one.bin")
            assert (tmp_path / "downloads" / "things" / "one.bin").is_file()
            await library(there, lambda c: c.move_torrent_data(number, tmp_path / "elsewhere"))
            await until(lambda: api.core.catalog.fresh(key).save_path == str(tmp_path / "elsewhere"), api)
            assert (tmp_path / "elsewhere" / "things" / "sub" / "b.txt").is_file()

            await library(there, lambda c: c.stop_torrent(number))
            await until(lambda: api.core.catalog.fresh(key).state == "stopped", api)
            assert (await library(there, lambda c: c.get_torrent(number))).status.stopped
            await library(there, lambda c: c.verify_torrent(number))
            await library(there, lambda c: c.start_torrent(number))
            await until(lambda: api.core.catalog.fresh(key).state == "seeding", api)
            await library(there, lambda c: c.reannounce_torrent(number))

            active, removed = await library(there, lambda c: c.get_recently_active_torrents())
            assert [one.id for one in active] == [number] and removed == []
            await library(there, lambda c: c.remove_torrent(number, delete_data=True))
            active, removed = await library(there, lambda c: c.get_recently_active_torrents())
            assert active == [] and removed == [number]
            assert await library(there, lambda c: c.get_torrents()) == []

    asyncio.run(work())


def test_transmission_rpc_reads_and_changes_the_session(tmp_path: Path) -> None:
    async def work() -> None:
        async with transmission(tmp_path) as there:
            session = await library(there, lambda c: c.get_session())
            assert session.version.startswith("4.0.6 (") and session.rpc_version == 17
            assert session.download_dir == str(tmp_path / "downloads")
            await library(there, lambda c: c.set_session(
                speed_limit_down=200, speed_limit_down_enabled=True, speed_limit_up_enabled=False,
                alt_speed_down=30, alt_speed_enabled=True, alt_speed_time_begin=60, alt_speed_time_day=65,
                download_queue_size=3, download_queue_enabled=True, seed_ratio_limit=1.25, seed_ratio_limited=True,
                idle_seeding_limit=45, idle_seeding_limit_enabled=True, encryption="required", peer_limit_global=77,
                incomplete_dir=str(tmp_path / "part"), incomplete_dir_enabled=True, start_added_torrents=False))
            session = await library(there, lambda c: c.get_session())
            assert (session.speed_limit_down, session.speed_limit_down_enabled) == (200, True)
            assert (session.alt_speed_down, session.alt_speed_enabled, session.alt_speed_time_begin) == (30, True, 60)
            assert (session.alt_speed_time_day, session.download_queue_size) == (65, 3)
            assert (session.seed_ratio_limit, session.seed_ratio_limited) == (1.25, True)
            assert (session.idle_seeding_limit, session.encryption) == (45, "required")
            assert (session.incomplete_dir, session.incomplete_dir_enabled) == (str(tmp_path / "part"), True)
            ours = (await there.api.settings()).values
            assert (ours["rates.down"], ours["rates.up"], ours["slow_mode.down"]) == (200_000, 0, 30_000)
            assert (ours["slow_mode.start"], list(ours["slow_mode.days"])) == ("01:00", ["sun", "sat"])
            assert (ours["queue.downloads"], ours["seeding.ratio"], ours["seeding.idle_seconds"]) == (3, 1.25, 2700)
            assert (ours["peers.encryption"], ours["connections.most"], ours["downloads.start"]) == (
                "require", 77, False)
            await library(there, lambda c: c.set_session(speed_limit_down_enabled=False, seed_ratio_limited=False))
            session = await library(there, lambda c: c.get_session())
            assert (session.speed_limit_down, session.speed_limit_down_enabled) == (200, False)
            assert (session.seed_ratio_limit, session.seed_ratio_limited) == (1.25, False)
            assert (await there.api.settings()).values["rates.down"] == 0

            stats = await library(there, lambda c: c.session_stats())
            assert stats.torrent_count == 0 and stats.current_stats.session_count == 1
            assert await library(there, lambda c: c.free_space(str(tmp_path))) > 0
            await library(there, lambda c: c.set_group("linux"))
            assert list(await library(there, lambda c: c.get_groups())) == ["linux"]

    asyncio.run(work())


def test_transmission_rpc_chooses_files_when_adding_and_orders_the_queue(tmp_path: Path) -> None:
    async def work() -> None:
        async with transmission(tmp_path, queue__downloads=1) as there:
            one = await library(there, lambda c: c.add_torrent(
                torrent_of(name="one").to_bytes(), files_unwanted=[0], priority_high=[1], paused=True))
            seen = await library(there, lambda c: c.get_torrent(one.id))
            assert [(f.selected, f.priority.name) for f in seen.get_files()] == [
                (False, "Normal"), (True, "High"), (True, "Normal"), (True, "Normal")]
            assert seen.status.stopped and seen.size_when_done < seen.total_size
            magnet = "magnet:?xt=urn:btih:" + "ab" * 20 + "&dn=later"
            two = await library(there, lambda c: c.add_torrent(magnet))
            assert (two.hash_string, two.name) == ("ab" * 20, "later")
            seen = await library(there, lambda c: c.get_torrent(two.id))
            assert seen.metadata_percent_complete == 0.0 and seen.get_files() == []
            await library(there, lambda c: c.queue_top(two.id))
            places = {t.id: t.queue_position for t in await library(there, lambda c: c.get_torrents())}
            assert places == {one.id: 1, two.id: 0}
            await library(there, lambda c: c.change_torrent(one.id, queue_position=0))
            places = {t.id: t.queue_position for t in await library(there, lambda c: c.get_torrents())}
            assert places == {one.id: 0, two.id: 1}

    asyncio.run(work())


@needs_remote
def test_transmission_remote_adds_and_shows_torrents(tmp_path: Path) -> None:
    async def work() -> None:
        torrent = seed_content(tmp_path, trackers=[["http://tracker.example.org:9/announce"]])
        file = tmp_path / "things.torrent"
        file.write_bytes(torrent.to_bytes())
        async with transmission(tmp_path) as there:
            key = torrent.info.hashes.key
            assert "success" in await remote(there, "-a", str(file))
            assert "success" in await remote(there, "-a", "magnet:?xt=urn:btih:" + "cd" * 20 + "&dn=other")
            await until(lambda: there.api.core.catalog.fresh(key).complete, there.api)
            listed = await remote(there, "-l")
            assert re.search(r"1 +100% +116\.8 kB +Done .* things", listed), listed
            assert re.search(r"2 +n/a .* other", listed), listed
            info = await remote(there, "-t1", "-i")
            for line in ("Name: things", "State: ", "Percent Done: 100%", f"Location: {tmp_path / 'downloads'}",
                         "Total size: 116.8 kB", "Piece Size: 16.00 KiB", "Comment: for tests", "Public torrent: Yes"):
                assert line in info, info
            files = await remote(there, "-t1", "-f")
            assert "things (4 files):" in files
            assert re.search(r"0: 100% +Normal +Yes +76\.80 kB +things/a.bin", files), files
            assert "tracker.example.org:9" in await remote(there, "-t1", "-it")
            assert "Address" in await remote(there, "-t1", "-ip")
            pieces = await remote(there, "-t1", "-ic")
            assert set(pieces) <= set(" 1\n") and pieces.count("1") == torrent.info.geometry.piece_count, pieces

    asyncio.run(work())


@needs_remote
def test_transmission_remote_changes_moves_verifies_and_removes(tmp_path: Path) -> None:
    async def work() -> None:
        torrent = seed_content(tmp_path)
        file = tmp_path / "things.torrent"
        file.write_bytes(torrent.to_bytes())
        async with transmission(tmp_path) as there:
            api, key = there.api, torrent.info.hashes.key
            await remote(there, "-a", str(file))
            await until(lambda: api.core.catalog.fresh(key).complete, api)
            for arguments in (
                ("-t1", "-d", "100"), ("-t1", "-u", "50"), ("-t1", "-L", "linux,iso"), ("-t1", "-sr", "2.5"),
                ("-t1", "-ph", "0"), ("-t1", "-G", "2"), ("-t1", "-td", "http://127.0.0.1:9/announce"),
            ):
                assert "success" in await remote(there, *arguments), arguments
            row = api.core.catalog.fresh(key)
            assert (row.down_limit, row.up_limit, row.ratio_limit, row.tags) == (
                100_000, 50_000, 2.5, ("linux", "iso"))
            assert [f.priority for f in api.core.session.torrent(key).files()] == [6, 1, 0, 1]
            assert api.core.catalog.fresh(key).tracker == "http://127.0.0.1:9/announce"
            assert "success" in await remote(there, "-t1", "-tr", "0")
            assert api.core.catalog.fresh(key).tracker == ""
            assert "success" in await remote(there, "-t1", "--move", str(tmp_path / "elsewhere"))
            await until(lambda: api.core.catalog.fresh(key).save_path == str(tmp_path / "elsewhere"), api)
            # What lies elsewhere is found there: the torrent follows its files.
            (tmp_path / "elsewhere").rename(tmp_path / "third")
            assert "success" in await remote(there, "-t1", "--find", str(tmp_path / "third"))
            await until(lambda: api.core.catalog.fresh(key).save_path == str(tmp_path / "third"), api)
            await until(lambda: api.core.catalog.fresh(key).complete, api)
            assert "success" in await remote(there, "-t1", "-v")
            assert "success" in await remote(there, "-t1", "-S")
            await until(lambda: api.core.catalog.fresh(key).state == "stopped", api)
            assert "success" in await remote(there, "-t1", "-s")
            assert "success" in await remote(there, "-D", "-u", "300", "-as")
            session = await remote(there, "-si")
            assert "300 kB/s" in session and f"Download directory: {tmp_path / 'downloads'}" in session, session
            assert (await there.api.transfer()).slow_mode
            assert "Started 1 times" in await remote(there, "-st")
            assert "success" in await remote(there, "-t1", "--remove-and-delete")
            assert api.core.catalog.keys((), everything=True) == []

    asyncio.run(work())
