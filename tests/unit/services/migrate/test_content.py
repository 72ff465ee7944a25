"""Files as other clients number and name them."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.migrate_states import FILES, PIECE, content_of, single, torrent
from tests.oracle import libtorrent

from wildbach.base import bitfield
from wildbach.protocol.metainfo.builder import Kind
from wildbach.services.migrate import Client, Found, lacking
from wildbach.services.migrate.content import claims, numbers, priorities, renames, v1_numbers

MADE = torrent()
SHAPES = [
    {"a": 1}, {"a": 1, "b": 1}, {"a": PIECE, "b": PIECE}, {"a": PIECE + 1, "b": 0, "c": 5},
    {"a": 0, "b": 3 * PIECE, "c": 0},    {"a/x": 7, "b/y": PIECE - 1, "c": 2 * PIECE, "d": 1}, FILES,
]


@pytest.mark.foreign("libtorrent")
@pytest.mark.parametrize("kind", ["v1", "v2", "hybrid"])
@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_files_have_the_numbers_that_libtorrent_gives_them(kind: Kind, shape: int) -> None:
    made = torrent(kind, files=SHAPES[shape])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        storage = libtorrent.torrent_info(libtorrent.bdecode(made.to_bytes())).files()
        pad = libtorrent.file_storage.flag_pad_file
        theirs = [
            None if storage.file_flags(i) & pad and kind != "v1" else storage.file_path(i).removeprefix("thing/")
            for i in range(storage.num_files())
        ]
    ours = [None if n is None else str(made.info.files[n].path) for n in numbers(made.info)]
    # Some versions also pad the last file.
    assert ours[: len(theirs)] == theirs and not any(ours[len(theirs) :])


def test_the_list_of_v1_has_padding_where_its_creator_put_it() -> None:
    made = torrent("hybrid", files=SHAPES[3])
    assert v1_numbers(made.info) == [0, 1, None, 2]
    assert v1_numbers(torrent("v1").info) == v1_numbers(torrent("v2").info) == [0, 1, 2]
    assert v1_numbers(single("hybrid").info) == [0]


@pytest.mark.parametrize(("given_", "expected"), [
    ([1, 1, 1], ()), ([4, 4, 4], ()), ([], ()), ([7], ()), ([0, 4, 4], (0, 1, 1)), ([0, 1, 7], (0, 1, 7)),
    ([1, 4, 7], (1, 4, 7)), ([0, 0, 0], (0, 0, 0)), ([99, -5, 1], (7, 0, 1)), ([0], (0, 1, 1)), ([7, 4], (7, 4, 4)),
    ([0, 1, 7, 5, 5, 5], (0, 1, 7)),
])
def test_priorities_keep_their_order_and_say_nothing_where_all_are_alike(
    given_: list[int], expected: tuple[int, ...],
) -> None:
    assert priorities(MADE.info, given_) == expected


@given(st.lists(st.integers(-(1 << 70), 1 << 70), max_size=8))
def test_priorities_are_for_all_files_or_none(values: list[int]) -> None:
    found = priorities(torrent("hybrid").info, values)
    assert len(found) in (0, 3) and all(0 <= value <= 7 for value in found)


def test_new_names_are_those_that_differ() -> None:
    found = renames(MADE.info, [b"thing/a.bin", b"", b"other/d.txt"])
    assert (found.files, found.suffix, found.lost) == ({2: ("other", "d.txt")}, False, [])
    assert renames(MADE.info, [b"x", b"y", b"z", b"w"]).files == {0: ("x",), 1: ("y",), 2: ("z",)}
    assert renames(single().info, [b"new.bin"]).files == {0: ("new.bin",)}
    assert renames(single().info, [b"one.bin"]).files == {}


def test_the_suffix_of_incomplete_files_is_no_new_name() -> None:
    found = renames(MADE.info, [b"thing/a.bin.!qB", b"x.!qB", b".!qB"], suffix=".!qB")
    assert (found.files, found.suffix) == ({1: ("x",), 2: (".!qB",)}, True)


def test_windows_parts_folders_its_own_way() -> None:
    assert renames(MADE.info, [b"thing\\n\\x"], windows=True).files == {0: ("thing", "n", "x")}
    assert renames(MADE.info, [b"thing\\n\\x"]).files == {0: ("thing\\n\\x",)}


@pytest.mark.parametrize("name", [
    b"/etc/passwd", b"../x", b"thing/../../x", b"a//b", b"a/./b", b"a\0b", b"\xff", b"x" * 300, b"/".join([b"a"] * 70),
])
def test_a_name_that_leads_out_is_lost(name: bytes) -> None:
    found = renames(MADE.info, [name])
    assert found.files == {} and len(found.lost) == 1 and "a.bin" in found.lost[0]


@pytest.mark.parametrize("names", [
    [b"x", b"x"], [b"thing/d.txt"], [b"thing/b/c.bin"], [b"thing/d.txt", b"", b"thing/b/c.bin"],
])
def test_no_two_files_get_one_path(names: list[bytes]) -> None:
    found = renames(MADE.info, names)
    paths = [found.files.get(n, ("thing", *file.path.parts)) for n, file in enumerate(MADE.info.files)]
    assert len(set(paths)) == 3 and len(found.lost) >= 1


def test_files_may_change_places() -> None:
    found = renames(MADE.info, [b"thing/d.txt", b"", b"thing/a.bin"])
    assert found.files == {0: ("thing", "d.txt"), 2: ("thing", "a.bin")} and found.lost == []


def test_a_claim_is_for_what_is_wanted() -> None:
    info = MADE.info
    width = bitfield.width_of(info.geometry.piece_count)
    everything = bitfield.full(info.geometry.piece_count)
    assert claims(info, everything, ()) and claims(info, everything, (1, 1, 1))
    but_first = everything & ~bitfield.bit(0, width)
    assert not claims(info, but_first, ()) and not claims(info, but_first, (1, 0, 0))
    assert claims(info, but_first, (0, 1, 1)) and claims(info, 0, (0, 0, 0))


def test_what_is_lacking_is_told(tmp_path: Path) -> None:
    found = Found(Client.DELUGE, MADE.info.hashes, "thing", MADE, save_path=tmp_path, complete=True)
    root = tmp_path / "thing"
    assert lacking(found) == tuple(str(root / name) for name in FILES)
    assert len(lacking(found, 2)) == 2
    for name, size in FILES.items():
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        (root / name).write_bytes(content_of(name, size))
    assert lacking(found) == ()
    (root / "a.bin").rename(tmp_path / "new")
    assert lacking(found) == (str(root / "a.bin"),)
    assert lacking(replace(found, renames={0: ("new",)})) == () == lacking(replace(found, priorities=(0, 1, 1)))
    (root / "d.txt").write_bytes(b"short")
    (root / "a.bin").symlink_to(tmp_path / "new")
    assert lacking(found) == (str(root / "a.bin"), str(root / "d.txt"))
    assert lacking(replace(found, metainfo=None)) == ()
