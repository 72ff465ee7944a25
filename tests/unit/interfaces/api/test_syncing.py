"""Folders that are kept the same, as the Api of a whole client shows and changes them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from clients import client
from wildbach.base.errors import StorageError, UsageError, WildbachError
from wildbach.interfaces.api import syncmodels as sy
from wildbach.interfaces.api.local import LocalApi

Work = Callable[[LocalApi, Path], Awaitable[None]]


def run(tmp_path: Path, work: Work, files: dict[str, bytes] | None = None) -> None:
    """With a folder `photos` that has these files, all of them known."""
    async def main() -> None:
        folder = tmp_path / "photos"
        for name, content in (files or {"a.txt": b"one", "d/b.txt": b"two"}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        async with client(tmp_path) as api:
            await api.create_synced(sy.SyncMaking(str(folder)))
            await until(lambda: api.sync.find("photos").folder.standing.files == len(files or "ab"))
            await work(api, folder)
    asyncio.run(main())


async def until(ready: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not ready():
            await asyncio.sleep(0.02)


async def replaced(api: LocalApi, path: str) -> None:
    """As a change by another device would: what is at the path goes into the versions."""
    from wildbach.services.sync.hands import file_of
    folder = api.sync.find("photos").folder

    def delete() -> None:
        seen = folder.store.local.get(path)
        assert seen is not None
        folder.place.installer.delete(file_of(path, seen))
        folder.store.put_seen(path, None)

    await folder.call(delete)


def test_what_is_in_a_folder_comes_level_by_level_and_in_parts(tmp_path: Path) -> None:
    async def work(api: LocalApi, folder: Path) -> None:
        top = await api.synced_items("photos", sy.SyncQuery())
        assert [(each.path, each.kind, each.state) for each in top.items] == [
            ("a.txt", "file", "here"), ("d", "dir", "here")]
        below = await api.synced_items("photos", sy.SyncQuery("d"))
        assert [(each.path, each.size) for each in below.items] == [("d/b.txt", 3)]
        first = await api.synced_items("photos", sy.SyncQuery(limit=1))
        assert [each.path for each in first.items] == ["a.txt"] and first.more
        rest = await api.synced_items("photos", sy.SyncQuery(after="a.txt", limit=1))
        assert [each.path for each in rest.items] == ["d"] and not rest.more
    run(tmp_path, work)


def test_a_version_is_shown_and_brought_back_also_elsewhere(tmp_path: Path) -> None:
    async def work(api: LocalApi, folder: Path) -> None:
        await replaced(api, "d/b.txt")
        (version,) = (await api.sync_versions("photos", sy.SyncQuery("d"))).versions
        assert (version.path, version.size) == ("d/b.txt", 3)
        assert (await api.sync_versions("photos", sy.SyncQuery("e"))).versions == ()
        await api.restore_synced("photos", sy.SyncRestoring(version.id, "new/c.txt"))
        assert (folder / "new" / "c.txt").read_bytes() == b"two"
        await replaced(api, "a.txt")
        await api.restore_synced("photos", sy.SyncRestoring("a.txt"))
        assert (folder / "a.txt").read_bytes() == b"one"
        assert (await api.sync_history("photos")).events[0].what == "restored"
        for wrong in ("nothing@1", "a.txt@7", "../../etc/passwd@1"):
            with pytest.raises(UsageError):
                await api.restore_synced("photos", sy.SyncRestoring(wrong))
        for outside in ("../x", "a/../../x", "/.wildbach/id", "x\0y"):
            with pytest.raises(UsageError):
                await api.restore_synced("photos", sy.SyncRestoring("a.txt", outside))
    run(tmp_path, work)


def test_patterns_are_shown_and_changed_and_a_link_in_their_place_is_not_followed(tmp_path: Path) -> None:
    async def work(api: LocalApi, folder: Path) -> None:
        await api.change_synced("photos", sy.SyncPatch(ignores="*.tmp\n"))
        assert (await api.sync_ignores("photos")).text == "*.tmp\n"
        (tmp_path / "secret").write_text("a secret")
        (folder / ".wbignore.shared").symlink_to(tmp_path / "secret")
        try:
            shown = await api.sync_ignores("photos")
        except StorageError as error:
            assert "a secret" not in error.message
        else:
            assert "a secret" not in shown.shared
    run(tmp_path, work)


@pytest.mark.parametrize("path", ["", "relative", "./x", "a\0b", "/" + "x" * 4000, "~nobody-of-this-name/x"])
def test_a_folder_is_named_by_its_whole_path(tmp_path: Path, path: str) -> None:
    async def work(api: LocalApi, folder: Path) -> None:
        with pytest.raises(WildbachError):
            await api.create_synced(sy.SyncMaking(path))
        assert len((await api.synced_folders()).folders) == 1
    run(tmp_path, work, {"a": b"1"})


def test_folders_in_one_another_and_wildbachs_own_are_refused(tmp_path: Path) -> None:
    async def work(api: LocalApi, folder: Path) -> None:
        for wrong in (folder, folder / "d", tmp_path, Path(api.core.own[0]) / "x"):
            with pytest.raises(UsageError):
                await api.create_synced(sy.SyncMaking(str(wrong)))
    run(tmp_path, work)


def test_a_link_is_shown_once_and_taken_back(tmp_path: Path) -> None:
    async def work(api: LocalApi, folder: Path) -> None:
        once = await api.share_synced("photos", sy.SyncLinkMaking("ro", 1))
        many = await api.share_synced("photos", sy.SyncLinkMaking(reusable=True))
        assert once.qr.startswith("<svg") and once.text not in repr(once)
        links = (await api.sync_links("photos")).links
        assert {each.id for each in links} == {once.id, many.id} and all(each.text == "" for each in links)
        assert (await api.synced_folder("photos")).links == 2
        for each in (once, many):
            await api.unshare_synced("photos", each.id)
        assert (await api.sync_links("photos")).links == ()
        with pytest.raises(UsageError):
            await api.unshare_synced("photos", once.id)
    run(tmp_path, work)


def test_the_words_of_the_recovery_key_are_shown_until_they_are_saved(tmp_path: Path) -> None:
    async def work(api: LocalApi, folder: Path) -> None:
        words = await api.sync_recovery_key("photos")
        assert len(words.words.split()) == 24 and words.words not in repr(words)
        assert (await api.sync_recovery_saved("photos")).recovery != "unsaved"
        with pytest.raises(UsageError):
            await api.sync_recovery_key("photos")
        with pytest.raises(WildbachError):
            await api.recover_synced("photos", sy.SyncRecovering("not these words"))
    run(tmp_path, work)


def test_names_are_cleaned_and_a_device_has_one(tmp_path: Path) -> None:
    async def work(api: LocalApi, folder: Path) -> None:
        assert (await api.name_sync_device(sy.SyncSelf("my\x1b[0m  desk\n"))).name == "my [0m desk"
        with pytest.raises(UsageError):
            await api.name_sync_device(sy.SyncSelf(" \n"))
        assert (await api.change_synced("photos", sy.SyncPatch(name="Ph\u202eotos"))).name == "Ph otos"
    run(tmp_path, work)


def test_a_folder_is_paused_left_out_of_moved_and_left(tmp_path: Path) -> None:
    async def work(api: LocalApi, folder: Path) -> None:
        assert (await api.change_synced("photos", sy.SyncPatch(paused=True))).state == "paused"
        assert (await api.change_synced("photos", sy.SyncPatch(paused=False, excluded=("d",)))).excluded == ("d",)
        (item,) = [one for one in (await api.synced_items("photos", sy.SyncQuery())).items if one.path == "d"]
        assert item.state == "excluded" and (folder / "d" / "b.txt").exists()
        with pytest.raises(UsageError):
            await api.change_synced("photos", sy.SyncPatch(excluded=("../x",)))
        moved = await api.change_synced("photos", sy.SyncPatch(path=str(tmp_path / "m" / "there")))
        assert moved.path == str(tmp_path / "m" / "there") and not folder.exists()
        await until(lambda: api.sync.find(moved.id).folder.state == "idle")
        await api.leave_synced(moved.id, sy.SyncLeaving(erase_versions=True))
        assert (tmp_path / "m" / "there" / "a.txt").read_bytes() == b"one"
        assert (await api.synced_folders()).folders == ()
    run(tmp_path, work)
