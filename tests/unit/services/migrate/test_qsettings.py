"""The settings file of a Qt program."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wildbach.services.migrate.qsettings import parse


def test_settings_of_qt() -> None:
    assert parse(
        b"; a remark\n[General]\nx=1\n"
        b"[A]\nSession\\B=\"a, \\\"b\\\"\"\ny=C:\\\\d\\xe9\\n\nno value\n=\n[broken\nz = 5 \n"
    ) == {"General/x": "1", "A/Session\\B": 'a, "b"', "A/y": "C:\\dé\n", "A/": "", "A/z": "5"}
    assert parse(b"\xff\xfe=\xff") == {"/\ufffd\ufffd": "\ufffd"}


@given(st.binary(max_size=200))
def test_any_bytes_are_settings_or_none(data: bytes) -> None:
    assert all("/" in key for key in parse(data))
