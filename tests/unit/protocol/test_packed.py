"""gzip and zip, unpacked within bounds."""

from __future__ import annotations

import gzip
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol.packed import unpacked

TEXT = b"1.2.3.4\n" * 1000


class Stream(io.RawIOBase):
    """Cannot seek, so that a zip file written to it has its sizes behind the data."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # what zipfile writes is bytes
        self.data += data
        return len(data)


def zipped(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED, streamed: bool = False) -> bytes:
    place = Stream() if streamed else io.BytesIO()
    with zipfile.ZipFile(place, "w", method) as made:
        for name, data in files:
            made.writestr(name, data)
    return place.data if isinstance(place, Stream) else place.getvalue()


def read(data: bytes, most: int = 1 << 20) -> bytes:
    return unpacked(data, most, "SOME_LIMIT")


def test_what_is_not_packed_stays_as_it_is() -> None:
    assert read(TEXT) == TEXT and read(b"") == b""


def test_members_of_a_gzip_file_are_one_text_and_padding_is_passed_over() -> None:
    members = [gzip.compress(text, mtime=0) for text in (TEXT, b"", b"more")]
    assert read(b"".join(members) + bytes(512)) == TEXT + b"more"


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_the_first_file_with_content_of_a_zip_file_is_taken(method: int) -> None:
    assert read(zipped(("folder/", b""), ("empty", b""), ("list", TEXT), ("other", b"x"), method=method)) == TEXT


def test_sizes_may_stand_behind_the_data() -> None:
    assert read(zipped(("list", TEXT), streamed=True)) == TEXT
    assert read(zipped(("empty", b""), ("list", TEXT), streamed=True)) == TEXT


def named(value: bytes | str) -> str:
    """The name of a case; its bytes have the time in them."""
    return value if isinstance(value, str) else f"{len(value)} bytes"


@pytest.mark.parametrize(("data", "why"), [
    (gzip.compress(TEXT, mtime=0)[:-1], "cut short"),
    (gzip.compress(TEXT, mtime=0)[:-5] + bytes(5), "damaged"),
    (zipped(("list", TEXT))[:60], "cut short"),
    (zipped(("list", TEXT), method=zipfile.ZIP_STORED).replace(b"1.2", b"9.9"), "damaged"),
    (zipped(("list", TEXT), method=zipfile.ZIP_STORED, streamed=True), "not known"),
    (zipped(("list", TEXT), method=zipfile.ZIP_LZMA), "not known"),
    (zipped(("empty", b"")), "no file"),
    (b"PK\x03\x04", "no file"),
    (zipped(("list", TEXT))[:6] + b"\1" + zipped(("list", TEXT))[7:], "password"),
], ids=named)
def test_what_is_damaged_or_strange_is_a_format_error(data: bytes, why: str) -> None:
    with pytest.raises(FormatError, match=why) as caught:
        read(data)
    assert not isinstance(caught.value, LimitError)


BOMB = bytes(1 << 22)


@pytest.mark.parametrize("data", [
    TEXT, gzip.compress(BOMB, mtime=0), gzip.compress(bytes(600), mtime=0) * 2, zipped(("list", BOMB)),
    zipped(("list", BOMB), streamed=True), zipped(("list", TEXT), method=zipfile.ZIP_STORED),
], ids=named)
def test_more_than_the_limit_is_not_unpacked_and_the_limit_is_named(data: bytes) -> None:
    with pytest.raises(LimitError, match="SOME_LIMIT"):
        read(data, 1000)


def test_the_number_of_parts_is_bounded() -> None:
    with pytest.raises(LimitError, match="PACKED_MEMBERS"):
        read(gzip.compress(b"") * (limits.PACKED_MEMBERS + 1))
    many = zipped(*((f"{number}", b"") for number in range(limits.PACKED_MEMBERS)), ("list", TEXT))
    with pytest.raises(FormatError, match="no file"):
        read(many)


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\x1f\x8b\x08", gzip.compress(TEXT, mtime=0)[:12], b"PK\x03\x04"]),
)
def test_only_format_errors_come_out(data: bytes, head: bytes) -> None:
    try:
        assert len(read(head + data, 5000)) <= 5000
    except FormatError:
        return
