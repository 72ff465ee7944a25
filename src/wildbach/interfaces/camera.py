"""QR codes, read from pictures that a camera or a screen made (extra `qr`).

A picture is the work of strangers: its bytes and its pixels are bounded before they are read, its decoder is chosen
here and not by the file, and what cannot be read is an error of whoever chose it.
"""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Final

import av
import av.error
import av.logging
import zxingcpp

from wildbach.base import limits
from wildbach.base.errors import UsageError

_QR: Final = zxingcpp.barcode_formats_from_str("QRCode")
_MAGIC: Final = {b"\x89PNG\r\n\x1a\n": "png_pipe", b"\xff\xd8\xff": "jpeg_pipe"}
"How a file begins, and FFmpeg's name of what reads it. A container that is named opens no further file."


def read(picture: Path) -> str:
    """The text of the one QR code in a PNG or JPEG file. Raises UsageError, code `bad_picture`."""
    pixels = _gray(picture)
    found = zxingcpp.read_barcodes(pixels, formats=_QR)
    texts = list(dict.fromkeys(each.text for each in found if each.text))
    if len(texts) != 1:
        raise _bad(picture, "several QR codes are in it" if texts else "no QR code was found in it")
    return str(texts[0])


def _gray(picture: Path) -> memoryview:
    """Rows of pixels, a byte each. Raises UsageError."""
    try:
        with picture.open("rb") as file:
            raw = file.read(limits.PICTURE_BYTES + 1)
    except OSError as error:
        raise _bad(picture, error.strerror or "it cannot be read") from error
    if len(raw) > limits.PICTURE_BYTES:
        raise _bad(picture, f"it is larger than PICTURE_BYTES = {limits.PICTURE_BYTES}")
    kind = next((kind for magic, kind in _MAGIC.items() if raw.startswith(magic)), None)
    if kind is None:
        raise _bad(picture, "it is neither PNG nor JPEG")
    logging.getLogger("libav").setLevel(logging.CRITICAL)
    bound = {"max_pixels": str(limits.PICTURE_PIXELS), "threads": "1"}
    try:
        with av.open(io.BytesIO(raw), "r", format=kind, options=bound, metadata_errors="replace") as container:
            stream = container.streams.video[0]
            stream.codec_context.options = bound
            if stream.codec_context.width * stream.codec_context.height > limits.PICTURE_PIXELS:
                raise _bad(picture, f"it has more than PICTURE_PIXELS = {limits.PICTURE_PIXELS}")
            plane = next(container.decode(stream)).reformat(format="gray").planes[0]
            rows, width = memoryview(plane).cast("B"), plane.width
            packed = b"".join(
                rows[at : at + width] for at in range(0, plane.height * plane.line_size, plane.line_size))
    except (av.error.FFmpegError, StopIteration, IndexError, ValueError, MemoryError) as error:
        raise _bad(picture, "it cannot be read as a picture") from error
    return memoryview(packed).cast("B", (plane.height, width))


def _bad(picture: Path, why: str) -> UsageError:
    return UsageError(f"{picture}: {why}", code="bad_picture", path=str(picture))
