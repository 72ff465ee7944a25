from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rosterbed import RECOVERY, Bed, Desk, forged, keys_of

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, UsageError
from wildbach.base.ids import FolderId
from wildbach.protocol.sync.recovery import RecoveryKey
from wildbach.protocol.sync.resolving import Why
from wildbach.protocol.sync.roster import Cut, Role, Roster, roster_hash
from wildbach.protocol.sync.rosters import Refused, Rosters, Taken
from wildbach.protocol.sync.secrets import ReadSecret
from wildbach.protocol.sync.writing import Changes, Newcomer, amend, create, held


def id_of(name: str) -> bytes:
    return keys_of(name).id


def team() -> tuple[Bed, Desk, Desk, Desk]:
    """Owners a, b and c, in this order; d writes, r reads, s stores."""
    bed = Bed()
    bed.a.add("b", "c", role=Role.OWNER)
    bed.a.add("d")
    bed.a.add("r", role=Role.READ_ONLY)
    bed.a.add("s", role=Role.STORE)
    return bed, bed.a, bed.desk("b", bed.a), bed.desk("c", bed.a)


def meet(*desks: Desk) -> None:
    for one in desks:
        for other in desks:
            one.hear(other)
    assert all(desk.view == desks[0].view for desk in desks)


# -- one after the other

def test_the_folder_is_the_hash_of_its_first_roster() -> None:
    bed = Bed()
    assert bed.a.rosters.folder == sha256(bed.first).digest()
    assert bed.a.names() == {"a"}
    assert bed.a.view.state.name == "Papers"
    assert held(bed.a.rosters, bed.a.keys).reads == {bed.secret.commit: bed.secret}


def test_each_role_is_given_the_secret_that_is_for_it() -> None:
    bed, a, _, _ = team()
    for name in ("a", "b", "c", "d", "r"):
        assert held(a.rosters, keys_of(name)).reads == {bed.secret.commit: bed.secret}
    store = held(a.rosters, keys_of("s"))
    assert store.reads == {}
    assert store.stores == {bed.secret.commit: bed.secret.store}
    assert held(a.rosters, keys_of("stranger")).stores == {}


def test_who_is_removed_does_not_get_the_new_secret_and_who_stays_keeps_the_old_ones() -> None:
    bed, a, _, _ = team()
    a.remove("d")
    a.remove("r")
    assert (a.view.state.epoch, len(a.view.state.members)) == (2, 4)
    assert set(held(a.rosters, keys_of("d")).stores) == {bed.secret.commit}
    assert len(held(a.rosters, keys_of("r")).reads) == 2
    assert len(held(a.rosters, keys_of("b")).reads) == 3
    a.add("late")
    # Who came after both reads what was written before, as all readers do.
    assert len(held(a.rosters, keys_of("late")).reads) == 3
    assert len(held(a.rosters, keys_of("s")).stores) == 3


def test_a_device_that_was_away_for_two_epochs_is_there_again() -> None:
    _, a, b, _ = team()
    away = b
    a.remove("d")
    a.remove("r")
    assert not away.reads() or away.view.state.epoch == 0
    for raw in a.rosters.after(away.view.heads):
        away.rosters.add(raw)
    assert away.view == a.view
    assert away.reads()


def test_one_who_may_only_store_from_now_on_is_not_given_what_it_could_read_with() -> None:
    _, a, _, _ = team()
    a.sign(Changes(roles={keys_of("d").id: Role.STORE}))
    assert a.view.state.epoch == 1
    assert a.view.state.commit not in held(a.rosters, keys_of("d")).reads
    assert a.view.state.commit in held(a.rosters, keys_of("d")).stores
    assert [cut.device for _, cut in a.view.cuts[keys_of("d").id]] == [id_of("d")]


def test_a_removed_device_can_be_listed_again() -> None:
    _, a, b, _ = team()
    a.remove("d")
    a.add("d")
    b.hear(a)
    assert b.view.state == a.view.state
    assert a.view.state.commit in held(a.rosters, keys_of("d")).reads


def test_an_owner_removes_itself_and_the_last_one_closes_the_folder() -> None:
    bed = Bed()
    bed.a.add("d")
    d = bed.desk("d", bed.a)
    bed.a.remove("a")
    d.hear(bed.a)
    assert d.view.closed
    assert d.names() == {"d"}
    with pytest.raises(UsageError, match="only owners"):
        d.add("x")
    d.take_over()
    assert not d.view.closed
    assert d.view.state.owners[0].id == d.id
    assert d.reads()


