"""Members with valid keys that break rules, against a whole client: it loses nothing, and goes on with the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from hostile import Member, inside, root_of, until
from house import House, Work, housed
from rosterbed import keys_of
from wildbach.base import limits
from wildbach.base.ids import DeviceId, FolderId
from wildbach.interfaces.api import syncmodels as sy
from wildbach.protocol import bencode
from wildbach.protocol.sync import messages
from wildbach.protocol.sync.entries import EntryKind
from wildbach.protocol.sync.messages import (
    Ack,
    Bundle,
    Bundled,
    Entries,
    Hello,
    Index,
    RosterHeads,
    Rosters,
    RosterWanted,
    Status,
    Whereabouts,
)
from wildbach.protocol.sync.roster import Role, roster_hash
from wildbach.protocol.sync.vectors import VersionVector
from wildbach.protocol.sync.writing import Changes, Newcomer
from wildbach.services.sync import folder as folders
from wildbach.services.sync.membership import Membership


@pytest.fixture
def house(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Callable[[Work], None]:
    return housed(tmp_path, caplog)


def made_by(member: Member, membership: Membership) -> bytes:
    """A roster in which a member that is no owner makes itself one."""
    head = membership.rosters.roster(membership.view.heads[0])
    assert head is not None
    members = tuple(replace(each, role=Role.OWNER, rank=head.next_rank) if each.id == member.id else each
                    for each in head.members)
    made = replace(head, folder=membership.folder, predecessors=membership.view.heads, members=members,
                   next_rank=head.next_rank + 1, signer=member.id)
    return made.signed_with(member.keys).pack()


def test_entries_that_their_author_may_not_sign_do_not_count(house: Callable[[Work], None]) -> None:
    async def work(here: House) -> None:
        ro, rw, me = here.ro, here.rw, here.folder.membership.me
        await ro.ready()
        ro.tell(ro.entry("of ro"), replace(ro.entry("a.txt"), deleted=True).sign(here.folder.id, ro.keys.signing))
        await here.sound()
        assert here.theirs() == {} and not ro.over
        ro.close()
        other = FolderId(b"o" * 32)
        epoch = here.folder.membership.epoch
        for bad in (
            rw.entry("x", author=me), rw.entry("x", author=here.friend.id), replace(rw.entry("x"), signature=bytes(64)),
            rw.entry("x").sign(other, rw.keys.signing), replace(rw.entry("x"), path="y"),
            replace(rw.entry("x"), mtime_ns=5),
        ):
            await rw.ready()
            rw.tell(rw.entry("beside"), bad)
            await until(lambda: rw.over)
        # Of an epoch that nobody knows, and of nobody that a roster names: it is not known yet what they are.
        for early in (rw.entry("x", epoch=epoch + 1), rw.entry("x", author=DeviceId(b"n" * 16))):
            await rw.ready()
            rw.tell(rw.entry("beside"), early)
            await here.sound()
            rw.close()
        assert here.theirs() == {}
    house(work)


PATHS = (
    b"../outside/secret", b"/etc/passwd", b"a/../../outside/x", b".wildbach/id", b".WILDBACH/id", b"d//x", b"./x", b"",
    b"x\0y", b"\xff", b"e\xcc\x81", b"x" * 300, b"/".join([b"d"] * 200), b"d/.", b"\xed\xa0\x80",
)


@pytest.mark.parametrize("paths", [PATHS[:5], PATHS[5:10], PATHS[10:]])
def test_paths_with_tricks_end_the_connection(house: Callable[[Work], None], paths: tuple[bytes, ...]) -> None:
    async def work(here: House) -> None:
        rw = here.rw
        for path in paths:
            fields = bencode.decode(rw.entry("path").pack())
            assert isinstance(fields, dict)
            fields[b"p"] = path
            signature = fields.pop(b"~")
            signature = rw.keys.sign(b"wildbach sync entry 1\0" + here.folder.id + bencode.encode(fields))
            await rw.ready()
            rw.tell(bencode.encode({**fields, b"~": signature}))
            await until(lambda: rw.over)
        assert here.theirs() == {}
    house(work)


def test_nothing_is_written_through_a_link(house: Callable[[Work], None]) -> None:
    async def work(here: House) -> None:
        rw, outside = here.rw, here.path.parent / "outside"
        await rw.ready()
        link = {"kind": EntryKind.LINK, "size": 0, "root": b"", "target": str(outside)}
        rw.tell(rw.entry("link", **link))
        await until((here.path / "link").is_symlink)
        rw.tell(rw.entry("link/secret", b"evil"), rw.entry("e", **link), rw.entry("e/x", b"evil"))
        await here.sound()
        rw.tell(rw.entry("link/secret", b"", deleted=True))
        await here.sound()
        assert inside(outside) == {"secret": b"secret"}
        rw.close()
    house(work)


def test_counters_at_the_top_and_vectors_of_made_up_devices_do_not_stop_what_is_signed_here(
        house: Callable[[Work], None]) -> None:
    async def work(here: House) -> None:
        rw, me = here.rw, here.folder.membership.me
        top = limits.SYNC_COUNTER
        await rw.ready()
        rw.tell(*(
            rw.entry(f"top {at}", b"%d" % at, vector=VersionVector({rw.id: 5, me: mine}), seq=top - 9 + at)
            for at, mine in enumerate((top, top - 1, top - (1 << 40), 1 << 45))))
        await until(lambda: len(here.theirs()) == 4)
        for at in range(4):
            (here.path / f"top {at}").write_bytes(b"mine")
        await here.sound()
        # What was saved there is signed where it can be, and stays in any case; other paths go on without an end.
        for _ in range(3):
            (here.path / "own 0").write_bytes(b"again %d" % here.count)
            await here.sound()
        heads = await here.folder.call(lambda: here.folder.store.world.get("own 0"))
        assert heads[0].author == me and heads[0].root == root_of((here.path / "own 0").read_bytes())
        assert set(here.theirs().values()) == {b"mine"}
        rw.close()
        # As many devices as a vector takes: it waits for a roster that names them, and never comes to a file of ours.
        full = VersionVector({rw.id: 1, **{DeviceId(b"%016d" % at): 1 for at in range(limits.SYNC_DEVICES - 1)}})
        await rw.ready()
        rw.tell(rw.entry("full", b"full", vector=full))
        await here.sound()
        assert not (here.path / "full").exists()
        rw.close()
    house(work)


def test_a_path_has_a_few_heads_of_an_author_and_old_ones_bring_nothing_back(house: Callable[[Work], None]) -> None:
    async def work(here: House) -> None:
        rw = here.rw
        await rw.ready()
        first = rw.entry("gone", b"first")
        rw.tell(first)
        await until((here.path / "gone").exists)
        (here.path / "gone").unlink()
        here.folder.look()
        await until(lambda: any(
            b"gone" in row and b"1:di1e" in row for each in rw.heard if isinstance(each, Entries)
            for row in each.entries))
        rw.tell(first)
        rw.close()
        await rw.ready()
        rw.rows = 0
        rw.index = b"anew...."
        rw.tell(first)
        await here.sound()
        assert not (here.path / "gone").exists()
        for at in range(3):
            rw.tell(*(rw.entry("many", b"%d %d" % (at, n), vector=VersionVector(
                {rw.id: 5000 - at * 500 - n, here.friend.id: 1 + at * 500 + n})) for n in range(300)))
        await here.sound()
        heads = await here.folder.call(lambda: here.folder.store.world.get("many"))
        assert 0 < len(heads) <= limits.SYNC_HEADS
        rw.close()
    house(work)


def test_a_roll_back_is_claimed_once_and_costs_nothing_for_long(house: Callable[[Work], None]) -> None:
    async def work(here: House) -> None:
        ro, far = here.ro, 1 << 40
        ends = 0
        names = set()
        for _ in range(8):
            await ro.ready()
            (said,) = [each for each in ro.heard if isinstance(each, Index)]
            names.add(said.index)
            ro.claim(0, far, said.index)
            await here.sound()
            ends += ro.over
            ro.close()
        assert len(names) == 2 and ends == 7
        # A file that the user deletes after that is deleted for the others too.
        (here.path / "own 1").unlink()
        here.folder.look()
        await until(lambda: any(
            b"own 1" in row and b"1:di1e" in row for each in here.friend.heard if isinstance(each, Entries)
            for row in each.entries))
    house(work)


def test_who_claims_a_roll_back_and_is_never_whole_holds_deletions_back_for_a_while(
        house: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(here: House) -> None:
        ro = here.ro
        monkeypatch.setattr(folders, "_COMPARE_SECONDS", 0.5)
        await ro.ready()
        ro.say(Index(ro.tag, ro.index, 9, next(each.index for each in ro.heard if isinstance(each, Index)), 1 << 40))
        ro.say(Entries(ro.tag, 0, 1, (), False))
        await here.sound()
        assert here.folder.store.number("cautious")

        def trusted() -> bool:
            here.folder.look()
            return not here.folder.store.number("cautious")

        await until(trusted)
        (here.path / "own 1").unlink()
        here.folder.look()
        await until(lambda: any(
            b"own 1" in row and b"1:di1e" in row for each in here.friend.heard if isinstance(each, Entries)
            for row in each.entries))
        ro.close()
    house(work)


def test_a_false_size_of_a_file_of_others_does_not_keep_it_away(house: Callable[[Work], None]) -> None:
    async def work(here: House) -> None:
        rw, content = here.rw, b"true"
        await rw.ready()
        rw.tell(*(rw.entry(f"{at} false", content, size=size) for at, size in enumerate((3, 7, 100_000))),
                rw.entry("true", content))
        await until(lambda: here.theirs() == {"true": content})
        await here.sound()
        assert here.theirs() == {"true": content}
        rw.close()
    house(work)


def test_rows_that_do_not_follow_or_are_never_whole_hold_up_nobody(house: Callable[[Work], None]) -> None:
    async def work(here: House) -> None:
        rw = here.rw
        await rw.ready()
        for at in range(40):
            rw.say(Entries(rw.tag, at, at + 1, (b"",) * 1000, False))
        rw.tell(rw.entry("never"), whole=False)
        await here.sound()
        rw.say(Entries(rw.tag, 7_000, 7_001, (rw.entry("x").pack(),)))
        await until(lambda: rw.over)
        assert here.theirs() == {}
    house(work)


def test_garbage_in_the_place_of_rows_and_messages_ends_the_connection(house: Callable[[Work], None]) -> None:
    async def work(here: House) -> None:
        ro = here.ro
        for payload in (
            b"x", b"de", b"l" * 1000, bencode.encode({b"t": b"entries", b"f": b"x"}),
            messages.encode(Entries(b"t" * 8, 3, 3, ()))[:-1],
            messages.encode(Bundle(1, (b"x",))),
            bencode.encode({b"t": b"hello", b"p": [b"p" * 32] * 7, b"n": b"", b"c": b""}),
            bencode.encode({b"t": b"hello", b"p": [b"p" * 32] * 4096, b"n": b"", b"c": b""}),
        ):
            await ro.ready()
            ro.raw(payload)
            await until(lambda: ro.over)
        for say in (
            lambda: ro.tell(b"x"), lambda: ro.tell(b"", b""), lambda: ro.say(Whereabouts(ro.tag, (b"x" * 1000,))),
            lambda: ro.say(Rosters(ro.tag, (b"x",))),
            lambda: ro.say(Ack(ro.tag, here.friend.id, 0, VersionVector({ro.id: 1}), bytes(64))),
        ):
            await ro.ready()
            say()
            await until(lambda: ro.over)
    house(work)


def test_what_is_of_no_folder_of_an_unknown_kind_or_much_too_long_is_passed_over(house: Callable[[Work], None]) -> None:
    async def work(here: House) -> None:
        ro = here.ro
        await ro.ready()
        ro.raw(bencode.encode({b"t": b"from the future", b"x" * 5000: [b"y"] * 100}))
        ro.say(
            Status(b"nobody's", "idle", 0, 0), Entries(b"nobody's", 0, 1, (b"x",)),
            Index(b"nobody's", b"i" * 8, 1, b"j" * 8, 9))
        name = ("\x1b[31m" + "n" * 100_000).encode()
        ro.raw(bencode.encode({b"t": b"hello", b"p": [b"p" * 32] * 8, b"n": name, b"c": name}))
        ro.raw(bencode.encode({
            b"t": b"status", b"f": ro.tag, b"s": name[:9000], b"n": 1 << 60, b"o": 1 << 60, b"w": name}))
        await here.sound()
        told = here.folder.told[ro.id]
        assert not ro.over and len(told.state) <= 32 and len(told.why) <= 200 and "\x1b" not in told.state
        session = here.folder.links[ro.id].session
        assert len(session.name) <= limits.SYNC_NAME_CHARS and "\x1b" not in session.name
        ro.close()
    house(work)


def test_who_may_not_write_makes_nobody_say_that_it_has_all(house: Callable[[Work], None]) -> None:
    async def work(here: House) -> None:
        folder, top = here.folder, limits.SYNC_COUNTER
        exchange = folder._exchange
        for member, more in ((here.ro, 0), (here.ro, limits.SYNC_DEVICES - 1), (here.rw, limits.SYNC_DEVICES - 1)):
            await member.ready()
            lie = Ack(member.tag, member.id, 0, VersionVector({
                here.friend.id: top, **{DeviceId(b"%016d" % at): 1 for at in range(more)}}), b"")
            member.say(replace(lie, signature=member.keys.sign(exchange._signed(lie))))
            member.tell()
            await here.sound()
            have = await folder.call(exchange.have)
            assert len(have.counters) <= 4 and not member.over
            if member is here.ro:
                assert have.counter(here.friend.id) < top
            member.close()
        # An acknowledgement is of one folder and one device.
        for forged in (
            replace(lie, device=here.friend.id),
            replace(lie, signature=here.rw.keys.sign(b"wildbach sync ack 1\0" + bytes(32) + lie.upto.pack())),
        ):
            await here.rw.ready()
            here.rw.say(replace(forged, tag=here.rw.tag, signature=forged.signature or bytes(64)))
            await until(lambda: here.rw.over)
    house(work)


def test_rosters_that_it_may_not_make_change_nothing_and_asking_for_them_costs_little(
        house: Callable[[Work], None]) -> None:
    async def work(here: House) -> None:
        ro, folder = here.ro, here.folder
        membership = folder.membership
        heads = membership.view.heads
        evil = made_by(ro, membership)
        await ro.ready()
        ro.say(Rosters(ro.tag, (evil,)))
        await until(lambda: ro.over)
        assert membership.view.heads == heads
        # Rosters of many devices are longer than a message when they come together.
        await folder.call(lambda: membership.amend(Changes(add=tuple(
            Newcomer(keys_of(f"m{at}").public, Role.READ_ONLY, "x" * 60, b"%032d" % at) for at in range(200))),
            Random(1).randbytes))
        for at in range(20):
            await folder.call(lambda at=at: membership.amend(  # type: ignore[misc]  # bound at once
                Changes(names={keys_of("m0").id: f"name {at}"}), Random(at).randbytes))
        await folder.call(folder.roster_changed)
        await ro.ready()
        every = [roster_hash(raw) for raw in membership.rosters.all()]
        for _ in range(5):
            ro.say(RosterHeads(ro.tag, ()), RosterHeads(ro.tag, (b"h" * 32,) * 1000),
                   RosterWanted(ro.tag, tuple(every * 20)), RosterWanted(ro.tag, (b"h" * 32,) * 1024))
        await until(lambda: any(isinstance(each, Rosters) for each in ro.heard))
        await here.sound()
        assert not ro.over
        ro.close()
    house(work)


def test_who_was_taken_out_is_not_spoken_with(house: Callable[[Work], None]) -> None:
    async def work(here: House) -> None:
        rw = here.rw
        await rw.ready()
        late = rw.entry("late")
        await here.api.sync.revoke(here.api.sync.find("photos"), rw.id)
        await until(lambda: rw.id not in here.folder.links)
        rw.tell(late)
        rw.bundles().say(Bundled(rw.tag, 1, ((root_of(b"one"), 3),)))
        rw.close()
        # By the old secret, which is known for those that were away: and what it signed before does not count now.
        await rw.met()
        rw.tell(late)
        here.friend.close()
        here.friend.learn()
        await here.friend.ready()
        here.friend.tell(late)
        await here.sound()
        assert here.theirs() == {} and not any(isinstance(each, Index) for each in rw.heard)
        rw.close()
    house(work)


def test_content_goes_to_members_of_the_folder_that_has_it_and_in_moderation(
        house: Callable[[Work], None], tmp_path: Path) -> None:
    async def work(here: House) -> None:
        big = b"secret" * 100_000
        other = tmp_path / "other"
        other.mkdir()
        (other / "small").write_bytes(b"of another folder")
        (other / "big").write_bytes(big)
        await here.api.create_synced(sy.SyncMaking(str(other)))
        await until(lambda: here.api.sync.find("other").folder.standing.files == 2)
        ro = here.ro
        await ro.ready()
        stream = ro.bundles()
        roots = [(root_of(b"one"), 3), (root_of(b"of another folder"), 17), (root_of(b"one"), 4), (b"r" * 32, 5)]
        stream.say(Bundled(ro.tag, 1, tuple(roots)))
        await until(lambda: bool(stream.got))
        assert stream.got == [Bundle(1, (b"one", b"", b"", b""))]
        refused = [ro.content(root_of(big), len(big)), ro.content(b"r" * 32, 5), ro.content(root_of(b"one"), 4)]
        await until(lambda: all(each.closing for each in refused))
        # One channel for bundles is enough; who opens many gets no more of them.
        many = [ro.bundles() for _ in range(100)]
        await until(lambda: sum(each.over for each in many) == 97)
        assert len(here.folder.links[ro.id].bundling) == 4
        for _ in range(50):
            stream.say(Bundled(ro.tag, 2, ((root_of(b"one"), 3),) * 100))
        await until(lambda: ro.over or len(stream.got) == 51)
        await here.sound()
        ro.close()
        await ro.ready()
        for _ in range(200):
            ro.content(root_of(b"one"), 3)
        await here.sound()
        ro.close()
    house(work)


def test_bundles_of_other_files_than_asked_are_not_taken(house: Callable[[Work], None]) -> None:
    async def work(here: House) -> None:
        rw = here.rw
        for bad in (
            lambda asked: Bundle(asked.number, (b"EVIL",) * len(asked.files)),
            lambda asked: Bundle(asked.number, (b"longer than asked",) * len(asked.files)),
            lambda asked: Bundle(asked.number, (b"evil",) * (len(asked.files) + 1)),
            lambda asked: asked,
        ):
            await rw.ready()
            rw.answer = bad  # type: ignore[method-assign]  # it is evil
            rw.tell(rw.entry("evil", b"evil"))
            await until(lambda: rw.over)
            await here.sound()
        assert here.theirs() == {}
    house(work)


def test_who_does_not_answer_is_waited_for_once(
        house: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(here: House) -> None:
        rw = here.rw
        monkeypatch.setattr(limits, "SYNC_BUNDLE_SECONDS", 1.0)
        rw.silent = True
        for at in range(4):
            await rw.ready()
            rw.tell(rw.entry(f"never {at}", b"%d" % at))
            await here.sound()
            if at == 0:
                await until(lambda: rw.over)
            assert rw.over == (at == 0)
            rw.close()
        assert here.theirs() == {} and rw.asked == 1
    house(work)


def test_contents_that_cannot_be_are_not_waited_for(house: Callable[[Work], None]) -> None:
    async def work(here: House) -> None:
        rw = here.rw
        await rw.ready()
        rw.tell(
            rw.entry("vast", root=b"r" * 32, size=limits.SYNC_FILE_BYTES),
            rw.entry("large", root=b"s" * 32, size=1 << 49),
            rw.entry("zeros", root=bytes(32), size=10), rw.entry("zeros 2", root=bytes(32), size=1 << 30))
        await here.sound()
        await until(lambda: sum(here.folder.standing.held.values()) == 4)
        assert here.theirs() == {} and here.folder.transfers.coming == {}
        rw.close()
    house(work)


def test_floods_hold_up_nobody(house: Callable[[Work], None]) -> None:
    async def work(here: House) -> None:
        ro = here.ro
        await ro.ready()
        most = 0

        async def watch() -> None:
            nonlocal most
            while True:
                most = max(most, len(here.folder._inbox))
                await asyncio.sleep(0)

        watching = here.api.core.scope.spawn("watch", watch())
        hello = Hello(tuple(b"%032d" % at for at in range(limits.SYNC_PROOFS)))
        for at in range(3000):
            if ro.over:
                break
            ro.say(Status(ro.tag, "idle", at, at), RosterHeads(ro.tag, here.folder.membership.view.heads),
                   Index(ro.tag, b"%08d" % at, at, bytes(8), 0))
            if at % 300 == 0:
                ro.say(hello)
                await here.sound()
        await here.sound()
        watching.cancel()
        assert not ro.over and most < 200
        ro.close()
    house(work)
