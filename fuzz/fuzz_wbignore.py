"""Patterns of what is not kept the same: the patterns, a zero byte, and paths a line each."""

from __future__ import annotations

import os
import time

from wildbach.base.errors import LimitError
from wildbach.disk.folder.ignore import Ignores

SEEDS: list[bytes] = [
    b"*.o\n!keep.o\n/build/\n\0a.o\nkeep.o\nbuild/x\n", b"**/a/**/b\n\0x/a/y/b\na/b", b"[[:alpha:]-z]\\*\n\0q*",
    b"# no\n\\#yes\n\\!x \n y\\ \n\0#yes\n!x\ny ", b"a**b*c?[!a-]\n\0aXbYcZq", b"\xef\xbb\xbfa\r\nb\xff\r\n\0b\xff",
    b"!\n/\n//\n[\n\\\n",
]
TOKENS = [
    b"**", b"*", b"/", b"**/", b"/**", b"[", b"]", b"[!", b"[:alpha:]", b"\\", b"!", b"#", b"\0", b"\n", b"?", b" ",
    b"-",
]
ALLOWED = (LimitError,)


def one_input(data: bytes) -> None:
    patterns, _, paths = data.partition(b"\0")
    ignores = Ignores.parse(patterns)
    for raw in paths.split(b"\n")[:20]:
        path = os.fsdecode(raw.replace(b"\0", b""))[:1000]
        for folder in (True, False):
            began = time.process_time()
            ignored = ignores.ignored(path, folder=folder)
            assert time.process_time() - began < 2, "a pattern takes too long"
            parent = path.rpartition("/")[0]
            if parent and ignores.ignored(parent, folder=True):
                assert ignored, "taken back below an ignored directory"
            rule = ignores.rule(path, folder=folder)
            assert rule is None or rule in ignores.rules