# -- forgery

def test_who_is_no_owner_changes_nothing() -> None:
    _, a, b, _ = team()
    raw = a.draft(Changes(add=(Newcomer(keys_of("x").public, Role.OWNER, "x"),)))
    for name in ("d", "r", "s", "x", "stranger"):
        with pytest.raises(Refused):
            b.rosters.add(forged(raw, keys_of(name)))
    assert "x" not in b.names()


def test_nobody_signs_in_the_name_of_another() -> None:
    _, a, b, _ = team()
    raw = a.draft(Changes(name="Mine"))
    for signer in (bytes(a.id), RECOVERY.public):
        with pytest.raises(Refused):
            b.rosters.add(forged(raw, keys_of("d"), signer=signer))


def test_a_changed_octet_is_no_roster() -> None:
    _, a, b, _ = team()
    raw = a.draft(Changes(name="Mine"))
    for at in range(0, len(raw), 7):
        changed = raw[:at] + bytes((raw[at] ^ 1,)) + raw[at + 1 :]
        try:
            taken = b.rosters.add(changed)
        except FormatError:
            continue
        assert taken is Taken.WAITING
    assert b.view.state.name == "Papers"


def test_a_lower_owner_does_not_remove_a_higher_one() -> None:
    _, a, b, c = team()
    with pytest.raises(UsageError, match="stands above"):
        c.remove("b")
    with pytest.raises(UsageError, match="stands above"):
        c.sign(Changes(roles={keys_of("a").id: Role.READ_ONLY}))
    with pytest.raises(Refused, match="above"):
        b.rosters.add(forged(a.draft(Changes(remove=(keys_of("b").id,))), c.keys))


def test_any_owner_says_what_devices_are_called_and_no_seat_changes_by_that() -> None:
    _, _, b, c = team()
    before = b.view.state.owners
    b.rosters.add(c.draft(Changes(names={keys_of("a").id: "The old laptop"})))
    after = b.view.state.owners
    assert after[0].name == "The old laptop"
    assert [(each.id, each.seat) for each in after] == [(each.id, each.seat) for each in before]


def test_a_right_is_not_taken_without_new_secrets_and_not_without_a_cut() -> None:
    _, a, b, _ = team()
    good = a.draft(Changes(remove=(keys_of("d").id,)))
    old = b.view.state
    for different in (
        {"epoch": 0, "commit": old.commit, "older": ()}, {"epoch": 2}, {"cuts": ()},
        {"cuts": (Cut(keys_of("r").id, 0, 0, b""),)}, {"epoch": 1, "commit": old.commit},
    ):
        with pytest.raises(Refused):
            b.rosters.add(forged(good, a.keys, **different))
    with pytest.raises(Refused):
        b.rosters.add(forged(a.draft(Changes(name="x")), a.keys, cuts=(Cut(keys_of("d").id, 0, 0, b""),)))
    assert b.rosters.add(good) is Taken.NEW


def test_nobody_takes_a_higher_seat_or_another_recovery_key() -> None:
    _, a, b, c = team()
    good = c.draft(Changes(name="x"))
    members = Roster.unpack(good).members
    swapped = tuple(
        replace(each, rank=(2 if each.id == keys_of("b").id else 1)) if each.id in (b.id, c.id) else each
        for each in members)
    for different in (
        {"members": tuple(sorted(swapped, key=lambda each: (each.role is not Role.OWNER, each.rank, each.id)))},
        {"recovery": RecoveryKey(bytes(32)).public, "generation": 1}, {"recovery": RecoveryKey(bytes(32)).public},
        {"next_rank": 9},
    ):
        with pytest.raises(Refused):
            a.rosters.add(forged(good, c.keys, **different))
    with pytest.raises(UsageError, match="recovery key"):
        c.sign(Changes(recovery=bytes(32)))
    with pytest.raises(UsageError, match="recovery key"):
        c.take_over(RecoveryKey(bytes(32)))


