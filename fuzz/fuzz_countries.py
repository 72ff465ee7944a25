"""Databases of countries: whatever is in the file, what comes out is a code or nothing."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

from tests.mmdb import database

from wildbach.base.errors import FormatError
from wildbach.interfaces.api import countries

SEEDS: list[bytes] = [
    database({"8.8.0.0/16": {"country_code": "US"}, "9.0.0.0/8": {"country": {"iso_code": "CH"}}}),
    database({"2a00::/12": {"country": "DE"}, "0.0.0.0/0": ["no", "map"]}), database({}), b"",
]
TOKENS = [b"\xab\xcd\xefMaxMind.com", b"node_count", b"record_size", b"country_code", b"\x20\x00", b"\xe1", b"\xff"]
_PATH = Path(tempfile.mkdtemp(), "countries.mmdb")
atexit.register(shutil.rmtree, _PATH.parent, ignore_errors=True)


def one_input(data: bytes) -> None:
    _PATH.write_bytes(data)
    try:
        reader = countries._read(_PATH)
    except countries._FAULTS:
        raise FormatError("no database") from None
    found = countries._look(reader, ["8.8.8.8", "9.9.9.9", "2a00::1"])
    if found is None:
        raise FormatError("a damaged database")
    if not all(code == "" or (len(code) == 2 and code.isascii() and code.isupper()) for code in found.values()):
        raise AssertionError(f"{found} are no codes")
