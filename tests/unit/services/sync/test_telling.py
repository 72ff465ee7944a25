"""Who is told of what: members that were away while the keys changed, devices that were taken out, and strangers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from hostile import Member, root_of, until
from house import House, Work, housed
from rosterbed import keys_of
from wildbach.protocol.sync.messages import (
    Bundled,
    Entries,
    Hello,
    Index,
    Message,
    RosterHeads,
    Rosters,
    RosterWanted,
    Status,
)
from wildbach.protocol.sync.roster import Role, roster_hash
from wildbach.protocol.sync.writing import Changes, Newcomer
from wildbach.services.sync.membership import Membership


@pytest.fixture
def house(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Callable[[Work], None]:
    return housed(tmp_path, caplog)


async def amend(here: House, changes: Changes) -> None:
    """As the owner, whose client it is; the friend hears of it, and goes on."""
    membership, folder = here.folder.membership, here.folder

    def work() -> None:
        membership.amend(changes, Random(membership.epoch).randbytes)
        folder.roster_changed()

    await folder.call(work)
    here.friend.close()
    here.friend.learn()
    await here.friend.ready()


def kinds(member: Member) -> set[type[Message]]:
    return {type(each) for each in member.heard}


def given(member: Member) -> set[bytes]:
    """Names of the rosters that it got."""
    return {roster_hash(raw) for each in member.heard if isinstance(each, Rosters) for raw in each.rosters}


async def refused(member: Member) -> None:
    """It asks for all that there is, by every way."""
    stream = member.bundles()
    stream.say(Bundled(member.tag, 1, ((root_of(b"one"), 3),)))
    content = member.content(root_of(b"one"), 3)
    member.claim(1)
    member.tell(member.entry("evil"))
    member.say(Status(member.tag, "idle", 0, 0))
    await until(lambda: stream.over and content.closing)
    assert stream.got == []


def test_who_has_keys_of_two_epochs_ago_gets_rosters_alone_and_all_when_it_has_the_new_ones(
        house: Callable[[Work], None]) -> None:
    async def work(here: House) -> None:
        rw, rosters = here.rw, here.folder.membership.rosters
        for gone in (here.ro.id, keys_of("x").id):
            await amend(here, Changes(
                add=(Newcomer(keys_of("x").public, Role.READ_ONLY, "x", b"x" * 32),) if gone == here.ro.id else (),
                remove=(gone,)))
        assert here.folder.membership.epoch == 2
        await rw.met()
        await until(lambda: RosterHeads in kinds(rw))
        await refused(rw)
        (heads,) = (each for each in rw.heard if isinstance(each, RosterHeads))
        assert heads.heads == here.folder.membership.view.heads
        rw.say(RosterWanted(rw.tag, heads.heads))
        await until(lambda: bool(given(rw)))
        rw.say(RosterHeads(rw.tag, (here.folder.id,)))
        await until(lambda: len(given(rw)) == len(rosters) - 1)
        await here.sound()
        assert kinds(rw) == {Hello, RosterHeads, Rosters} and rw.id not in here.folder.links
        assert here.theirs() == {}
        rw.close()
        rw.learn()
        await rw.ready()
        rw.tell(rw.entry("by rw", b"good"))
        await until((here.path / "by rw").exists)
        assert rw.id in here.folder.links
        await until(lambda: Entries in kinds(rw))
        rw.close()
    house(work)


def test_who_was_taken_out_gets_the_roster_that_says_so_and_nothing_of_later(house: Callable[[Work], None]) -> None:
    async def work(here: House) -> None:
        rw, membership = here.rw, here.folder.membership
        before = membership.view.heads
        await amend(here, Changes(remove=(rw.id,)))
        removal = membership.view.heads
        await amend(here, Changes(add=(Newcomer(keys_of("new").public, Role.READ_WRITE, "new one", b"n" * 32),)))
        await amend(here, Changes(remove=(keys_of("new").id,)))
        later = membership.view.heads
        # The secret of before is still known here, for `ro`, which was away.
        await rw.met()
        await until(lambda: RosterHeads in kinds(rw))
        assert [each.heads for each in rw.heard if isinstance(each, RosterHeads)] == [removal]
        assert [each.name for each in rw.heard if isinstance(each, Hello)] == [""]
        await refused(rw)
        rw.say(RosterWanted(rw.tag, (*later, *removal)))
        await until(lambda: bool(given(rw)))
        assert given(rw) == set(removal)
        rw.say(RosterHeads(rw.tag, before))
        rw.say(RosterHeads(rw.tag, later), RosterWanted(rw.tag, later))
        await here.sound()
        assert given(rw) == set(removal) and kinds(rw) == {Hello, RosterHeads, Rosters}
        # With what it has it knows for itself that it is taken out.
        assert membership.rosters.removals(rw.id) == removal
        assert here.theirs() == {}
        rw.close()
    house(work)


def test_who_is_on_no_roster_here_learns_nothing_but_names_of_rosters_and_is_heard(
        house: Callable[[Work], None]) -> None:
    async def work(here: House) -> None:
        membership: Membership = here.folder.membership
        heads = membership.view.heads
        new = Member("new", here.api, here.folder)
        new.secret = here.rw.secret
        await new.met()
        await until(lambda: RosterHeads in kinds(new))
        await refused(new)
        new.say(RosterHeads(new.tag, (here.folder.id,)), RosterWanted(new.tag, heads))
        # It may know of rosters that are not here, and is asked for them.
        new.say(RosterHeads(new.tag, (b"h" * 32,)))
        await until(lambda: RosterWanted in kinds(new))
        await here.sound()
        assert kinds(new) == {Hello, RosterHeads, RosterWanted} and given(new) == set()
        # It is taken in while it is connected: it need not come again.
        await new.listed(Role.READ_WRITE)
        await until(lambda: Index in kinds(new))
        assert new.id in here.folder.links
        new.close()
    house(work)
