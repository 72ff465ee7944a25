"""Lists of what was accepted in the data base: page by page, found again after a start, and bounded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from wildbach.base import limits
from wildbach.base.ids import DeviceId
from wildbach.protocol import layers
from wildbach.protocol.sync.cuts import Accepted
from wildbach.protocol.sync.listpages import PAGE_BYTES, PAGE_HASHES, Page, page_layer
from wildbach.protocol.sync.roster import Cut
from wildbach.protocol.sync.rosters import View
from wildbach.services.sync.lists import Lists
from wildbach.services.sync.store import FolderStore

D = DeviceId(b"d" * 16)
HASHES = [sha256(b"%d" % each).digest() for each in range(PAGE_HASHES + 5)]
LONG, SHORT = Accepted(frozenset(HASHES)), Accepted(frozenset(HASHES[:3]))


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[tuple[FolderStore, Lists]]:
    store = FolderStore(folder / "x.db")
    try:
        yield store, Lists(store)
    finally:
        store.close()


def view(*cuts: Cut) -> View:
    return cast("View", SimpleNamespace(cuts={each.device: ((0, each),) for each in cuts}))


def pages(made: Accepted) -> list[Page]:
    content = made.content
    return [Page(page_layer(content), content[at : at + PAGE_BYTES]) for at in range(0, len(content), PAGE_BYTES)]


def test_a_list_that_was_cut_short_goes_on_after_a_start_and_is_whole_for_others(tmp_path: Path) -> None:
    cut = LONG.cut(D, 9)
    with opened(tmp_path) as (_, lists):
        assert lists.wanted(view(cut)) == [(cut, [0, 1])]
        assert not lists.take(cut, 0, pages(LONG)[0]) and not lists.whole
        assert lists.page(cut.root, cut.count, 0) == pages(LONG)[0], "who has a page can give it on"
        assert not lists.page(cut.root, cut.count, 1).content and not lists.page(cut.root, cut.count - 1, 0).content
    with opened(tmp_path) as (_, lists):
        assert lists.wanted(view(cut)) == [(cut, [1])]
        assert lists.take(cut, 1, pages(LONG)[1]) and not lists.take(cut, 1, pages(LONG)[1])
    with opened(tmp_path) as (store, lists):
        assert lists.wanted(view(cut)) == []
        found = lists.whole[cut.root]
        assert all(each in found for each in (*HASHES[:50], *HASHES[-50:], min(HASHES), max(HASHES)))
        assert not any(each in found for each in (bytes(32), b"\xff" * 32, sha256(b"other").digest(), 7))
        # What was made here is the same.
        other = Lists(store)
        other.whole.clear()
        other.keep(LONG)
        assert [other.page(cut.root, cut.count, each) for each in (0, 1)] == pages(LONG)


def test_a_list_that_does_not_ascend_accepts_nothing(tmp_path: Path) -> None:
    content = b"".join(sorted(HASHES[:3], reverse=True))
    cut = Cut(D, 9, 3, layers.file_root(layers.leaf_hashes(content)))
    with opened(tmp_path) as (_, lists):
        assert lists.take(cut, 0, Page(b"", content))
        assert not any(each in lists.whole[cut.root] for each in HASHES)
    with opened(tmp_path) as (_, lists):
        assert lists.wanted(view(cut)) == [] and not any(each in lists.whole[cut.root] for each in HASHES)
        assert lists.page(cut.root, 3, 0).content == content, "others are to see the same"


def test_lists_have_a_bound_the_short_ones_come_first_and_what_nobody_names_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "SYNC_LISTS_BYTES", len(LONG.content) + 10)
    long, short, other = LONG.cut(D, 9), SHORT.cut(DeviceId(b"e" * 16), 9), replace(LONG.cut(D, 9), root=b"o" * 32)
    with opened(tmp_path) as (_, lists):
        assert [cut for cut, _ in lists.wanted(view(long, short))] == [short]
        assert [cut for cut, _ in lists.wanted(view(long))] == [long]
        lists.take(long, 0, pages(LONG)[0])
        # Its roster does not count any more.
        assert lists.wanted(view(other)) == [(other, [0, 1])]
        assert not lists.page(long.root, long.count, 0).content


def test_pages_in_memory_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SYNC_LISTS_MEMORY", PAGE_BYTES)
    with opened(tmp_path) as (_, lists):
        for each in (LONG, SHORT):
            lists.keep(each)
        cut = cast("Any", lists.whole[LONG.root])
        assert all(each in cut for each in (min(HASHES), max(HASHES), min(HASHES)))
        assert HASHES[0] in lists.whole[SHORT.root]
        assert sum(map(len, lists._pages.values())) <= PAGE_BYTES and lists._held <= PAGE_BYTES
