"""Info dictionaries and torrent files: what a good one means, beside the degenerate corpus."""

from __future__ import annotations

from hashlib import sha1, sha256

import pytest
from fuzz.degenerate import BLOCK, LAYER, ROOT, file, hybrid, leaf, link, names, t, v1, v1_list, v2
from hypothesis import given
from hypothesis import strategies as st
from tests import pace

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol import bencode
from wildbach.protocol.bencode import Value, encode
from wildbach.protocol.layers import PieceHashes, layer_root, piece_level
from wildbach.protocol.metainfo import Info, Metainfo
from wildbach.protocol.metainfo.filetree import make_tree


def test_a_v1_file() -> None:
    raw = encode(v1(private=1, source=b"SRC", similar=[bytes(20), b"x"], collections=[b"c"]))
    info = Info.parse(raw)
    assert (info.name, info.multi_file, info.size, info.piece_length) == ("n", False, 40_000, BLOCK)
    assert (info.has_v1, info.has_v2, info.private, info.source) == (True, False, True, "SRC")
    assert info.hashes.v1 == sha1(raw).digest()
    assert info.hashes.v2 is None
    assert info.pieces == bytes(60)
    assert (info.similar, info.collections) == ((bytes(20),), ("c",))
    assert info.raw == raw
    assert info.geometry.piece_count == 3


def test_the_info_hash_is_of_the_bytes_as_received() -> None:
    raw = b"d4:name1:n6:lengthi10e6:pieces20:" + bytes(20) + b"12:piece lengthi16384ee"
    info = Info.parse(raw)
    assert info.hashes.v1 == sha1(raw).digest()
    assert not info.sorted
    torrent = Metainfo.parse(b"d4:info" + raw + b"e")
    assert torrent.info.hashes == info.hashes
    assert raw in torrent.to_bytes()


def test_a_v1_list_keeps_pad_files_and_attributes() -> None:
    info = Info.parse(encode(v1_list(
        file([b"a"], 10, attr=b"x", sha1=bytes(20)), file([b".pad", b"5"], 5, attr=b"p"), file([b"b"], 7, attr=b"h"),
        link([b"l"], [b"b"]),
    )))
    a, pad, b, symlink = info.files
    assert (a.executable, a.sha1, a.written) == (True, bytes(20), True)
    assert (pad.pad, pad.written, str(pad.path)) == (True, False, ".pad/5")
    assert b.hidden
    assert (symlink.symlink, symlink.written, symlink.dropped) == (b.path, False, False)
    assert info.size == 17
    assert info.geometry.v1_size == 22


def test_a_v2_torrent_keeps_the_order_of_its_tree() -> None:
    tree: dict[bytes, Value] = {b"a": {b"b": leaf(5)}, b"a.b": leaf(0), b"z": leaf(BLOCK, attr=b"x")}
    info = Info.parse(encode(v2(tree)))
    assert [str(f.path) for f in info.files] == ["a/b", "a.b", "z"]
    assert [f.root is None for f in info.files] == [False, True, False]
    assert info.multi_file and info.has_v2 and not info.has_v1 and info.pieces is None
    assert info.files[2].executable
    assert info.hashes.v2 == sha256(info.raw).digest()
    assert info.geometry.piece_count == 2


def test_a_hybrid_has_the_files_of_its_tree_and_v1_tails() -> None:
    info = Info.parse(encode(hybrid()))
    assert info.has_v1 and info.has_v2
    assert [str(f.path) for f in info.files] == ["a", "b"]
    assert [info.geometry.v1_tail(i) for i in range(3)] == [0, 2 * BLOCK - 20_000, 0]
    padded = Info.parse(encode(hybrid(
        file([b"a"], 20_000), file([b"p"], 12_768, attr=b"p"), file([b"b"]), file([b"p"], 100, attr=b"p"))))
    assert padded.geometry.v1_tail(2) == 100