def test_a_device_is_listed_once_and_with_keys_that_can_be_used() -> None:
    bed, a, _, _ = team()
    with pytest.raises(UsageError, match="already"):
        a.add("d")
    raw = a.draft(Changes(name="x"))
    roster = Roster.unpack(raw)
    twice = replace(
        roster, members=(*roster.members, roster.members[-1]), boxes=(*roster.boxes, roster.boxes[-1]))
    with pytest.raises(FormatError, match="twice"):
        bed.a.rosters.add(twice.signed_with(a.keys).pack())
    small = raw.replace(keys_of("s").public.exchange, bytes(32))
    with pytest.raises(FormatError, match="every secret is the same"):
        bed.a.rosters.add(small)


def test_a_first_roster_is_one_device_that_signed_it() -> None:
    bed = Bed()
    for different in (
        {"epoch": 1}, {"generation": 1}, {"next_rank": 2}, {"signer": bytes(16)},
        {"cuts": (Cut(bed.a.id, 0, 0, b""),)},
    ):
        with pytest.raises(Refused):
            Rosters(forged(bed.first, bed.a.keys, **different))
    with pytest.raises(Refused):
        Rosters(forged(bed.first, keys_of("b"), signer=bytes(bed.a.id)))


def test_a_roster_of_another_folder_is_refused() -> None:
    _, a, _, _ = team()
    other = Bed(2)
    with pytest.raises(Refused, match="another folder"):
        other.a.rosters.add(a.draft(Changes(name="x")))
    with pytest.raises(FormatError, match="not among"):
        Rosters.of(a.rosters.all(), FolderId(bytes(32)))


# -- at the same time

def test_of_two_owners_who_remove_each_other_the_higher_stays() -> None:
    _, a, b, c = team()
    b.remove("c")
    c.sign(Changes(add=(Newcomer(keys_of("x").public, Role.READ_WRITE, "x"),), remove=(keys_of("d").id,)))
    meet(a, b, c)
    assert a.names() == {"a", "b", "d", "r", "s"}
    (void,) = a.view.voided
    assert (void.signer, void.why) == (c.id, Why.UNSEATED)
    assert (void.added, void.removed) == ((id_of("x"),), (id_of("d"),))
    assert void.by == a.view.heads[0]


def test_two_owners_remove_the_same_device() -> None:
    _, a, b, c = team()
    d = keys_of("d").id
    b.sign(Changes(remove=(d,), cuts={d: Cut(d, 5, 1, b"1" * 32)}))
    c.sign(Changes(remove=(d,), cuts={d: Cut(d, 7, 2, b"2" * 32)}))
    meet(a, b, c)
    assert "d" not in a.names()
    assert not a.view.merge_wanted
    assert a.view.state.commit not in held(a.rosters, keys_of("d")).reads
    assert len(a.view.cuts[keys_of("d").id]) == 2
    assert all(desk.reads() for desk in (a, b, c))


def test_two_owners_remove_different_devices_and_whoever_sees_both_makes_new_secrets() -> None:
    _, a, b, c = team()
    b.remove("d")
    c.remove("r")
    meet(a, b, c)
    assert a.names() == {"a", "b", "c", "s"}
    assert a.view.merge_wanted
    one, two = a.sign(Changes()), b.sign(Changes())
    meet(a, b, c)
    assert not a.view.merge_wanted
    lower = min((one, two), key=roster_hash)
    assert a.view.state.commit == Roster.unpack(lower).commit
    assert a.view.state.epoch == 2
    for gone in ("d", "r"):
        assert a.view.state.commit not in held(a.rosters, keys_of(gone)).stores
    # Old secrets of both branches stay readable for who had them.
    assert len(held(a.rosters, c.keys).reads) >= 4


@pytest.mark.parametrize("seed", range(6))
def test_of_two_epochs_with_one_number_the_one_that_only_members_have_holds(seed: int) -> None:
    bed = Bed(seed)
    a = bed.a
    a.add("b", "c", role=Role.OWNER)
    a.add("d", "r")
    b, c = bed.desk("b", a), bed.desk("c", a)
    b.remove("d")
    c.remove("r")
    a.hear(b)
    a.hear(c)
    merge = Roster.unpack(a.sign(Changes()))
    other = Roster.unpack(c.sign(Changes(rekey=True)))
    assert (merge.epoch, other.epoch) == (2, 2)
    meet(a, b, c)
    assert a.view.state.commit == merge.commit
    assert not a.view.merge_wanted


