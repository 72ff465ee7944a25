"""Small pictures of a film, for a seek bar. Runs in the process of `mediaworker` alone."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import av
import av.container

from wildbach.services.stream import probing
from wildbach.services.stream.mediatalk import StillOrder
from wildbach.services.stream.segmenting import NoTrack

_PACKETS: Final = 300
"That are decoded for one picture."


def still(container: av.container.InputContainer, order: StillOrder) -> bytes:
    """Raises NoTrack: there are no pictures, or none near this time."""
    lead = probing.leading(container)
    if lead is None or lead.type != "video":
        raise NoTrack("there are no pictures")
    time = Fraction(order.seconds) + probing.origin(container)
    container.seek(int(time / lead.time_base), stream=lead, backward=True)
    for count, packet in enumerate(container.demux(lead)):
        for picture in packet.decode():
            return _jpeg(picture, order.width)
        if count > _PACKETS:
            break
    raise NoTrack("there is no picture near this time")


def _jpeg(picture: Any, width: int) -> bytes:
    width = max(16, min(width, picture.width)) // 2 * 2
    height = max(2, min(4 * width, round(picture.height * width / picture.width / 2) * 2))
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"qmin": "5", "qmax": "5"}
    small = picture.reformat(width, height, "yuvj420p")
    small.pts, small.time_base = 0, Fraction(1, 25)
    return b"".join(bytes(packet) for packet in (*encoder.encode(small), *encoder.encode(None)))
