"""Torrents that are made: deterministic, checked by our own reader, and the same torrent to libtorrent."""

from __future__ import annotations

import random
import warnings
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any

import pytest
from tests.oracle import libtorrent

from wildbach.base import limits
from wildbach.base.errors import FormatError, UsageError
from wildbach.base.geometry import BLOCK
from wildbach.protocol import bencode
from wildbach.protocol.metainfo import Metainfo
from wildbach.protocol.metainfo.builder import BuildPlan, Kind, SourceFile, choose_piece_length, hash_pieces

KINDS: list[Kind] = ["v1", "v2", "hybrid"]


def build(
    content: dict[tuple[str, ...], bytes], kind: Kind = "hybrid", *, name: str = "top", piece_length: int = BLOCK,
    single: bool = False, step: int = 3 * BLOCK, **options: object,
) -> Metainfo:
    files = [SourceFile(path, len(data)) for path, data in content.items()]
    plan = BuildPlan(name, files, kind=kind, piece_length=piece_length, single=single)
    jobs = plan.jobs(step)
    random.Random(1).shuffle(jobs)
    for job in jobs:
        plan.add(job, *hash_pieces(plan, job, lambda f, at, n: content[plan.files[f].path][at : at + n]))
    return plan.finish(**options)  # type: ignore[arg-type]  # options of any kind


