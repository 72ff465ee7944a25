"""Three daemons of one folder, the third of which comes late."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncdaemons import Daemon, Group, until

MIB = 1 << 20
SLOW = {"WILDBACH_RATES_UP": str(4 * MIB), "WILDBACH_RATES_LIMIT_LOCAL": "true"}


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    found = Group(tmp_path)
    try:
        yield found
    finally:
        found.end()


def received(of: Daemon) -> dict[str, int]:
    """Bytes from each of the others."""
    return {each.id: each.received for each in of.folder.devices if not each.me}


@pytest.mark.slow
def test_the_third_finds_the_second_by_the_first_and_takes_a_large_file_from_both(group: Group) -> None:
    a, b = group.add("a", settings=SLOW), group.add("b", settings=SLOW)
    content = os.urandom(24 * MIB)
    # Both have it already, so nothing is sent before the third is there.
    for each in (a, b):
        each.files.mkdir()
        (each.files / "large").write_bytes(content)
    group.pair()
    group.same(a, b)
    assert not any(value > MIB for each in (a, b) for value in received(each).values())
    c = group.add("c")
    # It knows nobody but the one that gave the link; there is no local discovery, no DHT.
    c.join(a.share())
    until(lambda: b.connected() == c.connected() == 2, "b and c have found each other", 10)
    there = group.same(seconds=30)
    assert there["large"] == ("file", content, False)
    shares = received(c)
    assert len(shares) == 2 and all(value > 24 * MIB // 4 for value in shares.values()), shares
    assert sum(shares.values()) < 1.2 * len(content)
    ways = {each.way for each in c.folder.devices if not each.me}
    assert ways <= {"tcp", "utp"}

    # Without the first they go on, also after both began anew.
    a.stop()
    (b.files / "after").write_bytes(b"x")
    group.same(b, c)
    for each in (b, c):
        each.stop()
    for each in (b, c):
        each.start()
    (c.files / "again").write_bytes(b"y")
    assert set(group.same(b, c)) == {"large", "after", "again"}
