from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cli_torrents import torrent_of
from clients import client, until
from receivers import receiver
from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.watching import Watcher, split


def test_files_in_a_watched_folder_are_added_once_they_are_whole(tmp_path: Path) -> None:
    async def work() -> None:
        watched = tmp_path / "in"
        watched.mkdir()
        async with client(tmp_path, downloads__watch=[f"{watched}=films", str(tmp_path / "missing")]) as api:
            watcher = Watcher(api)
            data = torrent_of().to_bytes()
            (watched / "a.torrent").write_bytes(data[:100])
            (watched / "m.magnet").write_text("magnet:?xt=urn:btih:" + "a" * 40)
            (watched / "other.txt").write_text("x")
            await watcher.look()
            (watched / "a.torrent").write_bytes(data)
            await watcher.look()
            assert (await api.list_torrents(m.Listing())).total == 1
            await watcher.look()
            page = await api.list_torrents(m.Listing())
            assert {row.category for row in page.torrents} == {"films"} and page.total == 2
            assert sorted(path.name for path in watched.iterdir()) == [
                "a.torrent.added", "m.magnet.added", "other.txt"]
            (watched / "bad.torrent").write_bytes(b"nonsense")
            await watcher.look()
            await watcher.look()
            assert (watched / "bad.torrent.failed").exists()
            lines = [line.text for line in (await api.log(m.LogQuery(level="warning"))).lines]
            # Said once by each of the two that look: the one here, and the client's own.
            assert 1 <= sum("missing" in line for line in lines) <= 2
            assert any("bad.torrent" in line for line in lines)

    asyncio.run(work())


def test_a_command_is_run_when_something_happened_and_gets_names_as_they_are(tmp_path: Path) -> None:
    async def work() -> None:
        out = tmp_path / "out"
        name = "a $(touch gone); `x` 'q'"
        command = f"""/bin/sh -c 'printf %s "$1|$WILDBACH_KEY" > {out}' sh {{name}}"""
        async with client(tmp_path, hooks__added=command) as api:
            result = await api.add_torrents(m.AddRequest(files=(torrent_of(name=name).to_bytes(),)))
            await until(lambda: out.exists() and "|" in out.read_text(), api)
            assert out.read_text() == f"{name}|{result.added[0].key}"

    asyncio.run(work())


def test_the_api_neither_shows_nor_changes_commands(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path, hooks__added="/bin/true") as api:
            assert not any(key.startswith("hooks") for key in (await api.settings()).values)
            with pytest.raises(UsageError) as error:
                await api.change_settings(m.SettingsPatch({"hooks.complete": "rm -rf /"}))
            assert error.value.code == "pinned_setting"
            with pytest.raises(UsageError):
                await api.change_settings(m.SettingsPatch({"hooks": {"complete": "x"}}))

    asyncio.run(work())


def test_a_command_line_that_cannot_be_read_is_told() -> None:
    assert split("a '{name} b' {key}", {"name": "x y", "key": "\0k"}) == ["a", "x y b", "k"]
    for wrong in ("", "'open"):
        with pytest.raises(UsageError):
            split(wrong, {})


def test_who_is_to_be_notified_is_told_what_happened_and_the_api_neither_shows_nor_changes_whom(tmp_path: Path) -> None:
    async def work() -> None:
        async with receiver() as at, client(
            tmp_path, notify__urls=[f"json://127.0.0.1:{at.port}/secret"], notify__events=["added", "complete"],
        ) as api:
            await api.add_torrents(m.AddRequest(files=(torrent_of(name="new").to_bytes(),)))
            await at.until_calls(1)
            assert (at.taken[0]["title"], at.taken[0]["message"]) == ("Added", "new")
            values = (await api.settings()).values
            assert values["notify.urls"] is None and "secret" not in repr(values)
            assert values["notify.events"] == ["added", "complete"]
            with pytest.raises(UsageError) as error:
                await api.change_settings(m.SettingsPatch({"notify.urls": ["json://127.0.0.1/"]}))
            assert error.value.code == "pinned_setting"
            await api.change_settings(m.SettingsPatch({"notify.events": ["limit"]}))
            assert api.core.settings.notify.events == ("limit",)
            with pytest.raises(UsageError):
                await api.change_settings(m.SettingsPatch({"notify.events": ["nonsense"]}))

    asyncio.run(work())


def test_without_anybody_to_notify_trying_says_where_to_name_one(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path) as api:
            assert (await api.settings()).values["notify.urls"] == []
            with pytest.raises(UsageError, match=r"notify\.urls"):
                await api.test_notifications()

    asyncio.run(work())
