"""Three owners change who has a folder while they are apart: all devices end with one epoch and the same folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.syncsim.owners import Owners, owners, play

from wildbach.protocol.sync.writing import Changes
from wildbach.services.sync.merging import WAIT_SECONDS
from wildbach.testing.loop import sim


def test_who_removed_different_devices_apart_have_new_keys_by_themselves_from_the_highest_who_is_there(
        tmp_path: Path) -> None:
    async def story() -> None:
        async with owners(tmp_path, 1) as world:
            a, b, c = (world.desks[name] for name in "abc")
            world.groups.update(a=1, b=2, c=3, m=4, x0=4, x1=4, x2=4)
            await world.run(5)
            for owner, gone in ((a, "x0"), (b, "x1"), (c, "x2")):
                owner.amend(Changes(remove=(world.desks[gone].id,)))
            # The highest owner stays away: the next one waits for it only while it is there.
            world.groups.update(b=0, c=0, m=0)
            began = world.now
            await world.run(10)
            assert world.merges == 1 and world.now - began < WAIT_SECONDS
            assert b.membership.epoch == 2 == c.membership.epoch == world.desks["m"].membership.epoch
            b.end()
            b.start()
            await world.heal()
            world.check()
            assert world.merges == 2 and a.membership.epoch == 3
            assert {each.name for each in a.membership.view.state.members.values()} == {"a", "b", "c", "m"}
    sim(1).run(story())


def played(place: Path, seed: int) -> Owners:
    place.mkdir()
    return sim(seed).run(play(place, seed))


def test_however_owners_act_apart_all_end_with_one_epoch_and_the_same_folder(tmp_path: Path) -> None:
    world = played(tmp_path / "one", 2)
    assert world.apart == 2 and world.merges > 0


@pytest.mark.goal
def test_many_times_apart_end_with_one_epoch_and_the_same_folder(tmp_path: Path) -> None:
    merges = [played(tmp_path / str(seed), seed).merges for seed in range(100, 130)]
    assert sum(merges) > 20  # else nothing of what it is about happened
