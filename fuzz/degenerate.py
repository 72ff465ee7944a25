"""Torrent files that are wrong, odd or hostile, made in code, each with what must come of it.

`CASES` is used by the unit tests, which compare the results, and as seeds by the fuzz harness.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from wildbach.protocol.bencode import Value, encode
from wildbach.protocol.layers import layer_root

BLOCK = 16384
Dict = dict[bytes, Value]


class Case(NamedTuple):
    """`error` is the beginning of the message, which names the key; or empty where the torrent must load.

    Then `paths` are the paths of its files (None: not compared), and `note` must stand in one of its warnings.
    """

    name: str
    data: bytes
    error: str = ""
    paths: tuple[str, ...] | None = None
    note: str = ""


def v1(**changes: Value | None) -> Dict:
    """A v1 info dictionary of one file of 40,000 bytes. `changes` replace keys (`_` for a blank), None removes one."""
    info: Dict = {b"length": 40_000, b"name": b"n", b"piece length": BLOCK, b"pieces": bytes(60)}
    return changed(info, changes)


def v1_list(*files: Dict, **changes: Value | None) -> Dict:
    total = sum(f[b"length"] for f in files if isinstance(f.get(b"length"), int))  # type: ignore[misc]
    info: Dict = {
        b"files": list[Value](files), b"name": b"n", b"piece length": BLOCK,
        b"pieces": bytes(20 * min(99, max(0, -(-total // BLOCK)))),
    }
    return changed(info, changes)


def names(*paths: list[bytes]) -> Dict:
    """A v1 info dictionary of files of 10 bytes with these paths."""
    return v1_list(*[{b"length": 10, b"path": list[Value](path)} for path in paths])


def link(path: list[bytes], target: list[bytes]) -> Dict:
    return {b"attr": b"l", b"length": 0, b"path": list[Value](path), b"symlink path": list[Value](target)}


def file(parts: list[bytes], length: Value | None = 10, **more: Value | None) -> Dict:
    return changed({b"path": list[Value](parts)}, {"length": length, **more})


def changed(fields: Dict, changes: dict[str, Value | None]) -> Dict:
    for key, value in changes.items():
        raw = key.replace("_", " ").encode()
        if value is None:
            fields.pop(raw, None)
        else:
            fields[raw] = value
    return fields


LAYER = b"".join(sha256(b"%d" % i).digest() for i in range(3))
ROOT = layer_root(LAYER, 0)
SMALL = sha256(b"small").digest()
LEAF: Dict = {b"": {b"length": 40_000, b"pieces root": ROOT}}


def v2(tree: Value | None = None, **changes: Value | None) -> Dict:
    """A v2 info dictionary, of one file of three pieces by default."""
    info: Dict = {
        b"file tree": {b"n": LEAF} if tree is None else tree, b"meta version": 2, b"name": b"n",
        b"piece length": BLOCK,
    }
    return changed(info, changes)


def leaf(length: Value | None = 10, root: Value = SMALL, **more: Value | None) -> Dict:
    return {b"": changed({b"pieces root": root}, {"length": length, **more})}


def hybrid(*files: Dict, **changes: Value | None) -> Dict:
    """Two files, 20,000 and 10 bytes, in both forms; `files` replaces the v1 list."""
    big = layer_root(LAYER[:64], 0)
    tree: Dict = {b"a": leaf(20_000, big), b"b": leaf()}
    pad: Dict = {b"attr": b"p", b"length": 2 * BLOCK - 20_000, b"path": [b".pad", b"12768"]}
    chosen = files or (file([b"a"], 20_000), pad, file([b"b"]))
    info = v1_list(*chosen, pieces=bytes(60))
    return changed({**info, **v2(tree)}, changes)


def t(info: Value, **outer: Value | None) -> bytes:
    fields: Dict = {b"info": info}
    if isinstance(info, dict) and b"meta version" in info:
        fields[b"piece layers"] = {ROOT: LAYER} if ROOT in encode(info) else {}
        if b"files" in info:
            fields[b"piece layers"] = {layer_root(LAYER[:64], 0): LAYER[:64]}
    return encode(changed(fields, outer))


def raw_info(raw: bytes) -> bytes:
    return b"d4:info" + raw + b"e"


_V1_TAIL = b"12:piece lengthi16384e6:pieces20:" + bytes(20) + b"e"

MALFORMED = [
    Case("empty file", b"", "byte 0"),
    Case("not a dictionary", b"le", "byte 0"),
    Case("html", b"<!DOCTYPE html><html></html>", "byte 0"),
    Case("truncated", t(v1())[:-5], "byte "),
    Case("deep lists", b"d4:info" + b"l" * 100_000, "byte "),
    Case("deep dictionaries", raw_info(b"d1:a" * 100 + b"de" + b"e" * 100), "byte "),
    Case("huge integer", raw_info(b"d6:lengthi" + b"9" * 10_000 + b"ee"), "byte "),
    Case("negative zero", raw_info(b"d6:lengthi-0e4:name1:n" + _V1_TAIL), "byte "),
    Case("leading zero", raw_info(b"d6:lengthi010e4:name1:n" + _V1_TAIL), "byte "),
    Case("plus sign", raw_info(b"d6:lengthi+10e4:name1:n" + _V1_TAIL), "byte "),
    Case("string length with zero", raw_info(b"d6:lengthi10e04:name1:n" + _V1_TAIL), "byte "),
    Case("string beyond the end", b"d4:info999999999:x", "byte "),
    Case("integer key", b"di1ei2ee", "byte "),
    Case("key twice", raw_info(b"d6:lengthi10e6:lengthi10e4:name1:n" + _V1_TAIL), "byte "),
    Case("no info", encode({b"announce": b"http://t/"}), "info: is missing"),
    Case("info is a list", t([]), "info: is a list"),
    Case("info is a string", t(b"x"), "info: is a string"),
    Case("info is empty", t({}), "info.name: is missing"),
]

V1_WRONG = [
    Case("no name", t(v1(name=None)), "info.name: is missing"),
    Case("name is an integer", t(v1(name=1)), "info.name: is an integer"),
    Case("no piece length", t(v1(piece_length=None)), "info.piece length: is missing"),
    Case("piece length zero", t(v1(piece_length=0)), "info.piece length: is 0"),
    Case("piece length negative", t(v1(piece_length=-BLOCK)), "info.piece length: is -16384"),
    Case("piece length huge", t(v1(piece_length=1 << 40)), "info.piece length: is 1099511627776, over PIECE_LENGTH"),
    Case("piece length is a string", t(v1(piece_length=b"16384")), "info.piece length: is a string"),
    Case("no pieces", t(v1(pieces=None)), "info.pieces: is missing"),
    Case("pieces too short", t(v1(pieces=bytes(40))), "info.pieces: has 40 bytes instead of 60"),
    Case("pieces too long", t(v1(pieces=bytes(80))), "info.pieces: has 80 bytes instead of 60"),
    Case("pieces not whole hashes", t(v1(pieces=bytes(59))), "info.pieces: has 59 bytes"),
    Case("pieces is a list", t(v1(pieces=[])), "info.pieces: is a list"),
    Case("no length and no files", t(v1(length=None)), "info.length: is missing"),
    Case("length negative", t(v1(length=-1)), "info.length: is negative"),
    Case("length zero", t(v1(length=0, pieces=b"")), "info.length: there are no bytes"),
    Case("length overflows 64 bits", t(v1(length=10**19)), "info.length: 1"),
    Case("too many pieces", t(v1(length=1 << 40, piece_length=1)), "info.length: 1099511627776 bytes"),
    Case("length and files", t(v1(files=[file([b"a"])])), "info.files: contradicts info.length"),
    Case("files is a dictionary", t(v1(length=None, files={})), "info.files: is a dictionary"),
    Case("files is empty", t(v1(length=None, files=[], pieces=b"")), "info.files: there are no bytes"),
    Case("file is a list", t(v1(length=None, files=[[]])), "info.files[0]: is not a dictionary"),
    Case("file without length", t(v1_list(file([b"a"]), file([b"b"], None))), "info.files[1].length: is missing"),
    Case("file length negative", t(v1_list(file([b"a"]), file([b"b"], -5))), "info.files[1].length: is negative"),
    Case("file length is a string", t(v1_list(file([b"a"], b"5"))), "info.files[0].length: is a string"),
    Case("file without path", t(v1_list(file([b"a"], path=None))), "info.files[0].path: is missing"),
    Case("file path empty", t(v1_list(file([]))), "info.files[0].path: is empty"),
    Case("file path is a string", t(v1_list(file([], path=b"a/b"))), "info.files[0].path: is a string"),
    Case("file path with an integer", t(v1_list(file([], path=[b"a", 1]))), "info.files[0].path: has an element"),
    Case("file path too deep", t(names([b"d"] * 65)), "info.files[0].path: a path of more than PATH_DEPTH"),
    Case("files all empty", t(v1_list(file([b"a"], 0), file([b"b"], 0))), "info.files: there are no bytes"),
    Case("only pad files", t(v1_list(file([b"a"], 10, attr=b"p"))), "info.length: there are no bytes"),
    Case("pad file of an exabyte", t(v1_list(file([b"a"]), file([b"p"], 1 << 60, attr=b"p"), pieces=bytes(20))),
         "info.files: 1152921504606846986 bytes make more than PIECES"),
    Case("equal names beyond the limit", t(names(*[[b"same"]] * 502)), "info.files[501].path: more than SAME_NAME"),
    Case("merkle torrent of BEP 30", t(v1(pieces=None, root_hash=bytes(20))), "info.root hash: a Merkle torrent"),
]

V2_WRONG = [
    Case("meta version 3", t(v2(meta_version=3)), "info.meta version: is 3"),
    Case("meta version 1", t(v2(meta_version=1)), "info.meta version: is 1"),
    Case("meta version before other faults", t({b"meta version": 9}), "info.meta version: is 9"),
    Case("no file tree", t(v2(file_tree=None)), "info.file tree: is missing"),
    Case("file tree is a list", t(v2([])), "info.file tree: is a list"),
    Case("file tree empty", t(v2({})), "info.file tree: has no files"),
    Case("file tree of empty directories", t(v2({b"a": {b"b": {}}})), "info.file tree: has no files"),
    Case("file tree root is a file", t(v2(LEAF)), "info.file tree: the root is a file"),
    Case("file tree node is a string", t(v2({b"n": b"x"})), "info.file tree.n: is not a dictionary"),
    Case("file properties are a string", t(v2({b"n": {b"": b"x"}})), 'info.file tree.n."": is not a dictionary'),
    Case("file and directory", t(v2({b"n": {**leaf(), b"x": leaf()}})), "info.file tree.n: is a file and a directory"),
    Case("v2 file without length", t(v2({b"n": leaf(length=None)})), "info.file tree.n.length: is missing"),
    Case("v2 length negative", t(v2({b"n": leaf(-1)})), "info.file tree.n.length: is negative"),
    Case("v2 length is a string", t(v2({b"n": leaf(b"1")})), "info.file tree.n.length: is a string"),
    Case("v2 length huge", t(v2({b"n": leaf(10**19)})), "info.file tree: 1"),
    Case("v2 nothing but empty files", t(v2({b"n": leaf(0)})), "info.file tree: there are no bytes"),
    Case("v2 file without root", t(v2({b"n": {b"": {b"length": 1}}})), "info.file tree.n.pieces root: is missing"),
    Case("v2 root too short", t(v2({b"n": leaf(1, bytes(20))})), "info.file tree.n.pieces root: has 20 bytes"),
    Case("v2 pad file", t(v2({b"n": leaf(1, attr=b"p")})), "info.file tree.n: a pad file"),
    Case("v2 piece length not a power of two", t(v2(piece_length=3 * BLOCK)), "info.piece length: is 49152, not"),
    Case("v2 piece length small", t(v2(piece_length=8192)), "info.piece length: is 8192, not a power"),
    Case("v2 keys out of order", raw_info(
        b"d12:meta versioni2e9:file treed1:nd0:d6:lengthi1e11:pieces root32:" + bytes(32)
        + b"eee4:name1:n12:piece lengthi16384ee"), "byte "),
    Case("v2 file tree out of order", raw_info(
        b"d9:file treed1:nd0:d6:lengthi1e11:pieces root32:" + bytes(32) + b"ee1:ad0:d6:lengthi0eeee"
        b"12:meta versioni2e4:name1:n12:piece lengthi16384ee"), "byte "),
    Case("piece layers is a list", t(v2(), piece_layers=[]), "piece layers: is a list"),
    Case("piece layer is an integer", t(v2(), piece_layers={ROOT: 1}), "piece layers: the layer of"),
    Case("piece layer too short", t(v2(), piece_layers={ROOT: LAYER[:64]}), "piece layers: the layer of"),
    Case("piece layer wrong", t(v2(), piece_layers={ROOT: LAYER[32:] + LAYER[:32]}), "piece layers: the layer of"),
    Case("piece layer of no file", t(v2(), piece_layers={ROOT: LAYER, SMALL: b"x"}),
         f"piece layers: the layer of {SMALL.hex()}"),
    Case("piece layer of a file of one piece", t(v2({b"a": leaf()}), piece_layers={SMALL: SMALL}),
         "piece layers: the layer of"),
    Case("v2 root of zeros", t(v2({b"n": leaf(1, bytes(32))})), "info.file tree.n.pieces root: is all zeros"),
    Case("piece layer padded", t(v2(), piece_layers={ROOT: LAYER + bytes(32)}), "piece layers: the layer of"),
    Case("hybrid without v1 files", t(hybrid(files=None)), "info.length: is missing"),
    Case("hybrid files in another order", t(hybrid(file([b"b"]), file([b"a"], 20_000))), "info.files[0]: differs"),
    Case("hybrid file renamed", t(hybrid(file([b"x"], 20_000))), "info.files[0]: differs"),
    Case("hybrid file of another length", t(hybrid(file([b"a"], 20_001))), "info.files[0]: differs"),
    Case("hybrid file missing in v1", t(hybrid(file([b"a"], 20_000))), "info.files: lacks files"),
    Case("hybrid with a file more in v1", t(hybrid(
        file([b"a"], 20_000), file([b"p"], 12_768, attr=b"p"), file([b"b"]), file([b"c"]))),
        "info.files[3]: is not in info.file tree"),
    Case("hybrid without pad files", t(hybrid(file([b"a"], 20_000), file([b"b"]))), "info.files[1]: does not begin"),
    Case("hybrid goes on after the end", t(hybrid(
        file([b"a"], 20_000), file([b"p"], 12_768, attr=b"p"), file([b"b"]), file([b"p"], BLOCK, attr=b"p"))),
        "info.files: goes on"),
    Case("hybrid single differs in name", t({**v1(name=b"m"), **v2(name=b"m")}), "info.length: differs"),
    Case("hybrid with too few pieces", t(hybrid(pieces=bytes(40))), "info.pieces: has 40 bytes instead of 60"),
]

WILD = [
    Case("plain v1", t(v1()), "", ("n",)),
    Case("plain v2", t(v2()), "", ("n",)),
    Case("plain hybrid", t(hybrid()), "", ("a", "b")),
    Case("hybrid with a pad after the last file", t(hybrid(
        file([b"a"], 20_000), file([b"p"], 12_768, attr=b"p"), file([b"b"]), file([b"p"], BLOCK - 10, attr=b"p"))),
        "", ("a", "b")),
    Case("v1 keys out of order", raw_info(
        b"d4:name1:n6:lengthi10e6:pieces20:" + bytes(20) + b"12:piece lengthi16384ee"), "", ("n",), "out of order"),
    Case("outer keys out of order", b"d4:info" + encode(v1()) + b"8:announce9:http://t/e", "", ("n",), "out of order"),
    Case("line break behind the end", t(v1()) + b"\r\n", "", ("n",)),
    Case("odd piece length", t(v1(piece_length=1000, pieces=bytes(800))), "", ("n",)),
    Case("unknown keys", t(v1(x_cross_seed=b"1", publisher={b"a": [1]}), azureus_properties={}), "", ("n",)),
    Case("private is a string", t(v1(private=b"1")), "", ("n",)),
    Case("parent directory", t(names([b"..", b"..", b"etc", b"passwd"])), "", ("_/_/etc/passwd",), "1 file name was"),
    Case("absolute path", t(names([b"", b"etc", b"passwd"])), "", ("etc/passwd",), "1 file name was"),
    Case("slashes in an element", t(names([b"/etc/passwd"])), "", ("_etc_passwd",), "1 file name was"),
    Case("backslashes", t(names([b"..\\..\\boot.ini"])), "", (".._.._boot.ini",), "1 file name was"),
    Case("path of dots", t(names([b".", b".", b"."], [b".."])), "", ("_", "_.1"), "2 file names"),
    Case("null in a name", t(names([b"a\0b"])), "", ("a_b",), "1 file name was"),
    Case("controls in a name", t(names([b"a\x1b[2Jb\r\n\x7f"])), "", ("a_[2Jb___",), "1 file name was"),
    Case("direction override", t(names(["ann\u202egpj.exe".encode()])), "", ("ann_gpj.exe",), "1 file name was"),
    Case("reserved names", t(names([b"CON"], [b"aux.c"], [b"Lpt1.tar.gz"], [b"console"])), "",
         ("_CON", "_aux.c", "_Lpt1.tar.gz", "console"), "3 file names"),
    Case("not UTF-8", t(names([b"caf\xe9.txt"])), "", ("caf_.txt",), "1 file name was"),
    Case("overlong UTF-8", t(names([b"\xc0\xae\xc0\xae", b"x"])), "", ("____/x",), "1 file name was"),
    Case("scripts", t(names(["日本語".encode(), "файл".encode()], ["😀👨\u200d👩".encode()])), "",
         ("日本語/файл", "😀👨\u200d👩")),
    Case("long name", t(names([b"x" * 300 + b".mkv"])), "", ("x" * 236 + ".mkv",), "1 file name was"),
    Case("long name cut inside a character", t(names(["ä".encode() * 150])), "", ("ä" * 120,), "1 file name was"),
    Case("names twice", t(names([b"a.txt"], [b"a.txt"], [b"a.txt"])), "", ("a.txt", "a.1.txt", "a.2.txt"), "2 file"),
    Case("names that differ in case", t(names([b"A"], [b"a"], [b"d", b"x"], [b"D", b"X"])), "",
         ("A", "a.1", "d/x", "D/X.1"), "2 file names"),
    Case("names that differ in normal form", t(names(["é".encode()], ["e\u0301".encode()])), "",
         ("é", "e\u0301.1"), "1 file name was"),
    Case("a suffix that is taken", t(names([b"a.1"], [b"a"], [b"a"], [b"a"])), "", ("a.1", "a", "a.2", "a.3")),
    Case("file where a directory is", t(names([b"a"], [b"a", b"b"])), "", ("a.1", "a/b"), "1 file name was"),
    Case("file of that name in another case", t(names([b"A", b"b"], [b"a"])), "", ("A/b", "a.1"), "1 file name was"),
    Case("name is ..", t(v1(name=b"..")), "", ("_",), "1 file name was"),
    Case("name is blank", t(v1(name=b"")), "", ("_",)),
    Case("utf-8 variants of keys", t(v1_list(file([b"\xff"], **{"path.utf-8": ["ä".encode()]}))), "", ("ä",)),
    Case("pad files of equal names", t(v1_list(
        file([b"a"]), file([b".pad", b"5"], 5, attr=b"p"), file([b"b"]), file([b".pad", b"5"], 5, attr=b"p"))),
        "", ("a", ".pad/5", "b", ".pad/5")),
    Case("pad file without path, and of no bytes", t(v1_list(
        file([b"a"]), {b"attr": b"p", b"length": 0}, file([b"b"]))), "", ("a", ".pad/0", "b")),
    Case("pad file by its name", t(v1_list(
        file([b"a"]), file([b"_____padding_file_0_if you see this file, please update"], 90))), "", ("a", ".pad/90")),
    Case("symlink inside", t(v1_list(file([b"d", b"a"]), link([b"l"], [b"d", b"a"]))), "", ("d/a", "l")),
    Case("symlink without length", t(v1_list(file([b"a"]), changed(link([b"l"], [b"a"]), {"length": None}))), "",
         ("a", "l")),
    Case("symlink outside", t(v1_list(file([b"a"]), link([b"l"], [b"..", b"x"]))), "", ("a", "l"), "1 symlinks"),
    Case("symlink absolute", t(v1_list(file([b"a"]), link([b"l"], [b"", b"etc"]))), "", ("a", "l"), "1 symlinks"),
    Case("symlink to itself", t(v1_list(file([b"a"]), link([b"l"], [b"l"]))), "", ("a", "l"), "1 symlinks"),
    Case("symlinks in a ring", t(v1_list(file([b"a"]), link([b"l"], [b"m"]), link([b"m"], [b"l"]))), "",
         ("a", "l", "m"), "2 symlinks"),
    Case("symlink into a symlink", t(v1_list(
        file([b"d", b"a"]), link([b"l"], [b"d"]), link([b"m"], [b"l", b"a"]))), "", ("d/a", "l", "m"), "1 symlinks"),
    Case("symlink to its own directory", t(v1_list(file([b"d", b"a"]), link([b"d", b"l"], [b"d"]))), "",
         ("d/a", "d/l"), "1 symlinks"),
    Case("symlink without target", t(v1_list(file([b"a"]), changed(link([b"l"], []), {"symlink path": None}))), "",
         ("a", "l")),
    Case("announce-list flat", t(v1(), **{"announce-list": [b"http://t/"]}), "", ("n",)),
    Case("announce-list of oddities", t(v1(), **{"announce-list": [[1, b"", b"a\nb"], [], {}, [[b"x"]]]}), "", ("n",),
         "announce: 1"),
    Case("announce is an integer", t(v1(), announce=1), "", ("n",)),
    Case("url-list is blank", t(v1(), **{"url-list": b""}), "", ("n",)),
    Case("url-list of oddities", t(v1(), **{"url-list": [1, [], b"", b"http://w/"]}), "", ("n",), "url-list: 2"),
    Case("url-list is a dictionary", t(v1(), **{"url-list": {}}), "", ("n",), "url-list: 1"),
    Case("nodes of oddities", t(v1(), nodes=[[b"h", 1], [b"h"], b"x", [b"h", 70000]]), "", ("n",), "nodes: 3"),
    Case("creation date is far away", t(v1(), creation_date=10**18), "", ("n",)),
    Case("v2 without piece layers", t(v2(), piece_layers=None), "", ("n",), "piece layers: 1 are missing"),
    Case("v2 unsafe names", t(v2({b"..": {b"..": leaf()}, b"CON": leaf(), b"con": leaf()})), "",
         ("_/_", "_CON", "_con.1")),
    Case("v2 equal files", t(v2({b"a": LEAF, b"b": LEAF})), "", ("a", "b")),
    Case("v2 symlink", t(v2({b"a": leaf(), b"l": {b"": {b"attr": b"l", b"symlink path": [b"a"]}}})), "", ("a", "l")),
    Case("v2 empty file with a root", t(v2({b"a": leaf(), b"e": leaf(0)})), "", ("a", "e")),
    Case("v2 rootless with one directory", t(v2({b"d": {b"a": leaf()}})), "", ("d/a",)),
    Case("v2 with a stray v1 length", t(v2(length=5)), "", ("n",)),
    Case("certificate", t(v1(**{"ssl-cert": b"x"})), "", ("n",), "info.ssl-cert"),
]

_V1_REST = b"4:name1:n" + _V1_TAIL
_TREE_OF_TWO = (b"1:nd0:d6:lengthi1e11:pieces root32:" + b"a" * 32 + b"ee") * 2


def nested(depth: int) -> Dict:
    tree = leaf()
    for _ in range(depth):
        tree = {b"d": tree}
    return tree


MORE = [
    Case("garbage behind the end", t(v1()) + b"garbage", "", ("n",)),
    Case("a second torrent behind the end", t(v1()) * 2, "", ("n",)),
    Case("byte order mark", b"\xef\xbb\xbf" + t(v1()), "byte 0"),
    Case("compressed", b"\x1f\x8b\x08\0" + t(v1()), "byte 0"),
    Case("string length of more than 64 bits", b"d4:info18446744073709551621:xe", "byte 7"),
    Case("negative string length", b"d4:info-1:xe", "byte 7"),
    Case("blank in an integer", raw_info(b"d6:lengthi 10e" + _V1_REST), "byte 16"),
    Case("empty integer", raw_info(b"d6:lengthie" + _V1_REST), "byte 16"),
    Case("info twice", b"d4:info" + encode(v1()) + b"4:info" + encode(v1(name=b"m")) + b"e", "byte 126: key info"),
    Case("dictionary ends at a key", raw_info(b"d6:lengthi10e4:namee"), "byte 26"),
    Case("name is a list", t(v1(name=[b"n"])), "info.name: is a list"),
    Case("pieces is an integer", t(v1(pieces=1)), "info.pieces: is an integer"),
    Case("lengths that overflow together", t(v1_list(
        file([b"a"], 1 << 62), file([b"b"], 1 << 62), file([b"c"], 1 << 62), pieces=bytes(20))), "info.files: 138"),
    Case("piece length overflows 64 bits", t(v1(piece_length=10**19)), "info.piece length: is 1"),
    Case("private is 2", t(v1(private=2)), "", ("n",)),
    Case("meta version is a string", t(v2(meta_version=b"2")), "info.meta version: is b'2'"),
    Case("v2 tree too deep", t(v2(nested(70))), "byte 267: nested deeper"),
    Case("v2 slash in an element", t(v2({b"a/b": leaf()})), "", ("a_b",), "1 file name was"),
    Case("v2 null in an element", t(v2({b"\0": leaf()})), "", ("_",), "1 file name was"),
    Case("v2 long element", t(v2({b"x" * 300: leaf()})), "", ("x" * 240,), "1 file name was"),
    Case("v2 element not UTF-8", t(v2({b"\xff": leaf()})), "", ("_",), "1 file name was"),
    Case("v2 root is an integer", t(v2({b"n": leaf(1, 5)})), "info.file tree.n.pieces root: is an integer"),
    Case("v2 length is a list", t(v2({b"n": leaf([])})), "info.file tree.n.length: is a list"),
    Case("v2 lengths overflow together", t(v2({b"a": leaf(1 << 62), b"b": leaf(1 << 62), b"c": leaf(1 << 62)})),
         "info.file tree: 138"),
    Case("v2 file twice", raw_info(
        b"d9:file treed" + _TREE_OF_TWO + b"e12:meta versioni2e4:name1:n12:piece lengthi16384ee"), "byte 89: key n"),
    Case("piece layers key too short", t(v2(), piece_layers={ROOT: LAYER, b"x": SMALL}),
         "piece layers: the layer of 78"),
    Case("piece layer not whole hashes", t(v2(), piece_layers={ROOT: LAYER[:-1]}), "piece layers: the layer of"),
    Case("piece layers inside the info", t(v2(piece_layers={ROOT: LAYER}), piece_layers=None), "", ("n",),
         "piece layers: 1 are missing"),
    Case("v2 with files as in v1", t({**v1_list(file([b"a"])), **v2(pieces=None)}), "info.files[0]: differs"),
    Case("hybrid with other attributes in v1", t(hybrid(
        file([b"a"], 20_000, attr=b"x"), file([b"p"], 12_768, attr=b"p"), file([b"b"]))), "", ("a", "b")),
    Case("hybrid with an empty file more in v1", t(hybrid(
        file([b"a"], 20_000), file([b"p"], 12_768, attr=b"p"), file([b"b"]), file([b"z"], 0))),
        "info.files[3]: is not in info.file tree"),
    Case("path.utf-8 is a string", t(v1_list(file([b"a"], **{"path.utf-8": b"x"}))), "", ("a",)),
    Case("name.utf-8 differs", t(v1(**{"name.utf-8": "ä".encode()})), "", ("ä",)),
    Case("url-list of a huge URL", t(v1(), **{"url-list": b"http://w/" + b"x" * 10_000}), "", ("n",), "url-list: 1"),
    Case("announce-list is a string", t(v1(), **{"announce-list": b"http://t/"}), "", ("n",)),
    Case("comment is a list", t(v1(), comment=[b"x"]), "", ("n",)),
    Case("similar is a string", t(v1(similar=b"x" * 20)), "", ("n",)),
    Case("collections of oddities", t(v1(collections=[1, b"a", []])), "", ("n",)),
    Case("root hash beside pieces", t(v1(root_hash=bytes(20))), "", ("n",)),
    Case("symlink with a length", t(v1_list(file([b"a"]), changed(link([b"l"], [b"a"]), {"length": 10}))), "",
         ("a", "l")),
    Case("pad file with another attribute", t(v1_list(
        file([b"a"]), file([b".pad", b"6"], 6, attr=b"xp"), file([b"b"]))), "", ("a", ".pad/6", "b")),
]

CASES = [*MALFORMED, *V1_WRONG, *V2_WRONG, *WILD, *MORE]
