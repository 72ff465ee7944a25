"""The marker of a kept folder, and names of versions."""

from __future__ import annotations

from wildbach.base.errors import FormatError
from wildbach.disk.folder.marker import Marker, parse
from wildbach.disk.folder.versions import stamp, unstamp

SEEDS: list[bytes] = [
    b'{"folder":"' + b"00" * 32 + b'","epoch":"' + b"11" * 16 + b'","sequence":5,"device":1}\n',
    b'{"folder":"' + b"ab" * 32 + b'","epoch":"' + b"cd" * 16 + b'","sequence":0}',
    b"{}", b"20260131T140510.000000001Z",
]
TOKENS = [b'"', b"{", b"}", b"-1", b"1e99", b"null", b"99999999999999999999", b"T", b"Z", b"."]
ALLOWED = (FormatError,)


def one_input(data: bytes) -> None:
    name = data.decode("utf-8", "replace")
    when = unstamp(name)
    if when is not None and when >= 0:
        assert stamp(when) == name
    found = parse(data)
    assert isinstance(found, Marker) and len(found.epoch) == 16
