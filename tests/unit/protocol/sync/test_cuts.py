from __future__ import annotations

from hashlib import sha256

from tests.rosterbed import Bed, Desk, keys_of

from wildbach.base import limits
from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.cuts import Accepted, Verdict, entry_hash, judge, lists_wanted, owed
from wildbach.protocol.sync.roster import Cut, Role
from wildbach.protocol.sync.writing import Changes

D = keys_of("d").id
ENTRIES = [sha256(b"entry %d" % number).digest() for number in range(8)]
EMPTY: dict[bytes, Accepted] = {}


def team() -> tuple[Bed, Desk, Desk]:
    bed = Bed()
    bed.a.add("b", role=Role.OWNER)
    bed.a.add("d")
    bed.a.add("r", role=Role.READ_ONLY)
    return bed, bed.a, bed.desk("b", bed.a)


def revoke(desk: Desk, hashes: list[bytes], upto: int) -> Accepted:
    found = Accepted(frozenset(hashes))
    desk.sign(Changes(remove=(D,), cuts={D: found.cut(D, upto)}))
    return found


def verdict(desk: Desk, lists: dict[bytes, Accepted], author: DeviceId, seq: int, each: bytes, epoch: int = 0) -> str:
    return judge(desk.view, lists, author, epoch, seq, each).value


def test_who_writes_is_accepted_and_who_only_reads_is_not() -> None:
    _, a, _ = team()
    assert verdict(a, EMPTY, D, 1, ENTRIES[0]) == "accepted"
    assert verdict(a, EMPTY, keys_of("r").id, 1, ENTRIES[0]) == "refused"
    assert verdict(a, EMPTY, keys_of("stranger").id, 1, ENTRIES[0]) == "undecided"
    assert verdict(a, EMPTY, D, 1, ENTRIES[0], epoch=1) == "undecided"


def test_of_who_was_removed_only_what_the_list_names_counts() -> None:
    _, a, _ = team()
    kept = revoke(a, ENTRIES[:3], 30)
    lists = {kept.root: kept}
    assert [verdict(a, lists, D, 10 * (at + 1), each) for at, each in enumerate(ENTRIES[:4])] == [
        "accepted", "accepted", "accepted", "refused"]
    # Filled in later, signed twice with one sequence, dated to the new epoch: no list names them.
    for seq, epoch in ((5, 0), (10, 0), (31, 0), (10, 1)):
        assert verdict(a, lists, D, seq, ENTRIES[7], epoch) == "refused"
    # A hash that the list has, with another sequence than any that was accepted.
    assert verdict(a, lists, D, 31, ENTRIES[0]) == "refused"


def test_before_the_list_is_here_nothing_is_decided_but_what_no_list_can_name() -> None:
    _, a, _ = team()
    kept = revoke(a, ENTRIES[:3], 30)
    assert [cut.root for cut in lists_wanted(a.view, EMPTY)] == [kept.root]
    assert verdict(a, EMPTY, D, 30, ENTRIES[0]) == "waits"
    assert verdict(a, EMPTY, D, 31, ENTRIES[0]) == "refused"
    assert lists_wanted(a.view, {kept.root: kept}) == ()


def test_the_lists_of_two_who_removed_it_both_count() -> None:
    _, a, b = team()
    one, two = revoke(a, ENTRIES[:2], 20), revoke(b, ENTRIES[1:4], 40)
    a.hear(b)
    b.hear(a)
    lists = {one.root: one, two.root: two}
    for desk in (a, b):
        assert [verdict(desk, lists, D, 10 * (at + 1), each) for at, each in enumerate(ENTRIES[:5])] == [
            "accepted", "accepted", "accepted", "accepted", "refused"]
    assert verdict(a, {one.root: one}, D, 30, ENTRIES[2]) == "waits"


def test_who_comes_back_writes_again_and_what_it_signed_meanwhile_does_not_count() -> None:
    _, a, _ = team()
    kept = revoke(a, ENTRIES[:1], 10)
    a.add("d")
    lists = {kept.root: kept}
    assert verdict(a, lists, D, 10, ENTRIES[0]) == "accepted"
    assert verdict(a, lists, D, 11, ENTRIES[1]) == "refused"
    assert verdict(a, lists, D, 12, ENTRIES[2], epoch=1) == "accepted"


def test_nothing_was_accepted() -> None:
    _, a, _ = team()
    a.remove("d")
    assert verdict(a, EMPTY, D, 1, ENTRIES[0]) == "refused"
    assert lists_wanted(a.view, EMPTY) == ()


def test_the_list_of_a_void_removal_does_not_count() -> None:
    _bed, a, b = team()
    planted = revoke(b, ENTRIES[:3], 30)
    a.remove("b")
    a.hear(b)
    assert a.view.member(D) is not None
    assert D not in a.view.cuts
    assert lists_wanted(a.view, EMPTY) == ()
    assert verdict(a, {planted.root: planted}, b.id, 1, ENTRIES[0]) == "refused"


def test_a_false_count_does_not_take_the_place_of_a_list_and_short_lists_come_first() -> None:
    _, a, b = team()
    kept = Accepted(frozenset(ENTRIES[:3]))
    for desk, cut in ((a, kept.cut(D, 30)), (b, Cut(D, 30, 2, kept.root))):
        desk.sign(Changes(remove=(D,), cuts={D: cut}))
    a.hear(b)
    assert [cut.count for cut in lists_wanted(a.view, EMPTY)] == [2, 3]


def test_an_entry_is_named_by_the_hash_of_its_bytes() -> None:
    assert entry_hash(b"x") == sha256(b"x").digest()


def test_secrets_of_before_are_owed_to_who_was_away_for_half_a_year() -> None:
    bed, a, b = team()
    assert owed(a.rosters, (), {}, 0) == ()
    a.remove("d")
    old = bed.secret.commit
    replaced = {old: 1000.0}
    (one,) = owed(a.rosters, {a.id}, replaced, 1000.0)
    assert (one.commit, set(one.devices)) == (old, {b.id, keys_of("r").id})
    (one,) = owed(a.rosters, {a.id, b.id}, replaced, 1000.0 + limits.SYNC_REKEY_SECONDS - 1)
    assert one.devices == (keys_of("r").id,)
    assert owed(a.rosters, {a.id, b.id}, replaced, 1000.0 + limits.SYNC_REKEY_SECONDS) == ()
    assert owed(a.rosters, {a.id, b.id, keys_of("r").id}, replaced, 1000.0) == ()
    # Who came later never had it.
    a.add("late")
    (one,) = owed(a.rosters, {a.id, b.id}, replaced, 1000.0)
    assert one.devices == (keys_of("r").id,)


def test_a_cut_is_of_a_device() -> None:
    assert Accepted(frozenset()).cut(D, 0) == Cut(D, 0, 0, b"")
    assert Verdict.ACCEPTED.value == "accepted"