def test_a_hybrid_of_one_file() -> None:
    info = Info.parse(encode({**v1(), **v2()}))
    assert not info.multi_file
    assert info.geometry.v1_size == 40_000
    listed = Info.parse(encode({**v1_list(file([b"n"], 40_000)), **v2()}))
    assert listed.multi_file


def test_symlink_chains_end_at_files_or_folders() -> None:
    info = Info.parse(encode(v1_list(
        file([b"lib", b"so.1.2"]), link([b"lib", b"so.1"], [b"lib", b"so.1.2"]), link([b"so"], [b"lib", b"so.1"]),
        link([b"dir"], [b"lib"]), link([b"lib", b"up"], [b"dir"]), file([b"CON", b"x"]), link([b"c"], [b"CON"]),
        link([b"cx"], [b"CON", b"x"]),
    )))
    targets = {str(f.path): str(f.symlink) if f.symlink else None for f in info.files if not f.written}
    assert targets == {
        "lib/so.1": "lib/so.1.2", "so": "lib/so.1", "dir": "lib", "lib/up": None, "c": "_CON", "cx": "_CON/x",
    }
    assert info.files[4].dropped
    assert info.changed == (4, 5)


def test_names_that_changed_are_listed() -> None:
    info = Info.parse(encode(names([b"ok"], [b"..", b"x"])))
    assert info.changed == (1,)
    assert info.files[1].path.raw == (b"..", b"x")


def test_a_torrent_file_in_full() -> None:
    data = t(
        v1(similar=[bytes(20)]), announce=b"http://old/",
        **{"announce-list": [[b"http://a/", b" udp://b:1 \n"], [b"http://a/", b"http://c/x y"]]},
        **{"url-list": [b"http://w/", b"http://w/"]}, httpseeds=[b"http://h/"], nodes=[[b"router", 6881]],
        comment=b"caf\xc3\xa9\x1b", created_by=b"x/1", creation_date=12345, similar=[bytes(20), b"s" * 32],
        collections=[b"k"],
    )
    torrent = Metainfo.parse(data)
    assert torrent.trackers == (("http://a/", "udp://b:1"), ("http://c/x%20y",))
    assert torrent.web_seeds == ("http://w/",)
    assert torrent.http_seeds == ("http://h/",)
    assert torrent.nodes == (("router", 6881),)
    assert (torrent.comment, torrent.created_by, torrent.creation_date) == ("café\ufffd", "x/1", 12345)
    assert torrent.similar == (bytes(20), b"s" * 32)
    assert torrent.collections == ("k",)
    assert torrent.warnings == ()
    again = Metainfo.parse(torrent.to_bytes())
    for name in ("trackers", "web_seeds", "http_seeds", "nodes", "comment", "creation_date", "similar", "collections"):
        assert getattr(again, name) == getattr(torrent, name)
    bencode.decode(torrent.to_bytes())


def test_announce_counts_only_without_a_list() -> None:
    assert Metainfo.parse(t(v1(), announce=b"http://t/")).trackers == (("http://t/",),)
    assert Metainfo.parse(t(v1(), announce=b"http://t/", **{"announce-list": [[b""]]})).trackers == (("http://t/",),)
    assert Metainfo.parse(t(v1())).trackers == ()


def test_trackers_and_seeds_are_bounded() -> None:
    tiers: list[Value] = [[b"udp://%d" % i] for i in range(3000)]
    urls: list[Value] = [b"http://%d" % i for i in range(900)]
    torrent = Metainfo.parse(t(v1(), **{"announce-list": tiers, "url-list": urls}))
    assert sum(map(len, torrent.trackers)) == limits.TRACKERS_PER_TORRENT
    assert len(torrent.web_seeds) == limits.WEB_SEEDS_PER_TORRENT
    assert len(torrent.warnings) == 2


