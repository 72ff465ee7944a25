"""Codecs have the names that browsers know, whatever stands in a file."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.services.stream.codecs import codec_string

HVCC = bytes.fromhex("01016000000090000000000078f000fcfdf8f800000f03")
SPS = bytes.fromhex("0000000142010101600000030090000003000003007800")


@pytest.mark.parametrize(("codec", "extra", "more", "name"), [
    ("h264", bytes.fromhex("0164001fffe1"), {}, "avc1.64001f"),
    ("h264", bytes.fromhex("000000016742c01e9a"), {}, "avc1.42c01e"),
    ("h264", b"", {}, ""),
    ("hevc", HVCC, {}, "hvc1.1.6.L120.90"),
    ("hevc", SPS, {}, "hvc1.1.6.L120.90"),
    ("av1", bytes.fromhex("81040c00"), {}, "av01.0.04M.08"),
    ("av1", bytes.fromhex("81084c00"), {}, "av01.0.08M.10"),
    ("vp9", b"", {"width": 1920, "height": 1080, "profile": "0"}, "vp09.00.40.08"),
    ("aac", bytes.fromhex("1190"), {}, "mp4a.40.2"),
    ("aac", bytes.fromhex("2b920800"), {}, "mp4a.40.5"),
    ("aac", b"", {}, "mp4a.40.2"),
    ("opus", b"", {}, "opus"), ("ac3", b"", {}, "ac-3"), ("eac3", b"", {}, "ec-3"), ("vc1", b"", {}, ""),
])
def test_names_of_codecs(codec: str, extra: bytes, more: dict[str, object], name: str) -> None:
    assert codec_string(codec, extra, **more) == name  # type: ignore[arg-type]


@given(st.sampled_from(["h264", "hevc", "av1", "vp9", "aac", "flac", "nothing"]), st.binary(max_size=60),
       st.integers(0, 1 << 31), st.text(max_size=5))
def test_a_name_fits_between_quotes_whatever_it_was_made_of(codec: str, extra: bytes, size: int, profile: str) -> None:
    name = codec_string(codec, extra, width=size, height=size, profile=profile)
    assert re.fullmatch(r"[A-Za-z0-9.-]{0,40}", name)
