"""The files of rTorrent and Transmission for one torrent, their settings, and magnet files."""

from __future__ import annotations

from pathlib import Path

from fuzz.fuzz_fastresume import sound
from tests.migrate_states import (
    rtorrent_library,
    rtorrent_own,
    single,
    torrent,
    transmission_resume,
    without_layers,
)

from wildbach.protocol import bencode
from wildbach.services.migrate import qsettings, rtorrent, transmission
from wildbach.services.migrate.folders import json_objects
from wildbach.services.migrate.found import General
from wildbach.services.migrate.placing import PathMap

_MADE = [torrent("v1"), torrent("hybrid"), torrent("v2"), single("v1")]
_META = bencode.encode({
    b"announce-list": [[b"http://t/a"]], b"magnet-uri": b"magnet:?xt=urn:btih:" + b"ab" * 20,
    b"info": {b"meta_download": 1, b"name": b"x", b"pieces": bytes(20)},
})
SEEDS: list[bytes] = [b"j{}{\"labels\": {}}", b"s[BitTorrent]\nSession\\DefaultSavePath=\"/a, b\"\nx=\\x41\\n"]
for _n, _made in enumerate(_MADE):
    SEEDS += [
        bytes([0x30 + _n]) + rtorrent_own(_made), bytes([0x34 + _n]) + rtorrent_library(
            _made, bitfield=b"\xf8", trackers={b"http://t/a": {b"enabled": 1, b"extra_tracker": 1, b"group": 0}}),
        bytes([0x38 + _n]) + transmission_resume(
            _made, files=[b"x/y", b"", b"x/y"], dnd=[1, 0, 0], progress={b"blocks": b"\xff" * 2}, labels=[b"a"],
            ratio_limit={b"ratio-limit": b"1.5", b"ratio-mode": 1}, incomplete_dir=b"/inc",
            speed_limit_up={b"speed-Bps": 5, b"use-speed-limit": 1, b"use-global-speed-limit": 0}),
        b"r" + _made.to_bytes(), b"t" + without_layers(_made),
    ]
SEEDS += [
    b"r" + _META, b"tmagnet:?xt=urn:btih:" + b"ab" * 20,
    b"td11:magnet-infod9:info_hash20:" + b"\xab" * 20 + b"ee", b"td8:announce3:x:y11:magnet-infod9:info_hash0:ee",
]
TOKENS = [b"i0e", b"i-1e", b"le", b"de", b"0:", b"8:bitfield", b"5:files", b"8:trackers", b"6:blocks", b"3:all"]
_PATHS = PathMap([("/data", "/here")])
_SHARED = General(Path("/save"), suffix=".part")


def one_input(data: bytes) -> None:
    kind, body = data[:1], data[1:]
    if kind == b"j":
        json_objects(body, "x.conf")
    elif kind == b"s":
        assert all("/" in key for key in qsettings.parse(body))
    elif kind == b"r":
        sound(rtorrent.found("AB" * 20, body, None, None, _PATHS))
    elif kind == b"t":
        metainfo, magnet = transmission.parse_source(body)
        sound(transmission.found(metainfo, magnet, {}, _PATHS, _SHARED))
    elif kind:
        which = kind[0] & 0xF
        made = _MADE[which & 3]
        key = made.info.hashes.swarms[0].hex()
        if which < 4:
            sound(rtorrent.found(key, made.to_bytes(), body, None, _PATHS))
        elif which < 8:
            sound(rtorrent.found(key, made.to_bytes(), rtorrent_own(made), body, _PATHS))
        else:
            sound(transmission.found(made, None, transmission.parse_resume(body), _PATHS, _SHARED))
