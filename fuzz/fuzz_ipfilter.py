"""Lists of blocked addresses in every form, packed and not: what is counted is what is blocked."""

from __future__ import annotations

import gzip
import io
import zipfile

from wildbach.protocol import ipfilter

_DAT = (
    b"# a remark\r\n001.009.096.105 - 001.009.096.105 , 000 , Some organization\r\n"
    b"1.2.3.4 - 1.2.3.9 , 128 , let through\n// more\n9.0.0.0 - 8.0.0.0 , 0 , backwards\n"
)
_P2P = b"Some: name: 1.2.3.4-1.2.3.5\n\xe4\xf6:10.0.0.0-10.255.255.255\nSix:2001:db8::1-2001:db8::ff\n"
_PLAIN = b"1.2.3.0/24 ; one\n2001:db8::/32\n::ffff:1.2.3.4\n5.6.7.8\n2600::1 - 2600::2\n\nrubbish\n"
_HEAD = b"\xff\xff\xff\xffP2B"
_NAMED = b"one\0\1\2\3\4\1\2\3\5two\0\2\0\0\0\2\xff\xff\xff"
_INDEXED = b"\0\0\0\2one\0two\0\0\0\0\2" b"\0\0\0\0\1\2\3\4\1\2\3\5" b"\0\0\0\1\2\0\0\0\2\xff\xff\xff"


def _zipped(data: bytes, method: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        made.writestr("empty", b"")
        made.writestr("list.dat", data)
    return file.getvalue()


SEEDS: list[bytes] = [
    _DAT, _P2P, _PLAIN, _HEAD + b"\1" + _NAMED, _HEAD + b"\2" + _NAMED, _HEAD + b"\3" + _INDEXED,
    gzip.compress(_DAT, mtime=0) + gzip.compress(_PLAIN, mtime=0), gzip.compress(bytes(1 << 20), mtime=0),
    _zipped(_DAT, zipfile.ZIP_DEFLATED), _zipped(_PLAIN, zipfile.ZIP_STORED), b"", b"<!DOCTYPE html>\n<html>",
]
TOKENS = [
    b" - ", b" , 000 , ", b" , 128 , ", b"/24", b"/0", b"::", b"::ffff:", b":", b"\n", b"\r\n", b"255.", b"#", b"//",
]


def one_input(data: bytes) -> None:
    ranges = ipfilter.parse(data).ranges
    assert (len(ranges) > 0) == (ranges.addresses4 + ranges.addresses6 > 0)
    assert not len(ranges) or ipfilter.Ranges.union([ranges, ranges]) == ranges
    for host in ("1.2.3.4", "::ffff:1.2.3.4", "2001:db8::1", "rubbish"):
        ranges.blocks(host)
