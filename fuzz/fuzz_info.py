"""The info dictionary as peers send it (BEP 9): what loads keeps its hash and has a geometry that holds together."""

from __future__ import annotations

from fuzz.degenerate import CASES

from wildbach.base.errors import FormatError
from wildbach.protocol import bencode
from wildbach.protocol.metainfo import Info


def _infos() -> list[bytes]:
    found = []
    for case in CASES:
        if len(case.data) < 20_000:
            try:
                fields, spans = bencode.decode_dict_spans(case.data)
            except FormatError:
                continue
            if b"info" in fields:
                start, stop = spans[b"info"]
                found.append(case.data[start:stop])
    return found


SEEDS = _infos()
TOKENS = [
    b"5:filesl", b"4:pathl", b"6:lengthi1e", b"9:file treed", b"0:d", b"12:meta versioni2e", b"e", b"6:pieces20:",
    b"12:piece lengthi16384e", b"4:attr1:p", b"4:attr1:l", b"12:symlink pathl", b"11:pieces root32:", b"7:privatei1e",
]


def one_input(data: bytes) -> None:
    info = Info.parse(data)
    assert info.raw == data
    geometry = info.geometry
    assert sum(geometry.piece_size(piece) for piece in range(min(geometry.piece_count, 1000))) <= geometry.size + (
        len(info.files) * info.piece_length)
    last = geometry.piece_count - 1
    geometry.extents(last * info.piece_length, geometry.piece_size(last))
    assert Info.parse(info.raw).hashes == info.hashes
