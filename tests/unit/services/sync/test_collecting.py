"""Deletions are forgotten half a year after all devices know of them, by time that was lived through."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest
from tests.syncindexes import NOW, TAG, Device, devices, meet, part, talk
from tests.syncsim.made import seen

from wildbach.protocol.sync.messages import Entries
from wildbach.protocol.sync.vectors import VersionVector
from wildbach.services.sync.collecting import KEEP_SECONDS, NOTE_SECONDS, STRIDE_SECONDS, Collecting
from wildbach.services.sync.planner import Act

DAY = 86400.0


def collecting(device: Device) -> Collecting:
    return Collecting(device.store, device.core, device.exchange)


def live(device: Device, days: int, start: float = NOW) -> tuple[int, float]:
    """So many days, each with a look; how many deletions went, and when it is then."""
    made, gone = collecting(device), 0
    for _ in range(days):
        start += DAY
        gone += made.look(start)
    return gone, start


def delete(device: Device, path: str) -> None:
    device.core.saw([(path, None)], NOW)
    device.settle()


def in_step(*all_of: Device) -> None:
    for _ in range(2):
        for one, other in itertools.pairwise(all_of):
            meet(one, other)
            talk(one, other)
            part(one, other)


def test_a_deletion_goes_half_a_year_after_all_know_of_it_and_not_before(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b") as (a, b):
        a.save("x", "1")
        delete(a, "x")
        gone, now = live(a, 400)
        assert gone == 0, "b does not know of it"
        in_step(a, b)
        most = int((KEEP_SECONDS + NOTE_SECONDS) / DAY)
        gone, now = live(a, 179, now)
        assert gone == 0 and list(a.store.tombstones()) == ["x"]
        a.again()
        gone, now = live(a, most - 178, now)
        assert gone == 1 and list(a.store.tombstones()) == []
        assert len(a.store.facts("agreed at ")) <= most * DAY / NOTE_SECONDS + 1


@pytest.mark.parametrize("jump", [3650 * DAY, -3650 * DAY])
def test_a_clock_that_jumps_makes_nothing_older(tmp_path: Path, jump: float) -> None:
    with devices(tmp_path, "a", "b") as (a, b):
        a.save("x", "1")
        delete(a, "x")
        in_step(a, b)
        _, now = live(a, 2)
        made = collecting(a)
        for _ in range(8):
            assert made.look(now + jump) == 0 and made.look(now) == 0
            now += 60
        assert a.store.number("lived") <= 2 * DAY + 8 * (STRIDE_SECONDS + 60)
        gone, _ = live(a, 200, now)
        assert gone == 1


def test_an_old_entry_that_is_played_again_is_deleted_anew_for_all(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b", "c") as (a, b, c):
        a.save("x", "1")
        a.save("kept", "1")
        in_step(a, b, c)
        c.store.close()
        shutil.copy(c.path, tmp_path / "backup")
        c.begin()
        delete(a, "x")
        in_step(a, b, c)
        in_step(a, b, c)
        assert live(a, 200)[0] == live(b, 200)[0] == 1
        c.store.close()
        shutil.copy(tmp_path / "backup", c.path)
        for left in ("-wal", "-shm"):
            (tmp_path / f"c.db{left}").unlink(missing_ok=True)
        c.begin()
        assert c.store.local.get("x") is not None
        in_step(a, b, c)
        in_step(a, b, c)
        for each in (a, b, c):
            assert all(head.deleted for head in each.store.world.get("x"))
            assert not each.store.world.get("kept")[0].deleted
        c.core.compared()
        c.settle()
        assert c.store.local.get("x") is None


def test_an_edit_of_what_was_deleted_and_forgotten_is_a_file_again(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b") as (a, b):
        a.save("x", "1")
        in_step(a, b)
        delete(a, "x")
        in_step(a, b)
        assert live(a, 200)[0] == live(b, 200)[0] == 1
        b.save("x", "2")
        in_step(a, b)
        assert not a.store.world.get("x")[0].deleted and a.store.local.get("x") is not None


def test_who_says_that_all_is_known_cannot_make_others_refuse_what_comes(tmp_path: Path) -> None:
    with devices(tmp_path, "a", "b", "liar") as (a, b, liar):
        a.save("old", "1")
        in_step(a, b, liar)
        # It says of a's entries that it has far more than there are, and all believe that they have them, too.
        liar.exchange._have(VersionVector({a.id: 1 << 60}))
        liar.save("its own", "1")
        in_step(b, liar)
        in_step(a, b, liar)
        assert b.exchange.have().counter(a.id) == 1 << 60, "the lie was believed"
        assert b.exchange.agreed()[a.id] == b.core.highest(a.id) < 1 << 60
        live(a, 200)
        live(b, 200)
        a.save("new", "2")
        in_step(a, b, liar)
        assert not b.store.world.get("new")[0].deleted and b.store.local.get("new") is not None


def test_what_a_lie_let_go_costs_no_content(tmp_path: Path) -> None:
    """A member says for the others' deletions that it has them, and shows its old entry later."""
    with devices(tmp_path, "a", "liar") as (a, liar):
        a.save("x", "1")
        in_step(a, liar)
        old = liar.store.packed_since(0, 10)[0]
        delete(a, "x")
        in_step(a, liar)
        assert live(a, 200)[0] == 1
        meet(a, liar)
        talk(a, liar)
        after = a.exchange._peers[liar.id].upto
        a.exchange.heard_entries(liar.id, Entries(TAG, after, after + 1, tuple(old), whole=True), NOW)
        ops = a.core.step(NOW)
        assert not [op for op in ops if op.act is Act.INSTALL] and a.store.world.get("x")[0].author == a.id
        # What stands at the path meanwhile, not signed yet, is nobody's to delete.
        a.core.saw([("x", seen(a.store.world.get("x")[0], 7))], NOW)
        a.settle()
        assert not a.store.world.get("x")[0].deleted
