"""A device is taken out, and others had taken over more of it than counts: all come to the same, nothing is lost."""

from __future__ import annotations

import pytest
from tests.sim.test_sync import _files, _meet, _world, _write
from tests.syncsim.device import Device
from tests.syncsim.folder import FolderDevice
from tests.syncsim.world import NONE, World, taken_out

from wildbach.services.sync.planner import Why


@pytest.mark.parametrize("seed", range(1, 9))
def test_all_trees_are_equal_in_the_end_and_nothing_that_anybody_saved_is_lost(seed: int) -> None:
    taken_out(seed, 80, devices=3 + seed % 3, readers=seed % 3 % 2, **{"trouble": NONE} if seed % 2 else {})


@pytest.mark.parametrize("seed", (1, 5))
def test_the_same_holds_with_the_scan_and_the_installer_of_the_product(seed: int) -> None:
    taken_out(seed, 60, devices=3, kind=FolderDevice)


@pytest.mark.goal
def test_the_same_holds_for_many_seeds() -> None:
    for seed in range(2000, 2020):
        taken_out(seed, 300, devices=3 + seed % 3, readers=seed % 3 % 2, folding=seed % 5 % 2)


def _late(before: dict[str, str], *late: tuple[str, str]) -> tuple[World, Device, Device, Device]:
    """`a` made some files that all have; then `b` saved others, of which `a` does not know. Empty: it deleted them."""
    world = _world(3)
    a, b, c = world.devices
    for path, data in before.items():
        _write(a, path, data)
    world.heal()
    for path, data in late:
        if data:
            _write(b, path, data, 9)
        else:
            b.disk.remove(path)
    for _ in range(2):
        _meet(world, b, c)
        world.now += 60
    assert _files(c) == _files(b) != _files(a)
    return world, a, b, c


def test_what_was_edited_made_and_deleted_too_late_goes_back_on_who_had_it() -> None:
    world, a, b, c = _late(
        {"edited": "by a", "deleted": "by a too", "as it was": "x"},
        ("edited", "late"), ("new", "made late"), ("deleted", ""))
    world.take_out(b, a)
    world.heal()
    world.check()
    assert _files(c) == {"edited": "by a", "deleted": "by a too", "as it was": "x"}
    assert {b"late", b"made late"} <= set(c.disk.versions.values())
    assert not any(c.store.back(path) for path in ("edited", "deleted", "as it was")), "that is over"


def test_nothing_goes_before_somebody_has_said_what_stood_there() -> None:
    world, a, b, c = _late({"edited": "by a"}, ("edited", "late"), ("new", "made late"))
    world.take_out(b, a)
    c.learn(a.cuts, world.now)
    for _ in range(3):
        world.scan(c)
        world.work(c)
    assert _files(c) == {"edited": "late", "new": "made late"}
    assert c.store.held(Why.SUSPENDED) == ["edited", "new"]
    # What a user does meanwhile is the user's, and counts.
    _write(c, "new", "more by c", 12)
    world.heal()
    world.check()
    assert _files(a) == {"edited": "by a", "new": "more by c"}


def test_what_an_honest_device_made_of_it_stays() -> None:
    world, a, b, c = _late({"x": "by a"}, ("x", "late"))
    _write(c, "x", "on top of it", 10)
    world.scan(c)
    world.work(c)
    world.take_out(b, a)
    world.heal()
    world.check()
    assert _files(a) == {"x": "on top of it"}


def test_of_two_owners_who_did_not_know_of_each_other_both_lists_count() -> None:
    world, a, b, c = _late({"x": "by a"}, ("x", "late"), ("new", "made late"))
    world.take_out(b, a, c)
    world.heal()
    world.check()
    assert _files(a) == {"x": "late", "new": "made late"}


def test_a_list_by_an_old_data_base_is_asked_about_before_it_empties_the_folder() -> None:
    world = _world(3)
    a, b, c = world.devices
    for number in range(60):
        _write(b, f"file {number}", f"content {number}")
    _meet(world, b, c)
    assert not _files(a) and len(_files(c)) == 60
    world.take_out(b, a)
    for _ in range(3):
        _meet(world, a, c)
    assert c.core.paused_authors() == [b.me] and len(_files(c)) == 60
    assert len(c.store.held(Why.GUARD)) == 60
    # No: they are c's from now on, and come to all.
    c.core.keep_against(b.me)
    world.heal()
    world.check()
    assert len(_files(a)) == 60 and not c.core.paused_authors()


def test_a_yes_lets_them_go() -> None:
    world = _world(3)
    a, b, c = world.devices
    for number in range(60):
        _write(b, f"file {number}", f"content {number}")
    _meet(world, b, c)
    world.take_out(b, a)
    for _ in range(3):
        _meet(world, a, c)
    c.core.allow(b.me, c.core.highest(b.me))
    world.heal()
    world.check()
    assert not _files(c) and len(c.disk.versions) == 60


def test_what_stood_there_counts_however_old_it_is() -> None:
    world = _world(3)
    a, b, c = world.devices
    _write(a, "x", "by a")
    world.heal()
    world.collect()
    _write(b, "x", "late", 9)
    _meet(world, b, c)
    world.take_out(b, a)
    world.heal()
    world.check()
    assert _files(c) == {"x": "by a"} == _files(a), "it is no deletion that was forgotten"


def test_who_reads_only_goes_back_as_well() -> None:
    world = _world(4, readers=1)
    a, b, c, r = world.devices
    _write(a, "x", "by a")
    world.heal()
    _write(b, "x", "late", 9)
    _meet(world, b, r)
    world.take_out(b, a)
    world.heal()
    world.check()
    assert _files(r) == {"x": "by a"} and b"late" in r.disk.versions.values() and _files(c) == _files(r)