def content_of(seed: int) -> dict[tuple[str, ...], bytes]:
    rng = random.Random(seed)
    out = {}
    for number in range(rng.randrange(1, 8)):
        folder = tuple(rng.choice(["a", "b", "c d", "ä", "日本"]) for _ in range(rng.randrange(3)))
        size = rng.choice([0, 1, 100, BLOCK, BLOCK + 1, 2 * BLOCK, 50_000, 100_000, 8 * BLOCK])
        out[(*folder, f"f{number}.bin")] = rng.randbytes(size)
    return {**out, ("z",): b"never empty"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_what_is_made_loads_again_without_a_remark(kind: Kind, seed: int) -> None:
    content = content_of(seed)
    torrent = build(content, kind, trackers=[["http://a/", "http://b/"], ["udp://c:1"]], comment="ä", private=True)
    data = torrent.to_bytes()
    again = Metainfo.parse(data)
    assert again.to_bytes() == data
    assert again.warnings == torrent.warnings == ()
    assert (again.info.has_v1, again.info.has_v2) == (kind != "v2", kind != "v1")
    assert {f.path.parts: f.length for f in again.info.files} == {p: len(d) for p, d in content.items()}
    assert again.trackers == (("http://a/", "http://b/"), ("udp://c:1",))
    assert again.info.private
    assert again.missing_layers == []


def test_the_same_files_give_the_same_bytes_in_any_order() -> None:
    content = content_of(3)
    backwards = dict(reversed(content.items()))
    assert build(content).to_bytes() == build(backwards, step=1).to_bytes()


def test_a_hybrid_by_hand() -> None:
    """Two files, worked out from the texts of BEP 3, 47 and 52 alone."""
    a, b = b"a" * (BLOCK + 5), b"b" * 7
    torrent = build({("a",): a, ("b",): b}, source="S", creation_date=7, created_by="x")
    leaves = [sha256(a[:BLOCK]).digest(), sha256(a[BLOCK:]).digest()]
    root = sha256(b"".join(leaves)).digest()
    pad = BLOCK - 5
    assert bencode.decode(torrent.to_bytes()) == {
        b"created by": b"x", b"creation date": 7, b"piece layers": {root: b"".join(leaves)},
        b"info": {
            b"file tree": {
                b"a": {b"": {b"length": BLOCK + 5, b"pieces root": root}},
                b"b": {b"": {b"length": 7, b"pieces root": sha256(b).digest()}},
            },
            b"files": [
                {b"length": BLOCK + 5, b"path": [b"a"]},
                {b"attr": b"p", b"length": pad, b"path": [b".pad", b"%d" % pad]},
                {b"length": 7, b"path": [b"b"]},
            ],
            b"meta version": 2, b"name": b"top", b"piece length": BLOCK,
            b"pieces": b"".join(sha1(x).digest() for x in (a[:BLOCK], a[BLOCK:] + bytes(pad), b)), b"source": b"S",
        },
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_file(kind: Kind) -> None:
    torrent = build({("f.iso",): bytes(50_000)}, kind, name="f.iso", single=True)
    assert not torrent.info.multi_file
    assert [str(f.path) for f in torrent.info.files] == ["f.iso"]
    assert torrent.info.geometry.v1_size == 50_000


@pytest.mark.parametrize("kind", KINDS)
def test_attributes_and_symlinks(kind: Kind) -> None:
    files = [
        SourceFile(("bin", "run"), 10, executable=True), SourceFile((".rc",), 0, hidden=True),
        SourceFile(("run",), 0, symlink=("bin", "run")),
    ]
    plan = BuildPlan("t", files, kind=kind)
    for job in plan.jobs():
        plan.add(job, *hash_pieces(plan, job, lambda f, at, n: bytes(n)))
    info = plan.finish().info
    found = {str(f.path): (f.executable, f.hidden, f.symlink and str(f.symlink)) for f in info.files}
    assert found == {"bin/run": (True, False, None), ".rc": (False, True, None), "run": (False, False, "bin/run")}


def test_names_that_clients_will_change_are_said() -> None:
    torrent = build({("aux.c",): b"x", ("caf\udce9",): b"y"})
    assert torrent.warnings == ("2 file names were made safe",)
    assert torrent.info.files[1].path.raw == (b"caf\xe9",)


def test_piece_lengths_are_powers_of_two_that_grow_with_the_size() -> None:
    assert choose_piece_length(1) == BLOCK
    assert choose_piece_length(1 << 30) == 1 << 20
    assert choose_piece_length(64 << 30) == 16 << 20
    assert (200 << 40) // choose_piece_length(200 << 40) <= limits.PIECES


@pytest.mark.parametrize(
    "arguments",
    [
        {"files": []},
        {"files": [SourceFile(("a",), 0)]},
        {"files": [SourceFile(("a",), -1), SourceFile(("b",), 2)]},
        {"files": [SourceFile((), 1)]},
        {"files": [SourceFile(("..",), 1)]},
        {"files": [SourceFile(("a/b",), 1)]},
        {"files": [SourceFile(("a",), 1), SourceFile(("a",), 2)]},
        {"files": [SourceFile(("a",), 1), SourceFile(("a", "b"), 2)]},
        {"files": [SourceFile(("a",), 1, symlink=("b",))]},
        {"files": [SourceFile(("a",), 1), SourceFile(("b",), 0, symlink=("..", "x"))]},
        {"files": [SourceFile(("\ud800",), 1)]},
        {"files": [SourceFile(("a",), 1)], "name": ""},
        {"files": [SourceFile(("a",), 1)], "name": "n", "single": True},
        {"files": [SourceFile(("a",), 1)], "piece_length": 1000},
        {"files": [SourceFile(("a",), 1)], "piece_length": 8192},
        {"files": [SourceFile(("a",), 1)], "piece_length": -1},
        {"files": [SourceFile(("a",), 1)], "piece_length": 1 << 30},
        {"files": [SourceFile(("a",), 1 << 40)], "piece_length": BLOCK},
    ],
)
def test_what_cannot_be_a_torrent_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        BuildPlan(**{"name": "t", **arguments})  # type: ignore[arg-type]  # arguments of any kind


def test_a_path_beyond_the_limits_is_refused_when_it_is_finished() -> None:
    with pytest.raises(FormatError, match=r"nested deeper|PATH_DEPTH"):
        build({tuple(["d"] * 70): b"x"})


def test_hashes_must_be_whole_and_complete() -> None:
    plan = BuildPlan("t", [SourceFile(("a",), 3 * BLOCK)], piece_length=BLOCK)
    for wrong in ((range(1), b"", b""), (range(1), bytes(20), b""), (range(4), bytes(80), bytes(128)),
                  (range(0, 4, 2), bytes(40), bytes(64))):
        with pytest.raises(ValueError, match="hashes"):
            plan.add(*wrong)
    plan.add(range(2), bytes(40), bytes(64))
    assert plan.left == 1
    with pytest.raises(UsageError, match="not hashed"):
        plan.finish()


@pytest.mark.foreign("libtorrent")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(12))
def test_libtorrent_sees_the_same_torrent(kind: Kind, seed: int) -> None:
    torrent = build(content_of(seed), kind, piece_length=[BLOCK, 2 * BLOCK, 4 * BLOCK][seed % 3])
    theirs = libtorrent.load_torrent_buffer(torrent.to_bytes()).ti
    hashes = theirs.info_hashes()
    assert (hashes.v1.to_bytes() if hashes.has_v1() else None) == torrent.info.hashes.v1
    assert (hashes.v2.to_bytes() if hashes.has_v2() else None) == torrent.info.hashes.v2
    layout = theirs.layout()
    pad = libtorrent.file_storage.flag_pad_file
    kept = [i for i in range(layout.num_files()) if not layout.file_flags(i) & pad]
    assert [(layout.file_path(i), layout.file_size(i)) for i in kept] == [
        (f"{torrent.info.name}/{file.path}", file.length) for file in torrent.info.files
    ]
    assert theirs.num_pieces() == torrent.info.geometry.piece_count


@pytest.mark.foreign("libtorrent")
@pytest.mark.parametrize("kind", KINDS)
def test_a_torrent_made_by_libtorrent_is_read_alike(kind: Kind, tmp_path: Path) -> None:
    rng = random.Random(5)
    content = {("a",): rng.randbytes(50_000), ("b",): b"", ("d", "c"): rng.randbytes(3), ("e",): b"x" * BLOCK}
    for path, data in content.items():
        target = tmp_path.joinpath("top", *path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    flags = {"v1": libtorrent.create_torrent.v1_only, "v2": libtorrent.create_torrent.v2_only, "hybrid": 0}[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        storage = libtorrent.file_storage()
        libtorrent.add_files(storage, str(tmp_path / "top"))
        made = libtorrent.create_torrent(storage, BLOCK, flags)
        libtorrent.set_piece_hashes(made, str(tmp_path))
        data = libtorrent.bencode(made.generate())
    theirs = Metainfo.parse(data)
    ours = build(content, kind)
    assert theirs.warnings == ()
    assert {f.path.parts: f.length for f in theirs.info.files if not f.pad} == {p: len(d) for p, d in content.items()}
    assert theirs.piece_layers == ours.piece_layers
    if kind != "v1":
        assert [(f.path, f.root) for f in theirs.info.files] == [(f.path, f.root) for f in ours.info.files]
    if kind == "hybrid":
        assert theirs.info.pieces == ours.info.pieces


def flags_of(layout: Any, index: int) -> tuple[bool, bool, str]:
    """Executable, hidden, and where a link leads, of a file as libtorrent sees it."""
    flags, storage = layout.file_flags(index), libtorrent.file_storage
    return (
        bool(flags & storage.flag_executable), bool(flags & storage.flag_hidden),
        layout.symlink(index) if flags & storage.flag_symlink else "",
    )


@pytest.mark.foreign("libtorrent")
@pytest.mark.parametrize("kind", KINDS)
def test_libtorrent_sees_the_same_attributes_links_and_pads(kind: Kind) -> None:
    files = [
        SourceFile(("bin", "run"), 10, executable=True), SourceFile((".rc",), 3, hidden=True),
        SourceFile(("to",), 0, symlink=("bin", "run")), SourceFile(("plain",), BLOCK + 1),
    ]
    plan = BuildPlan("t", files, kind=kind, piece_length=BLOCK)
    for job in plan.jobs():
        plan.add(job, *hash_pieces(plan, job, lambda f, at, n: bytes(n)))
    layout = libtorrent.load_torrent_buffer(plan.finish().to_bytes()).ti.layout()
    pad = libtorrent.file_storage.flag_pad_file
    pads = [i for i in range(layout.num_files()) if layout.file_flags(i) & pad]
    # Those of v2 are its own idea: each file begins a piece.
    assert bool(pads) == (kind != "v1")
    found = {
        layout.file_path(i).removeprefix("t/"): flags_of(layout, i) for i in range(layout.num_files()) if i not in pads
    }
    assert found == {
        "bin/run": (True, False, ""), ".rc": (False, True, ""), "to": (False, False, "t/bin/run"),
        "plain": (False, False, ""),
    }


@pytest.mark.foreign("libtorrent")
@pytest.mark.parametrize("kind", KINDS)
def test_attributes_links_and_pads_of_libtorrent_are_read(kind: Kind, tmp_path: Path) -> None:
    top = tmp_path / "t"
    (top / "bin").mkdir(parents=True)
    (top / "bin" / "run").write_bytes(bytes(10))
    (top / "bin" / "run").chmod(0o755)
    (top / "plain").write_bytes(bytes(BLOCK + 1))
    (top / "to").symlink_to("bin/run")
    flags = {"v1": libtorrent.create_torrent.v1_only, "v2": libtorrent.create_torrent.v2_only, "hybrid": 0}[kind]
    flags |= libtorrent.create_torrent.symlinks
    files = libtorrent.list_files(str(top), lambda _: True, libtorrent.create_torrent.symlinks)
    creator = libtorrent.create_torrent(files, BLOCK, flags)
    libtorrent.set_piece_hashes(creator, str(tmp_path))
    info = Metainfo.parse(libtorrent.bencode(creator.generate())).info
    # It calls a link executable, as its target is.
    found = {str(f.path): (f.executable, f.symlink and str(f.symlink)) for f in info.files if not f.pad}
    assert found == {"bin/run": (True, None), "plain": (False, None), "to": (True, "bin/run")}
    assert info.geometry.v1_size > BLOCK + 11 or kind != "hybrid"


@pytest.mark.foreign("libtorrent")
def test_hints_to_torrents_that_share_files_are_read_both_ways(tmp_path: Path) -> None:
    similar = [bytes([i]) * 20 for i in (1, 2)]
    ours = build({("a",): bytes(100)}, similar=similar, collections=["com.example.one", "zwei"])
    theirs = libtorrent.load_torrent_buffer(ours.to_bytes()).ti
    assert [digest.to_bytes() for digest in theirs.similar_torrents()] == similar
    assert theirs.collections() == ["com.example.one", "zwei"]
    (tmp_path / "a").write_bytes(bytes(100))
    creator = libtorrent.create_torrent(libtorrent.list_files(str(tmp_path / "a")), BLOCK)
    libtorrent.set_piece_hashes(creator, str(tmp_path))
    for digest in similar:
        creator.add_similar_torrent(libtorrent.sha1_hash(digest))
    creator.add_collection("com.example.one")
    read = Metainfo.parse(libtorrent.bencode(creator.generate()))
    assert (set(read.similar), read.collections) == (set(similar), ("com.example.one",))
