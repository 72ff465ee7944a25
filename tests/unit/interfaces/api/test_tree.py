"""Folders of a torrent: what is in them, and what of it is there and wanted."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli_torrents import torrent_of
from wildbach.base import bitfield
from wildbach.base.errors import UsageError
from wildbach.engine.views import file_views
from wildbach.interfaces.api import tree as tree_module
from wildbach.interfaces.api.models import TreeEntry, TreeQuery
from wildbach.interfaces.api.tree import FileTree, Now, in_order, natural
from wildbach.protocol import bencode
from wildbach.protocol.metainfo import Info, Metainfo

FILES = {
    ("Season 2", "e10.mkv"): b"1" * 40_000, ("Season 2", "e9.mkv"): b"2" * 50_000,
    ("Season 2", "subs", "e9.srt"): b"3" * 100,
    ("Season 10", "e1.mkv"): b"4" * 16_384, ("readme.txt",): b"5" * 10, ("zero",): b"",
}


def tree_of(torrent: Metainfo) -> FileTree:
    return FileTree(torrent.info)


def names(tree: FileTree, **query: object) -> list[str]:
    return [entry.name for entry in tree.page(TreeQuery(**query), Now()).entries]  # type: ignore[arg-type]  # passed on


def entry(tree: FileTree, under: str, name: str, now: Now) -> TreeEntry:
    return next(one for one in tree.page(TreeQuery(under), now).entries if one.name == name)


def test_folders_come_first_and_numbers_count_as_numbers() -> None:
    tree = tree_of(torrent_of(FILES))
    assert names(tree) == ["things"]
    assert names(tree, under="things") == ["Season 2", "Season 10", "readme.txt", "zero"]
    assert names(tree, under="things/Season 2") == ["subs", "e9.mkv", "e10.mkv"]


def test_a_folder_says_what_is_below_it() -> None:
    torrent = torrent_of(FILES)
    page = tree_of(torrent).page(TreeQuery("things"), Now())
    assert (page.size, page.files, page.total) == (torrent.info.size, 6, 4)
    assert [(one.files, one.size) for one in page.entries[:2]] == [(3, 90_100), (1, 16_384)]
    assert sum(one.size for one in page.entries) == page.size


def test_searching_and_kinds_give_files_of_all_folders_in_one_list() -> None:
    tree = tree_of(torrent_of(FILES))
    assert sorted(names(tree, search="season e9")) == ["e9.mkv", "e9.srt"]
    assert sorted(names(tree, kind="video")) == ["e1.mkv", "e10.mkv", "e9.mkv"]
    assert names(tree, kind="video", search="10", under="things/Season 2") == ["e10.mkv"]
    assert tree.page(TreeQuery(kind="video", limit=1, offset=1), Now()).total == 3


def test_what_is_there_is_counted_to_the_byte() -> None:
    torrent = torrent_of(FILES)
    tree, count = tree_of(torrent), torrent.info.geometry.piece_count
    everything = Now(bitfield.full(count))
    assert entry(tree, "things", "Season 2", everything).have == 90_100
    assert entry(tree, "", "things", everything).have == torrent.info.size
    index = next(i for i, file in enumerate(torrent.info.files) if str(file.path).endswith("e9.mkv"))
    pieces = torrent.info.geometry.file_pieces(index)
    last = Now(bitfield.bit(pieces.stop - 1, bitfield.width_of(count)))
    assert entry(tree, "things/Season 2", "e9.mkv", last).have == 50_000 % 16_384
    assert entry(tree, "things/Season 2", "e10.mkv", last).have == 0


def test_a_folder_whose_files_differ_has_no_priority_of_its_own() -> None:
    torrent = torrent_of(FILES)
    tree = tree_of(torrent)
    chosen = tree.chosen({"": 0, "things/Season 2": 1, "things/Season 2/e10.mkv": 7})
    priorities = [chosen.get(index, 1) for index in range(len(torrent.info.files))]
    now = Now(priorities=priorities)
    assert entry(tree, "things", "Season 2", now).priority == -1
    assert entry(tree, "things", "Season 2", now).wanted == 90_100
    assert entry(tree, "things", "Season 10", now).priority == 0
    assert entry(tree, "things/Season 2", "e10.mkv", now).priority == 7
    assert tree.page(TreeQuery("things"), now).wanted == 90_100


def test_paths_that_are_not_there_are_said() -> None:
    tree = tree_of(torrent_of(FILES))
    with pytest.raises(UsageError, match="no folder"):
        tree.page(TreeQuery("things/Season 3"), Now())
    with pytest.raises(UsageError, match="no file"):
        tree.chosen({"things/nothing": 1})


@given(st.lists(st.text(alphabet="aB1 0", max_size=6), max_size=60), st.integers(1, 7))
def test_sorting_in_parts_is_sorting(names: list[str], part: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree_module, "_SORTED", part)
        assert [names[at] for at in in_order(names)] == sorted(names, key=lambda name: (natural(name), name))


def test_names_are_ordered_as_people_do() -> None:
    assert sorted(["b", "A10", "a2", "a", "²", "9" * 40], key=natural) == ["9" * 40, "a", "a2", "A10", "b", "²"]


def padded(sizes: list[int]) -> Info:
    """A v1 torrent whose files begin on pieces, by pad files (BEP 47)."""
    listed: list[bencode.Value] = []
    for number, size in enumerate(sizes):
        listed.append({b"length": size, b"path": list[bencode.Value]([b"d%d" % (number % 2), b"f%d" % number])})
        if size % 16384:
            listed.append({b"attr": b"p", b"length": 16384 - size % 16384,
                           b"path": list[bencode.Value]([b".pad", b"%d" % number])})
    total = sum(-(-size // 16384) for size in sizes)
    info: dict[bytes, bencode.Value] = {
        b"files": listed, b"name": b"x", b"piece length": 16384, b"pieces": b"\x11" * 20 * total}
    return Metainfo.parse(bencode.encode({b"info": info})).info


SIZES = st.lists(st.integers(0, 70_000), min_size=1, max_size=8).filter(any)


@given(SIZES, st.sampled_from(["v1", "v2", "hybrid", "pads"]), st.randoms(use_true_random=False))
def test_bytes_that_are_there_are_what_the_engine_says_of_the_files(sizes: list[int], kind: str, rng: Random) -> None:
    if kind == "pads":
        info = padded(sizes)
    else:
        content = {(f"d{number % 2}", f"f{number}"): bytes(size) for number, size in enumerate(sizes)}
        info = torrent_of(content, kind=kind).info  # type: ignore[arg-type]  # one of them
    count = info.geometry.piece_count
    held = bitfield.of([piece for piece in range(count) if rng.random() < 0.6], bitfield.width_of(count))
    priorities = [0 if file.pad else rng.choice([0, 1, 7]) for file in info.files]
    known = {view.index: view for view in file_views(info, held, priorities)}
    tree, now = FileTree(info), Now(held, priorities, held)
    top = tree.page(TreeQuery(), now).entries[0]
    assert top.have == sum(view.have for view in known.values())
    assert top.files == len(known)
    for folder in tree.page(TreeQuery(top.path), now).entries:
        files = tree.page(TreeQuery(folder.path), now).entries
        assert [(one.have, one.priority) for one in files] == [
            (known[one.index].have, priorities[one.index]) for one in files]
        assert folder.have == sum(one.have for one in files)
        assert folder.priority == (files[0].priority if len({one.priority for one in files}) == 1 else -1)
    for one in tree.page(TreeQuery(search="f"), now).entries:
        pieces = info.geometry.file_pieces(one.index)
        there = sum(bitfield.has(held, piece, bitfield.width_of(count)) for piece in pieces)
        assert one.availability == (there / len(pieces) if one.size else 1)


PATHS = st.lists(
    st.lists(st.sampled_from(["a", "b", "c d", "ü"]), min_size=1, max_size=4).map(tuple), unique=True, max_size=12)


@given(PATHS, st.randoms(use_true_random=False))
def test_the_entries_of_every_folder_add_up(paths: list[tuple[str, ...]], rng: Random) -> None:
    # No path is both a file and a folder.
    files = {(*path, f"f{number}"): bytes(1 + number * 5000) for number, path in enumerate(paths)} or {("f",): b"x"}
    torrent = torrent_of(files)
    tree, count = tree_of(torrent), torrent.info.geometry.piece_count
    width = bitfield.width_of(count)
    held = bitfield.of((piece for piece in range(count) if rng.random() < 0.5), width)
    priorities = [rng.choice([0, 1, 7]) for _ in torrent.info.files]
    now = Now(held, priorities)
    folders = [""]
    while folders:
        page = tree.page(TreeQuery(folders.pop(), limit=1000), now)
        assert sum(one.size for one in page.entries) == page.size
        assert sum(one.wanted for one in page.entries) == page.wanted
        assert sum(one.files for one in page.entries) == page.files
        for one in page.entries:
            assert 0 <= one.have <= one.size and (one.priority != -1 or one.folder)
            if one.folder:
                folders.append(one.path)
                assert one.have == sum(inner.have for inner in tree.page(TreeQuery(one.path, limit=1000), now).entries)


@given(PATHS, st.sampled_from(["", "a", "a/b", "nothing"]), st.integers(0, 12), st.integers(1, 12))
def test_a_page_of_a_folder_has_the_numbers_of_its_files_in_the_order_of_the_torrent(
    paths: list[tuple[str, ...]], under: str, offset: int, limit: int,
) -> None:
    files = {(*path, f"f{number}"): bytes(1 + number * 5000) for number, path in enumerate(paths)} or {("f",): b"x"}
    tree = tree_of(torrent := torrent_of(files))
    wanted = [
        index for index, path in enumerate(tree.paths)
        if not torrent.info.files[index].pad and (not under or path.startswith(under + "/"))]
    assert tree.numbers(under, offset, limit) == (len(wanted), wanted[offset : offset + limit])
