"""Losses add up over an hour, also over scans and restarts, and wait a moment so that one `rm` is seen whole."""

from __future__ import annotations

from tests.syncsim.device import Device
from tests.syncsim.disk import Node
from tests.syncsim.world import NONE, World

from wildbach.protocol.sync.entries import EntryKind
from wildbach.services.sync.guards import SETTLE_MOST, SETTLE_SECONDS, WINDOW_SECONDS
from wildbach.services.sync.planner import Why


def made(files: int, *, settle: bool = False) -> tuple[World, Device, Device]:
    """Two devices with so many files, in step."""
    world = World(int(settle), devices=2, trouble=NONE)
    a, b = world.devices
    for each in range(files):
        a.disk.put(f"f{each:03}", Node(EntryKind.FILE, b"%d" % each))
    world.heal()
    return world, a, b


def look(world: World, device: Device) -> None:
    world.scan(device)
    while world.work(device):
        pass


def tell(world: World, source: Device, target: Device) -> None:
    world.pull(target, source)
    world.deliver()
    look(world, target)


def restart(device: Device) -> None:
    device.core = device._core()


def files(device: Device) -> int:
    return sum(node.kind is EntryKind.FILE for _, node in device.disk.walk())


def test_a_slow_deletion_is_counted_over_scans_and_restarts() -> None:
    world, a, b = made(100)
    for each in range(100):
        a.disk.remove(f"f{each:03}")
        if each % 10 == 9:
            restart(a)
            world.now += 60
            look(world, a)
            tell(world, a, b)
    assert a.core.paused and a.core.gone_before == 40
    assert files(b) == 60, "what went before the guard asked has gone, and nothing more"
    restart(a)
    assert a.core.paused and a.core.gone_before == 40 and len(a.store.held(Why.NOT_SCANNED)) == 60
    a.core.bring_back()
    world.heal()
    assert files(a) == files(b) == 60 and not a.core.gone_before
    a.disk.remove("f099")
    world.heal()
    assert files(b) == 59, "what was answered is not counted again"


def test_what_went_more_than_an_hour_ago_is_not_counted_and_a_clock_that_goes_back_forgets_nothing() -> None:
    world, a, b = made(100)
    for each in range(40):
        a.disk.remove(f"f{each:03}")
    look(world, a)
    world.now += WINDOW_SECONDS + 1
    for each in range(40, 60):
        a.disk.remove(f"f{each:03}")
    look(world, a)
    assert not a.core.paused
    world.now -= 10 * WINDOW_SECONDS
    for each in range(60, 90):
        a.disk.remove(f"f{each:03}")
    look(world, a)
    assert a.core.paused and a.core.gone_before == 20
    tell(world, a, b)
    assert b.core.paused_authors() == [a.me] and files(b) == 100, "60 at once are counted on the other side too"


def test_a_file_that_comes_back_was_not_lost() -> None:
    world, a, _ = made(100)
    for turn in range(8):
        kept = {f"f{each:03}": a.disk.get(f"f{each:03}") for each in range(10 * turn, 10 * turn + 10)}
        for path in kept:
            a.disk.remove(path)
        look(world, a)
        for path, node in kept.items():
            assert node is not None
            a.disk.put(path, Node(EntryKind.FILE, node.data))
        look(world, a)
    assert not a.core.paused


def test_deletions_wait_until_it_is_quiet_and_edits_and_moves_do_not() -> None:
    world, a, b = made(100, settle=True)
    a.disk.remove("f000")
    a.disk.move("f001", "moved")
    a.disk.put("new", Node(EntryKind.FILE, b"new"))
    look(world, a)
    tell(world, a, b)
    there = {path for path, _ in b.disk.walk()}
    assert {"f000", "moved", "new"} <= there and "f001" not in there
    assert 0 < a.core.settling(a.clock(world.now)) <= SETTLE_SECONDS
    world.now += SETTLE_SECONDS
    look(world, a)
    tell(world, a, b)
    assert "f000" not in {path for path, _ in b.disk.walk()} and not a.core.settling(a.clock(world.now))


def test_a_directory_that_goes_waits_with_its_files() -> None:
    world, a, b = made(10, settle=True)
    a.disk.put("d", Node(EntryKind.DIR))
    a.disk.put("d/x", Node(EntryKind.FILE, b"x"))
    world.heal()
    a.disk.remove("d/x")
    a.disk.remove("d")
    look(world, a)
    tell(world, a, b)
    assert a.disk.get("d") is None and b.disk.get("d/x") is not None
    world.now += SETTLE_SECONDS
    look(world, a)
    tell(world, a, b)
    assert b.disk.get("d") is None and "d" not in {path for path, _ in a.disk.walk()}


def test_one_rm_that_several_scans_see_is_asked_about_as_a_whole() -> None:
    world, a, b = made(100, settle=True)
    for each in range(70):
        a.disk.remove(f"f{each:03}")
        world.now += 0.1
        look(world, a)
    assert a.core.paused and a.core.gone_before == 0
    tell(world, a, b)
    assert files(b) == 100
    a.core.allow_own()
    look(world, a)
    tell(world, a, b)
    assert b.core.paused_authors() == [a.me] and files(b) == 100


def test_deletions_that_do_not_end_are_told_nevertheless() -> None:
    world, a, b = made(300, settle=True)
    for each in range(40):
        a.disk.remove(f"f{each:03}")
        world.now += 0.5
        look(world, a)
    tell(world, a, b)
    assert 300 - files(b) >= SETTLE_MOST / 0.5 - 1


def test_a_clock_that_jumps_does_not_hold_deletions_back() -> None:
    world, a, b = made(10, settle=True)
    a.disk.remove("f000")
    look(world, a)
    world.now -= 1e8
    look(world, a)
    tell(world, a, b)
    assert files(b) == 9


def test_whose_losses_wait_is_known_after_a_restart() -> None:
    world, a, b = made(100)
    for each in range(60):
        a.disk.remove(f"f{each:03}")
    look(world, a)
    a.core.allow_own()
    look(world, a)
    tell(world, a, b)
    assert b.core.paused_authors() == [a.me]
    restart(b)
    b.core.set_policy(b.policy)  # as a start does: all that was held is looked at again
    look(world, b)
    assert b.core.paused_authors() == [a.me] and files(b) == 100 and len(b.store.held(Why.GUARD)) == 60
    b.core.allow(a.me, a.store.number("sequence"))
    restart(b)
    look(world, b)
    assert files(b) == 40 and not b.core.paused_authors()


def test_losses_by_another_device_add_up_over_a_restart() -> None:
    world, a, b = made(100)
    for each in range(60):
        a.disk.remove(f"f{each:03}")
        if each % 20 == 19:
            # Its own guard is of no help: it is played by somebody who answers it at once.
            look(world, a)
            a.core.allow_own()
            look(world, a)
            tell(world, a, b)
            restart(b)
    assert b.core.paused_authors() == [a.me] and files(b) == 60
    b.core.keep_against(a.me)
    restart(b)
    world.heal()
    assert not b.core.paused_authors() and files(a) == files(b) == 60