def test_layers_that_are_missing_are_named() -> None:
    torrent = Metainfo.parse(t(v2(), piece_layers=None))
    assert torrent.missing_layers == [ROOT]
    whole = Metainfo.from_info(torrent.info, piece_layers={ROOT: LAYER}, trackers=[["http://t/"], []])
    assert whole.missing_layers == []
    assert whole.to_bytes() == t(v2(), announce=b"http://t/")
    hashes = PieceHashes(whole.info.geometry, whole.info.roots, whole.piece_layers)
    assert [hashes.get(i) for i in range(3)] == [LAYER[i * 32 : i * 32 + 32] for i in range(3)]
    with pytest.raises(FormatError, match="piece layers"):
        Metainfo.from_info(torrent.info, piece_layers={ROOT: bytes(96)})


def test_a_torrent_file_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TORRENT_FILE_BYTES", 100)
    with pytest.raises(LimitError, match="TORRENT_FILE_BYTES"):
        Metainfo.parse(t(v1()))
    monkeypatch.setattr(limits, "FILES", 2)
    with pytest.raises(LimitError, match="FILES"):
        Info.parse(encode(names([b"a"], [b"b"], [b"c"])))
    with pytest.raises(LimitError, match="FILES"):
        Info.parse(encode(v2({b"a": leaf(), b"b": leaf(), b"c": leaf()})))


def test_a_layer_that_many_files_claim_is_hashed_once() -> None:
    count = 20_000
    layer = b"".join(sha256(b"%d" % i).digest() for i in range(count))
    root = layer_root(layer, 0)
    tree: dict[bytes, Value] = {b"%04d" % i: leaf(count * BLOCK - i, root) for i in range(100)}
    data = t(v2(tree), piece_layers={root: layer})
    pace.takes_at_most(1, lambda: Metainfo.parse(data))


@pytest.mark.parametrize("form", ["v1", "v2"])
def test_a_hundred_thousand_files_load_quickly(form: str) -> None:
    count = 100_000
    paths = [(b"dir%d" % (i % 100), b"file-%06d.bin" % i) for i in range(count)]
    if form == "v1":
        info = v1_list(*[{b"length": 100, b"path": [a, b]} for a, b in paths])
        info[b"pieces"] = bytes(20 * -(-count * 100 // BLOCK))
    else:
        info = v2(make_tree((path, {b"length": 100, b"pieces root": ROOT}) for path in paths))
    data = encode({b"info": info})

    def load() -> None:
        assert len(Metainfo.parse(data).info.files) == count

    pace.takes_at_most(5, load)


def test_a_hundred_thousand_pieces_load_quickly() -> None:
    count = 100_000
    layer = sha256(b"x").digest() * count
    root = layer_root(layer, piece_level(BLOCK))
    data = t(v2({b"a": leaf(count * BLOCK, root)}), piece_layers={root: layer})

    def load() -> None:
        assert Metainfo.parse(data).info.geometry.piece_count == count

    pace.takes_at_most(2, load)


@given(st.binary(max_size=200))
def test_only_format_errors_come_out(data: bytes) -> None:
    for parse in (Metainfo.parse, Info.parse):
        with pytest.raises(FormatError):
            parse(data)


KEYS = st.sampled_from([
    b"name", b"length", b"files", b"pieces", b"piece length", b"file tree", b"meta version", b"private", b"source",
    b"attr", b"path", b"symlink path", b"", b"a", b"pieces root",
])
LEAVES = st.integers(-2, 70_000) | st.binary(max_size=40) | st.just(2) | st.just(BLOCK) | st.just(bytes(20))
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


@given(st.dictionaries(KEYS, TREES, max_size=7), st.sampled_from([v1(), v2(), hybrid()]))
def test_only_format_errors_come_out_of_dictionaries(changes: dict[bytes, Value], base: dict[bytes, Value]) -> None:
    try:
        info = Info.parse(encode({**base, **changes}))
    except FormatError as error:
        assert error.where
        return
    assert len(info.files) == len(info.geometry.files)