def test_who_came_in_one_branch_is_given_the_secrets_of_the_other() -> None:
    _, a, b, c = team()
    b.remove("d")
    c.add("x")
    meet(a, b, c)
    x = a.view.member(keys_of("x").id)
    assert x is not None
    assert a.view.state.unsealed == {x.id}
    assert a.view.merge_wanted
    a.sign(Changes())
    assert not a.view.merge_wanted
    assert a.view.state.epoch == 1
    assert a.view.state.commit in held(a.rosters, keys_of("x")).reads


def test_the_lower_role_wins_and_removal_wins_over_it() -> None:
    _, a, b, c = team()
    b.sign(Changes(roles={keys_of("r").id: Role.READ_WRITE, keys_of("d").id: Role.READ_ONLY}))
    c.sign(Changes(roles={keys_of("r").id: Role.STORE}, names={keys_of("d").id: "desktop"}))
    meet(a, b, c)
    r, d = a.view.member(keys_of("r").id), a.view.member(keys_of("d").id)
    assert r is not None and r.role is Role.STORE
    assert d is not None and (d.role, d.name) == (Role.READ_ONLY, "desktop")
    b.sign(Changes(roles={d.id: Role.OWNER}))
    c.remove("d")
    meet(a, b, c)
    assert a.view.member(d.id) is None


def test_a_name_that_two_gave_is_that_of_the_higher_one() -> None:
    _, a, b, c = team()
    c.sign(Changes(name="of c"))
    b.sign(Changes(name="of b"))
    meet(a, b, c)
    assert a.view.state.name == "of b"


# -- who comes back

def test_what_a_removed_owner_dates_back_is_void() -> None:
    bed, a, b, c = team()
    before = bed.desk("c", c)
    b.remove("c")
    meet(a, b)
    good = a.view.state
    before.add("puppet", role=Role.OWNER)
    puppet = bed.desk("puppet", before)
    puppet.add("second", role=Role.OWNER)
    puppet.remove("d")
    meet(a, b, puppet)
    assert a.view.state == good
    assert {void.why for void in a.view.voided} == {Why.UNSEATED, Why.NO_OWNER}
    assert a.view.heads == b.view.heads
    # It cannot join its own branch to the one that removed it.
    before.hear(a)
    with pytest.raises(UsageError, match="only owners"):
        before.sign(Changes())
    merge = forged(
        a.draft(Changes(name="x")), before.keys,
        predecessors=tuple(sorted((*a.view.heads, a.view.voided[0].hash))))
    with pytest.raises(Refused, match="no owner"):
        a.rosters.add(merge)


def test_a_removed_owner_cannot_undo_what_it_did_before_by_leaving_back_then() -> None:
    bed, a, b, c = team()
    before = bed.desk("c", c)
    c.add("x")
    b.hear(c)
    b.remove("c")
    before.remove("c")
    meet(a, b, before)
    assert "x" in a.names()
    assert [void.signer for void in a.view.voided] == [c.id]


def test_what_an_owner_signed_while_it_left_elsewhere_is_void() -> None:
    bed, a, _, c = team()
    other = bed.desk("c", c)
    c.remove("c")
    other.add("x")
    meet(a, c, other)
    assert a.names() == {"a", "b", "d", "r", "s"}
    assert [void.why for void in a.view.voided] == [Why.UNSEATED]


def test_what_was_void_counts_when_that_which_made_it_void_does_not() -> None:
    bed, a, b, c = team()
    apart = bed.desk("a", a)
    c.add("x")
    b.remove("c")
    meet(b, c)
    assert "x" not in b.names()
    apart.remove("b")
    meet(a, b, c, apart)
    assert {"c", "x"} <= a.names()
    assert "b" not in a.names()
    assert [void.signer for void in a.view.voided] == [b.id]


def test_the_recovery_key_stands_above_all() -> None:
    bed, a, _, c = team()
    d = bed.desk("d", a)
    a.remove("b")
    a.add("mine", role=Role.OWNER)
    d.take_over(RECOVERY, a.id)
    c.add("x")
    meet(a, c, d)
    assert [owner.name for owner in d.view.state.owners] == ["d", "b", "c"]
    assert "mine" not in d.names()
    # b keeps its place, as a had no say any more; what c signed under its old place is void.
    assert {void.signer for void in d.view.voided} == {a.id, c.id}
    assert d.reads()
    c.add("y")
    meet(c, d)
    assert "y" in d.names()


