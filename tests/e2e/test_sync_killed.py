"""A daemon that is killed while a large file comes."""

from __future__ import annotations

import os

import pytest

from syncdaemons import Daemon, Group, until

pytestmark = pytest.mark.slow
MIB = 1 << 20
RATE = 5 * MIB


def coming(of: Daemon) -> dict[str, tuple[int, int]]:
    """What lies in `.wildbach/tmp`: by name, the bytes that it takes on the disk, and its inode."""
    found: dict[str, tuple[int, int]] = {}
    for each in os.scandir(of.files / ".wildbach" / "tmp"):
        try:
            stat = each.stat()
        except FileNotFoundError:
            continue
        found[each.name] = stat.st_blocks * 512, stat.st_ino
    return found


def test_what_came_of_a_large_file_is_gone_on_with_after_a_kill_and_goes_where_nobody_wants_it(group: Group) -> None:
    a = group.add("a")
    b = group.add("b", settings={"WILDBACH_RATES_DOWN": str(RATE), "WILDBACH_RATES_LIMIT_LOCAL": "true"})
    group.pair()
    (b.files / "mine").write_bytes(b"of the user")
    group.same()
    film = os.urandom(16 * MIB)
    (a.files / "film").write_bytes(film)
    (a.files / "other").write_bytes(film[::-1])
    until(lambda: sum(size > 2 * MIB for size, _ in coming(b).values()) == 2, f"some of both came: {coming(b)}")
    b.kill()
    left = coming(b)
    assert len(left) == 2
    # What else a daemon that died leaves there: a small file in the making.
    (b.files / ".wildbach" / "tmp" / "0123456789abcdef").write_bytes(b"x")
    (a.files / "other").unlink()
    b.start()
    assert group.same(seconds=60) == {"film": ("file", film, False), "mine": ("file", b"of the user", False)}
    assert (b.files / "film").stat().st_ino in {inode for _, inode in left.values()}, "it began anew"
    b.ask("scan_synced", "f")
    until(lambda: not coming(b), f"nothing is left: {coming(b)}", 20)
    assert (b.files / "mine").read_bytes() == b"of the user"
