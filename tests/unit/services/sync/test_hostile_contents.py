"""Members that sign large contents which nobody has, against a whole client."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clients import client
from hostile import root_of
from hostile import until as until_ready
from house import House, Work, housed
from wildbach.base import limits
from wildbach.engine.contents import ContentId, piece_length_for
from wildbach.services.sync.transfers import AT_ONCE

FILM = b"film" * 100_000


@pytest.fixture
def house(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Callable[[Work], None]:
    return housed(tmp_path, caplog)


async def _film_comes(here: House, folder: Path) -> None:
    """The friend has FILM, and says so."""
    folder.mkdir()
    (folder / "film").write_bytes(FILM)
    async with client(folder) as other:
        contents = here.friend.contents = other.core.session.contents
        await contents.serve(ContentId(root_of(FILM), len(FILM), piece_length_for(len(FILM))), folder / "film")
        here.friend.tell(here.friend.entry("of friend, large", FILM))
        film = here.path / "of friend, large"
        await until_ready(lambda: film.exists() and film.read_bytes() == FILM)


def test_a_false_size_of_a_large_file_does_not_hold_up_the_true_one(
        house: Callable[[Work], None], tmp_path: Path) -> None:
    async def work(here: House) -> None:
        rw, coming = here.rw, here.folder.transfers.coming
        await rw.ready()
        rw.tell(rw.entry("false", FILM, size=len(FILM) + 1), rw.entry("short", FILM, size=len(FILM) - 1))
        await until_ready(lambda: len(coming) == 2)
        await _film_comes(here, tmp_path / "friend")
        assert set(coming) == {(root_of(FILM), len(FILM) + 1), (root_of(FILM), len(FILM) - 1)}
        assert here.theirs() == {}
        rw.close()
    house(work)


def test_large_files_that_never_come_give_way_and_their_author_is_not_always_next(
        house: Callable[[Work], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(here: House) -> None:
        rw, coming = here.rw, here.folder.transfers.coming
        monkeypatch.setattr(limits, "SYNC_FETCH_SECONDS", 1.0)
        await rw.ready()
        rw.tell(*(rw.entry(f"never {at}", root=root_of(b"%d" % at), size=1 << 20) for at in range(50)))
        await until_ready(lambda: len(coming) == AT_ONCE)
        await _film_comes(here, tmp_path / "friend")
        assert here.theirs() == {} and 0 < len(coming) <= AT_ONCE
        rw.close()
    house(work)
