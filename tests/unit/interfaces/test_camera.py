"""QR codes are read from pictures of strangers."""

from __future__ import annotations

import io
import struct
import time
import zlib
from fractions import Fraction
from pathlib import Path

import pytest
import segno
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import UsageError

av = pytest.importorskip("av")
pytest.importorskip("zxingcpp")
camera = pytest.importorskip("wildbach.interfaces.camera")

LINK = "wildbach-sync:" + "afzpq42f57qavrmbkzyyudoawy" * 12


def png_of(text: str) -> bytes:
    out = io.BytesIO()
    segno.make(text, micro=False).save(out, kind="png", scale=4)
    return out.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, rows: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packed = zlib.compress(rows)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def jpeg_of(picture: bytes) -> bytes:
    with av.open(io.BytesIO(picture)) as container:
        frame = next(container.decode(video=0)).reformat(format="yuvj420p")
    codec = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height, codec.pix_fmt = frame.width, frame.height, "yuvj420p"
    codec.time_base = Fraction(1, 25)
    frame.pts = 0
    return b"".join(bytes(packet) for packet in (*codec.encode(frame), *codec.encode(None)))


def read(folder: Path, raw: bytes) -> str:
    (folder / "picture").write_bytes(raw)
    return str(camera.read(folder / "picture"))


def test_the_code_that_share_draws_is_read_whatever_the_file_is_called(tmp_path: Path) -> None:
    assert read(tmp_path, png_of(LINK)) == LINK
    assert read(tmp_path, jpeg_of(png_of(LINK))) == LINK


@pytest.mark.parametrize(("raw", "why"), [
    (b"", "neither PNG nor JPEG"), (b"#EXTM3U\nfile:///etc/passwd\n", "neither PNG nor JPEG"),
    (png(8, 8, b"\0\xff\xff\xff\xff\xff\xff\xff\xff" * 8), "no QR code"),
    (png_of("x")[:60], "cannot be read"), (b"\xff\xd8\xff\xe0rubbish", "cannot be read"),
])
def test_what_is_no_picture_of_a_code_is_said(tmp_path: Path, raw: bytes, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        read(tmp_path, raw)
    assert caught.value.code == "bad_picture"


def test_a_picture_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path) -> None:
    # 20,000 by 20,000 pixels in some 400 kB.
    packer = zlib.compressobj()
    packed = b"".join(packer.compress(bytes(20_001)) for _ in range(20_000)) + packer.flush()
    head = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    began = time.process_time()
    with pytest.raises(UsageError, match="picture"):
        read(tmp_path, bomb)
    assert time.process_time() - began < 0.5


def test_a_file_that_is_too_long_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PICTURE_BYTES", 100)
    with pytest.raises(UsageError, match="PICTURE_BYTES"):
        read(tmp_path, png_of("x"))


def test_two_different_codes_are_not_guessed_between(tmp_path: Path) -> None:
    def rows(text: str) -> list[bytes]:
        code = segno.make(text, micro=False, version=3)
        return [bytes(0 if dark else 255 for dark in row for _ in range(4))
                for row in code.matrix_iter(border=6) for _ in range(4)]

    both = [b"\0" + left + right for left, right in zip(rows("one"), rows("two"), strict=True)]
    with pytest.raises(UsageError, match="several QR codes"):
        read(tmp_path, png(len(both[0]) - 1, len(both), b"".join(both)))


GOOD = png_of(LINK)


@given(at=st.integers(8, len(GOOD) - 1), put=st.binary(min_size=1, max_size=8), cut=st.integers(0, 200))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_pictures_are_read_or_refused(tmp_path: Path, at: int, put: bytes, cut: int) -> None:
    raw = GOOD[:at] + put + GOOD[at + len(put):]
    try:
        assert read(tmp_path, raw[: len(raw) - cut]) == LINK
    except UsageError as error:
        assert error.code == "bad_picture"