def test_a_device_that_never_was_a_member_takes_over() -> None:
    bed, a, b, _ = team()
    new = bed.desk("new", a)
    new.take_over(RECOVERY, a.id)
    meet(b, new)
    assert new.reads()
    assert b.reads()
    assert b.view.state.owners[0].id == new.id
    assert b.view.state.commit not in held(b.rosters, a.keys).reads


def test_a_recovery_key_is_replaced_and_the_one_before_is_worth_nothing() -> None:
    bed, a, b, _ = team()
    thief = bed.desk("thief", a)
    successor = RecoveryKey(sha256(b"successor").digest())
    raw = amend(
        a.rosters, RECOVERY, held(a.rosters, a.keys), Changes(recovery=successor.public), a.random.randbytes)
    a.rosters.add(raw)
    thief.take_over(RECOVERY, a.id)
    meet(a, b, thief)
    assert a.view.state.recovery == successor.public
    assert "thief" not in a.names()
    assert a.view.state.owners[0].id == a.id
    with pytest.raises(UsageError, match="not the recovery key"):
        b.take_over(RECOVERY)
    b.take_over(successor)
    assert b.view.state.owners[0].id == b.id


def test_who_came_by_a_void_roster_is_locked_out_by_new_secrets() -> None:
    _, a, b, c = team()
    b.sign(Changes(roles={c.id: Role.READ_WRITE}))
    c.add("x")
    assert b.view.state.epoch == 0
    meet(a, b, c)
    assert "x" not in a.names()
    assert a.view.state.commit in held(a.rosters, keys_of("x")).reads
    assert a.view.merge_wanted
    a.sign(Changes())
    assert not a.view.merge_wanted
    assert a.view.state.commit not in held(a.rosters, keys_of("x")).reads
    assert a.view.state.commit in held(a.rosters, c.keys).reads


def test_an_ex_owner_cannot_have_new_secrets_made_again_and_again() -> None:
    bed, a, b, c = team()
    before = bed.desk("c", c)
    b.remove("c")
    meet(a, b)
    raw = before.draft(Changes(rekey=True, add=(Newcomer(keys_of("x").public, Role.STORE, "x"),)))
    a.rosters.add(forged(raw, before.keys, commit=a.view.state.commit))
    assert [void.signer for void in a.view.voided] == [c.id]
    assert not a.view.merge_wanted


def test_a_seat_that_a_void_roster_gave_does_not_reach_above() -> None:
    _, a, b, c = team()
    c.take_over()
    cut = Cut(b.id, 3, 1, b"1" * 32)
    c.sign(Changes(remove=(b.id,), cuts={b.id: cut}, name="taken"))
    a.rosters.add(amend(
        a.rosters, RECOVERY, held(a.rosters, a.keys), Changes(recovery=RecoveryKey(bytes(32)).public),
        a.random.randbytes))
    meet(a, b, c)
    assert [owner.name for owner in a.view.state.owners] == ["a", "b", "c"]
    assert {void.why for void in a.view.voided} == {Why.UNSEATED, Why.OUTRANKED}
    outranked = next(void for void in a.view.voided if void.why is Why.OUTRANKED)
    assert (outranked.signer, outranked.removed) == (c.id, (b.id,))
    assert a.view.state.name == "taken"
    assert b.id not in a.view.cuts
    # b was not given the secrets of that roster, so whoever is above has to.
    assert a.view.merge_wanted
    a.sign(Changes())
    meet(a, b, c)
    assert b.reads()


def test_an_owner_that_leaves_twice_has_left() -> None:
    bed, a, _, c = team()
    other = bed.desk("c", c)
    c.remove("c")
    other.remove("c")
    meet(a, c, other)
    assert "c" not in a.names()
    assert a.view.voided == ()


# -- order, size

def test_rosters_wait_for_what_they_follow() -> None:
    bed, a, _, _ = team()
    late = bed.desk("d")
    for raw in reversed(a.rosters.all()[2:]):
        assert late.rosters.add(raw) is Taken.WAITING
    assert late.rosters.wanted == (roster_hash(a.rosters.all()[1]),)
    assert late.names() == {"a"}
    assert late.rosters.add(a.rosters.all()[1]) is Taken.NEW
    assert late.view == a.view
    assert late.rosters.add(a.rosters.all()[3]) is Taken.KNOWN


