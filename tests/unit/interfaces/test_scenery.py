"""Made-up content."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wildbach.interfaces import scan, scenery
from wildbach.protocol.metainfo.builder import BuildPlan, SourceFile

SIZE = 3 << 20


@given(st.integers(0, 1 << 20), st.integers(0, 300_000), st.integers(0, 300_000))
def test_the_bytes_of_a_file_are_the_same_however_they_are_read(offset: int, first: int, second: int) -> None:
    whole = scenery.noise("x", offset, first + second)
    assert len(whole) == first + second
    assert whole == scenery.noise("x", offset, first) + scenery.noise("x", offset + first, second)


def test_what_is_made_up_while_it_is_read_is_what_would_be_on_a_disk() -> None:
    plan = BuildPlan("salt", [SourceFile(*one) for one in scenery.files(SIZE)], kind="v1")
    wanted = b"".join(
        scenery.noise("/".join(("salt", *file.path)), 0, file.length) for file in plan.files)
    storage = scenery.Scenery(scan.content_of(plan), "salt")
    whole, part = bytearray(plan.geometry.size), bytearray(70_000)
    storage.read_into(0, [memoryview(whole)])
    assert whole == wanted
    assert storage.try_read(50_000, [memoryview(part)[:3], memoryview(part)[3:]])
    assert part == wanted[50_000:120_000]


def test_it_does_not_repeat_from_piece_to_piece() -> None:
    pieces = {scenery.noise("x", at, 16384) for at in range(0, 4 << 20, 16384)}
    assert len(pieces) == 256
