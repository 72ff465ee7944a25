"""A disk that says no to one kind of call, under a whole client: nothing is lost, it is said, and it goes on after."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hostile import until
from house import FILES, House, Work, housed
from wildbach.base.errors import StorageError
from wildbach.base.ids import FolderId
from wildbach.disk.folder.fs import RealFs
from wildbach.interfaces.api import syncmodels as sy
from wildbach.services.sync import folder, place
from wildbach.services.sync.place import Place, write_text
from wildbach.services.sync.store import FolderStore

CALLS = (
    "scandir", "lstat", "open_read", "open_new", "fstat", "read_into", "write", "set_times", "set_mode",
    "fsync", "fsync_dir", "rename", "rename_new", "exchange", "link", "unlink", "mkdir", "space",
)


class Faults:
    """Which calls fail, and how."""

    def __init__(self) -> None:
        self.call = ""
        self.number = 0
        self.met = 0
        self.names: Callable[[str], bool] = lambda path: True

    def __call__(self, call: str, *paths: object) -> None:
        if call == self.call and (not paths or any(isinstance(each, str) and self.names(each) for each in paths)):
            self.met += 1
            raise OSError(self.number, os.strerror(self.number))


def _faulty(faults: Faults) -> type[RealFs]:
    def failing(call: str) -> Callable[..., Any]:
        real = getattr(RealFs, call)

        def do(self: RealFs, *values: Any, **more: Any) -> Any:
            paths = [each for each in values if isinstance(each, str)]
            faults(call, *paths)
            return real(self, *values, **more)

        return do

    return type("FaultyFs", (RealFs,), {call: failing(call) for call in CALLS})


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    made = Faults()
    monkeypatch.setattr(place, "RealFs", _faulty(made))
    monkeypatch.setattr(folder, "_RETRY_SECONDS", 0.3)
    monkeypatch.setattr(folder, "_OPEN_SECONDS", 0.3)
    return made


@pytest.fixture
def house(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Callable[[Work], None]:
    return housed(tmp_path, caplog)


def contents(path: Path) -> set[bytes]:
    return {each.read_bytes() for each in path.rglob("*") if each.is_file() and not each.is_symlink()}


async def said(here: House) -> list[str]:
    """All that a person is told."""
    troubles = await here.api.sync_troubles("photos", sy.SyncQuery())
    problem, unwatched = here.folder.problem, here.folder.watched.reason
    return [f"{each.path}: {each.what} {each.reason}" for each in troubles.troubles] + (
        [problem.message] if problem is not None else []) + ([unwatched] if unwatched else [])


async def told(here: House, faults: Faults, words: str, name: str = "") -> None:
    """A person is told what the system said, of a path with this name."""
    found: list[str] = []
    try:
        async with asyncio.timeout(10):
            while not faults.met or not any(words in each and name in each for each in found):
                await asyncio.sleep(0.05)
                found = await said(here)
    except TimeoutError:
        raise AssertionError(f"met {faults.met} times, said {found}") from None


@pytest.mark.parametrize(("call", "number"), [
    *((call, errno.EIO) for call in ("scandir", "open_read", "read_into", "write", "fsync", "fsync_dir", "exchange")),
    ("lstat", errno.ENOTCONN), ("write", errno.ENOSPC), ("open_new", errno.EROFS), ("rename_new", errno.EDQUOT),
    *(pytest.param(call, number, marks=pytest.mark.slow) for call, number in (
        *((call, errno.EIO) for call in (
            "lstat", "open_new", "fstat", "set_times", "set_mode", "rename", "rename_new", "link", "unlink", "mkdir",
            "space")),
        ("open_new", errno.ENOSPC), ("mkdir", errno.ENOSPC), ("link", errno.ENOSPC), ("fsync", errno.EDQUOT),
        ("write", errno.EROFS), ("open_read", errno.ESTALE), ("scandir", errno.ESTALE), ("lstat", errno.ESTALE))),
])
def test_one_kind_of_call_fails_for_a_while(
    house: Callable[[Work], None], faults: Faults, call: str, number: int,
) -> None:
    async def work(here: House) -> None:
        friend, path = here.friend, here.path
        friend.tell(friend.entry("of friend old", b"old content"), friend.entry("of friend gone", b"gone content"))
        await until(lambda: (path / "of friend gone").exists() and (path / "of friend old").exists())
        faults.number, faults.call = number, call
        friend.tell(
            friend.entry("of friend old", b"newer content"),
            friend.entry("of friend dir/new", b"new content", executable=True),
            friend.entry("of friend gone", b"", deleted=True))
        (path / "own while").write_bytes(b"mine")
        (path / "a.txt").write_bytes(b"one, and mine")
        here.folder.look()
        await told(here, faults, os.strerror(number))
        assert here.folder._dead is None
        kept = contents(path)
        assert {b"one, and mine", b"mine", b"two"} <= kept and kept & {b"old content", b"newer content"}
        faults.call = ""
        here.folder.look()
        await until(lambda: (path / "of friend dir" / "new").exists()
                    and (path / "of friend old").read_bytes() == b"newer content")
        (path / "a.txt").write_bytes(FILES["a.txt"])
    house(work)


@pytest.mark.parametrize(("number", "words"), [
    (errno.EINVAL, "unsupported"), (errno.ENAMETOOLONG, "unsupported"), (errno.EILSEQ, "unsupported"),
    (errno.EPERM, "not permitted"),
])
def test_a_disk_that_does_not_take_some_names_says_so_and_takes_the_others(
    house: Callable[[Work], None], faults: Faults, number: int, words: str,
) -> None:
    async def work(here: House) -> None:
        friend, path = here.friend, here.path
        faults.number, faults.call = number, "rename_new"
        faults.names = lambda path: ":" in path
        friend.tell(
            friend.entry("of friend 1:2", b"refused"), friend.entry("of friend dir/3:4", b"refused too"),
            friend.entry("of friend dir/good", b"taken"), friend.entry("of friend good", b"taken"))
        await until(lambda: (path / "of friend good").exists() and (path / "of friend dir" / "good").exists())
        for name in ("1:2", "3:4"):
            await told(here, faults, words, name)
        # What is not taken here is no deletion, and goes on to others.
        here.folder.look()
        await here.sound()
        assert {head.deleted for each in ("of friend 1:2", "of friend dir/3:4")
                for head in await here.folder.read(lambda each=each: here.folder.store.world.get(each))} == {False}
        # Another name is taken, and nothing of it is left.
        friend.tell(friend.entry("of friend 1:2", b"refused", deleted=True), friend.entry("of friend 1 2", b"refused"))
        await until((path / "of friend 1 2").exists)
        await until(lambda: not list((path / ".wildbach" / "tmp").iterdir()))
        # The folder is opened on another disk.
        faults.call = ""
        before = here.folder.place
        await here.folder.call(lambda: here.folder._open(False))
        before.close()
        await until((path / "of friend dir" / "3:4").exists)
    house(work)


def test_a_mount_whose_server_is_gone_is_no_folder_that_is_there(
    house: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(here: House) -> None:
        monkeypatch.setattr(folder, "_OPEN_SECONDS", 0.3)
        monkeypatch.setattr(folder, "_RETRY_SECONDS", 0.3)
        top = here.folder.place.fs._top
        real = os.fstat

        def gone(handle: int) -> os.stat_result:
            if handle == top:
                raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
            return real(handle)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fstat", gone)
            here.folder.look()
            await until(lambda: here.folder.state == "stopped")
            assert here.folder._dead is None and here.folder.problem is not None
        await until(lambda: here.folder.state == "idle")
    house(work)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("new", [True, False], ids=["new", "known"])
def test_whatever_fails_while_a_folder_is_opened_is_an_error_of_the_disk(
    tmp_path: Path, faults: Faults, call: str, new: bool,
) -> None:
    (tmp_path / "folder" / "deeper").mkdir(parents=True)
    (tmp_path / "folder" / "deeper" / "file").write_bytes(b"x")
    store = FolderStore(tmp_path / "x.db")
    acts: list[Callable[[Place], object]] = [
        lambda there: there.begin(new=new), lambda there: there.check(), lambda there: there.read_ignores(),
        lambda there: there.reserve(1e10), lambda there: there.capacity, lambda there: there.sweep([]),
        lambda there: there.versions.thin(), lambda there: there.patterns(".wbignore"),
        lambda there: there.look([""], lambda: False), lambda there: write_text(there, ".wbignore", "x")]
    if not new:
        made = Place(tmp_path / "folder", FolderId(b"f" * 32), store)
        made.begin(new=True)
        made.close()
    faults.number, there = errno.EIO, place.Place(tmp_path / "folder", FolderId(b"f" * 32), store)
    try:
        for act in acts:
            faults.call = call
            with suppress(StorageError):
                act(there)
            faults.call = ""
            act(there)
    finally:
        faults.call = ""
        there.close()
        store.close()
    assert (tmp_path / "folder" / "deeper" / "file").read_bytes() == b"x"


class Stick(RealFs):
    """As FAT: no modes, no letters but those of English, no colons, no second names, no exchange."""

    def set_mode(self, handle: int, mode: int) -> None:
        raise PermissionError(errno.EPERM, "not permitted")

    def open_new(self, path: str) -> int:
        if not path.isascii():
            raise OSError(errno.EINVAL, "invalid", path)
        return super().open_new(path)

    def link(self, path: str, to: str) -> None:
        raise PermissionError(errno.EPERM, "not permitted", path)

    def exchange(self, path: str, other: str) -> None:
        raise OSError(errno.EINVAL, "invalid", path)

    def rename_new(self, path: str, to: str) -> None:
        if not to.isascii() or ":" in to:
            raise OSError(errno.EINVAL, "invalid", to)
        super().rename_new(path, to)


def test_a_folder_is_kept_on_a_stick_that_knows_neither_modes_nor_umlauts(
    house: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(place, "RealFs", Stick)

    async def work(here: House) -> None:
        friend, path = here.friend, here.path
        traits = here.folder.place.installer.traits
        assert not (traits.executable or traits.hard_links or traits.exchanges or traits.decomposes)
        friend.tell(friend.entry("of friend", b"1", executable=True), friend.entry("of friend \xfc", b"2"))
        await until((path / "of friend").exists)
        friend.tell(friend.entry("of friend", b"3"))
        await until(lambda: (path / "of friend").read_bytes() == b"3")
        await until(lambda: "of friend \xfc" in here.folder.refusals)
        assert b"1" in contents(path)
        assert any("of friend \xfc: unsupported" in each for each in await said(here))
    house(work)
