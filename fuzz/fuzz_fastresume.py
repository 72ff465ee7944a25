"""What libtorrent and qBittorrent, and libtorrent and Deluge, keep of a torrent."""

from __future__ import annotations

from pathlib import Path

from tests.migrate_states import deluge_entry, fastresume, single, torrent, without_layers

from wildbach.protocol import bencode
from wildbach.services.migrate import deluge, qbittorrent
from wildbach.services.migrate.found import Category, Found, General
from wildbach.services.migrate.placing import PathMap

_MADE = {"v1": torrent("v1"), "v2": torrent("v2"), "hybrid": torrent("hybrid"), "single": single("v1")}
_TREES = [
    {b"hashes": b"\1" * 32 * 2, b"mask": b"011"}, {b"hashes": b"", b"mask": b"0" * 31}, {b"hashes": bytes(32)}, 7,
]
SEEDS: list[bytes] = []
for _number, _made in enumerate(_MADE.values()):
    SEEDS += [
        bytes([_number]) + fastresume(_made),
        bytes([_number]) + fastresume(
            _made, mapped_files=[b"thing/x", b"", b"thing/x", b"../y"], file_priority=[0, 7, 1, 1],
            trackers=[[b"http://t/a", b"udp://u/b"], [b"\xff"]], trees=_TREES, qBt_ratioLimit=-1000, qBt_tags=[b"a"],
            qBt_category=b"films", qBt_savePath=b"D:\\x", qBt_seedingTimeLimit=5),
        bytes([_number]) + fastresume(
            _made, save_path=b"C:\\d", file_priority=b"\0\1\7", seed_mode=1, qBt_ratioLimit=b"1.5", paused=1,
            auto_managed=0, mapped_files=[b"a\\b.!qB"]),
    ]
TOKENS = [
    b"i0e", b"i-1e", b"i99999999999999999999e", b"le", b"de", b"0:", b"4:mask", b"6:hashes", b"5:trees",
    b"12:mapped_files", b"13:file_priority", b"9:seed_modei1e", b"11:qBt-stopped",
]
_KEPT = [
    (made, without_layers(made), deluge_entry(made) if made.info.hashes.v1 is not None else b"", made.to_bytes())
    for made in _MADE.values()
]
_SHARED = General(Path("/save"), suffix=".!qB", categories=(Category("films", Path("/films")), Category("x")))
_PATHS = PathMap([("D:\\", "/d")])


def one_input(data: bytes) -> None:
    made, bare, entry, raw = _KEPT[data[0] % 4 if data else 0]
    rest = data[1:]
    item = qbittorrent.found(made.info.hashes.swarms[0].hex(), rest, bare, _PATHS, _SHARED, 3)
    sound(item)
    sound(qbittorrent.found("ab" * 20, rest, None, _PATHS, _SHARED))
    if made.info.hashes.v1 is not None:
        key = made.info.hashes.v1.hex()
        sound(deluge.found(key, entry, rest, raw, "films", _PATHS))


def sound(item: Found) -> None:
    """What every reader promises of its values."""
    assert item.save_path is None or item.save_path.is_absolute()
    assert item.save_path is not None or item.lost
    assert item.incomplete_path is None or item.incomplete_path.is_absolute()
    assert item.uploaded >= 0 and item.downloaded >= 0 and item.limits.down >= 0 and item.limits.up >= 0
    if item.metainfo is not None:
        files = item.metainfo.info.files
        assert len(item.priorities) in (0, len(files)) and all(0 <= value <= 7 for value in item.priorities)
        paths = [item.renames.get(number, ("", *file.path.parts)) for number, file in enumerate(files)]
        assert len(set(paths)) == len(paths)
        assert all(part not in ("", ".", "..") and "/" not in part for parts in item.renames.values() for part in parts)
        assert item.torrent is not None and bencode.decode(item.torrent, strict=False)
    else:
        assert item.source is item.magnet
