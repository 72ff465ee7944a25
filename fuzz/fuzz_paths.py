"""Names of files: elements parted by zero bytes, files by line ends; all come out safe and different."""

from __future__ import annotations

import os

from wildbach.base.errors import LimitError
from wildbach.protocol.metainfo.paths import Names, fold, printable, safe_element

SEEDS: list[bytes] = [
    b"a\0b\nA\0B\na\0b", b"..\0..\0etc\0passwd", b"CON\ncon.txt\nNUL ", b"\xff\xfe\n\xe2\x80\xaegnp.exe",
    b"a/b\\c\n.\n",
    "e\u0301\n\u00e9\n\u212b\n\u00c5".encode(), b"x" * 300 + b".tar.gz", b"d\nd\0e", b"\n\n", b"ok \n ok\nok.",
]
TOKENS = [
    b"\0", b"\n", b"..", b".", b"/", b"\\", b"CON", b"aux.", b"\xe2\x80\xae", b"\xcc\x81", b" ",
    b"\xff", b"\xed\xa0\x80",
]
ALLOWED = (LimitError,)


def one_input(data: bytes) -> None:
    raws = [tuple(line.split(b"\0")) for line in data.split(b"\n")[:200]]
    for raw in raws:
        for element in raw:
            for windows in (False, True):
                name = safe_element(element, windows=windows)
                assert safe_element(name.encode(), windows=windows) == name, "made safe twice, differently"
        printable(b"/".join(raw))
    names = Names([*raws], "files")
    seen: dict[str, None] = {}
    for path in names.paths:
        if path is None:
            continue
        for part in path.parts:
            assert part not in ("", ".", "..") and len(part.encode()) <= 240
            assert not any(bad in part for bad in "/\\\0\u202e\r\n")
        assert not os.path.isabs(str(path))
        key = "/".join(map(fold, path.parts))
        assert key not in seen, f"{path} stands twice"
        seen[key] = None