def test_what_waits_is_bounded_and_forged_ones_are_dropped_when_their_turn_comes() -> None:
    bed, a, _, _ = team()
    late = bed.desk("d")
    raws = a.rosters.all()
    template = a.draft(Changes(name="x"))
    for number in range(limits.SYNC_ROSTERS_WAITING + 5):
        late.rosters.add(forged(template, keys_of("d"), predecessors=(sha256(b"%d" % number).digest(),)))
    assert len(late.rosters.wanted) == limits.SYNC_ROSTERS_WAITING
    late.rosters.add(forged(template, keys_of("d")))
    for raw in raws:
        late.rosters.add(raw)
    assert late.view.state == a.view.state
    assert len(late.rosters) == len(raws)


def test_nobody_follows_a_roster_and_what_that_follows() -> None:
    _, a, b, _ = team()
    raw = a.draft(Changes(name="x"))
    known = a.rosters.all()
    with pytest.raises(Refused, match="what that follows"):
        b.rosters.add(forged(raw, a.keys, predecessors=tuple(sorted(roster_hash(each) for each in known[-2:]))))


def test_one_signer_does_not_fill_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SYNC_ROSTERS_SIGNER", 7)
    monkeypatch.setattr(limits, "SYNC_ROSTERS", 10)
    _, a, b, c = team()
    for number in range(5):
        c.sign(Changes(name=f"{number}"))
    with pytest.raises(LimitError, match="SYNC_ROSTERS ="):
        c.sign(Changes(name="more"))
    a.hear(c)
    b.hear(c)
    with pytest.raises(LimitError):
        b.remove("c")
    a.remove("c")
    assert "c" not in a.names()
    a.sign(Changes(name="and more"))
    with pytest.raises(LimitError, match="SYNC_ROSTERS_SIGNER"):
        a.sign(Changes(name="and more still"))


def test_more_heads_than_a_roster_names_are_merged_in_turns() -> None:
    bed, a, _, c = team()
    for number in range(limits.SYNC_ROSTER_HEADS + 3):
        branch = bed.desk("c", c)
        branch.sign(Changes(name=f"{number}"))
        a.hear(branch)
    assert len(a.view.heads) == limits.SYNC_ROSTER_HEADS + 3
    a.remove("c")
    assert len(a.view.heads) == 1
    assert len(a.view.voided) == 3
    assert "c" not in a.names()


def test_a_thousand_devices_fit_and_one_more_does_not() -> None:
    bed = Bed()
    many = tuple(
        Newcomer(keys_of(f"{number}").public, Role.READ_WRITE, "\U0001f4be" * limits.SYNC_NAME_CHARS)
        for number in range(limits.SYNC_DEVICES))
    with pytest.raises(LimitError, match="SYNC_DEVICES"):
        bed.a.draft(Changes(add=many))
    raw = bed.a.sign(Changes(add=many[1:]))
    assert len(raw) < limits.SYNC_ROSTER_BYTES
    assert len(bed.a.view.state.members) == limits.SYNC_DEVICES


def test_a_secret_that_was_sealed_wrong_is_not_taken() -> None:
    bed, a, _, _ = team()
    raw = a.draft(Changes(rekey=True))
    other = ReadSecret(bytes(32))
    a.rosters.add(forged(raw, a.keys, commit=other.commit))
    assert other.commit not in held(a.rosters, keys_of("b")).reads
    assert bed.secret.commit in held(a.rosters, keys_of("b")).reads


@given(st.binary(max_size=300))
def test_bytes_are_a_roster_or_refused(raw: bytes) -> None:
    with pytest.raises(FormatError):
        Roster.unpack(raw)


def test_a_roster_survives_the_wire() -> None:
    _, a, _, _ = team()
    a.remove("d")
    for raw in a.rosters.all():
        assert Roster.unpack(raw).pack() == raw


def test_the_same_seed_makes_the_same_folder() -> None:
    made = [create(keys_of("a"), "x", RECOVERY.public, Random(3).randbytes) for _ in range(2)]
    assert made[0] == made[1]
