"""What a process that read hostile media says of it, and playlists made of that: checked values, or nothing."""

from __future__ import annotations

from wildbach.base.errors import UsageError
from wildbach.services.stream import hls, probe
from wildbach.services.stream.codecs import codec_string

SEEDS: list[bytes] = [
    b'{"container":"mov,mp4","duration":9.5,"bitrate":100,"tracks":[{"index":0,"kind":"video","codec":"h264",'
    b'"codecs":"avc1.64001f","copied":true,"width":1920,"height":1080,"rate":25.0},{"index":1,"kind":"audio",'
    b'"codec":"ac3","codecs":"ac-3","language":"eng"}],"chapters":[{"start":0.0,"title":"One"}],'
    b'"plan":{"starts":[0,4000,8000],"times":[0.0,4.0,8.0],"exact":true}}',
    b'{"container":"mov,mp4","plan":{"starts":[0,5],"times":[0.0,4.0],"exact":true}}',
    bytes.fromhex("0164001fffe1"), bytes.fromhex("000000016742c01e9a"),
    bytes.fromhex("01016000000090000000000078f000fcfdf8f800000f03"), bytes.fromhex("81084c00"),
]
TOKENS: list[bytes] = [
    b'"index":-1', b'"height":4294967296', b"1e999", b"-0.0", b"[0,0]", b'"tracks":[]', b"\\u0000",
    b"\0\0\1", b"\0\0\3", b'"plan"', b'"kind":"subtitle"', b'"text":true', b'"duration":', b"NaN",
]


def one_input(data: bytes) -> None:
    for codec in ("h264", "hevc", "av1", "aac"):
        assert len(codec_string(codec, data)) <= 60
    found = probe.decode(data)
    try:
        choice = hls.choose(found)
    except UsageError:
        return
    assert hls.parse(found, choice.variant) == choice
    text = hls.master(found, choice) + hls.media(found)
    assert text.isascii()
    assert text.count("#EXTINF") == len(found.plan.starts)
