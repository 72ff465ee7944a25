"""Who has a folder, as it lies in the data base of each device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from tests.syncsim.made import entry

from rosterbed import keys_of
from wildbach.base import limits
from wildbach.base.errors import FormatError, UsageError
from wildbach.base.ids import FolderId
from wildbach.protocol.sync import writing
from wildbach.protocol.sync.cuts import Verdict
from wildbach.protocol.sync.entries import Entry
from wildbach.protocol.sync.recovery import RecoveryKey
from wildbach.protocol.sync.roster import Role, roster_hash
from wildbach.protocol.sync.vectors import VersionVector
from wildbach.protocol.sync.writing import Changes, Newcomer
from wildbach.services.sync.membership import Membership
from wildbach.services.sync.merging import WAIT_SECONDS, Merging
from wildbach.services.sync.store import FolderStore

RECOVERY = RecoveryKey(b"k" * 32)


class Bed:
    """A folder that `a` made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.random = Random(1)
        self.first, _ = writing.create(
            keys_of("a"), "photos", RECOVERY.public, self.random.randbytes, device_name="a")
        self.stores: dict[str, FolderStore] = {}
        self.a = self.member("a", (self.first,))

    def member(self, name: str, chain: tuple[bytes, ...]) -> Membership:
        store = self.stores[name] = FolderStore(self.folder / f"{name}.db")
        return Membership.begin(keys_of(name), store, chain)

    def add(self, name: str, role: Role = Role.READ_WRITE) -> Membership:
        newcomer = Newcomer(keys_of(name).public, role, name, bytes(self.random.randbytes(32)))
        self.a.amend(Changes(add=(newcomer,)), self.random.randbytes)
        return self.member(name, self.a.rosters.chain())

    def again(self, name: str) -> Membership:
        """A new process."""
        self.stores[name].close()
        self.stores[name] = FolderStore(self.folder / f"{name}.db")
        return Membership(keys_of(name), self.stores[name])

    def signed(self, name: str, path: str, seq: int, at: Membership) -> Entry:
        keys = keys_of(name)
        made = replace(
            entry(path, "x", keys.id, seq=seq, vector=VersionVector({keys.id: seq})), epoch=at.epoch)
        return replace(made, signature=keys.sign(made.signed_bytes(at.folder)))


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    made = Bed(tmp_path)
    yield made
    for store in made.stores.values():
        store.close()


def test_who_made_it_owns_it_and_all_is_there_after_a_start(bed: Bed) -> None:
    bed.add("b")
    for a in (bed.a, bed.again("a")):
        assert a.role is Role.OWNER and a.folder == FolderId(roster_hash(bed.first))
        assert a.devices() == sorted((keys_of("a").id, keys_of("b").id))
        assert a.name_of(keys_of("b").id) == "b" and a.by_exchange(keys_of("b").public.exchange) == keys_of("b").id
        assert a.secret is not None and a.by_exchange(b"?" * 32) is None


def test_a_data_base_without_a_folder_is_an_error(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "x.db")
    with pytest.raises(FormatError):
        Membership(keys_of("a"), store)
    store.close()


def test_rosters_of_others_count_once_and_rubbish_is_an_error(bed: Bed) -> None:
    b = bed.add("b")
    bed.a.amend(Changes(roles={keys_of("b").id: Role.READ_ONLY}), bed.random.randbytes)
    assert b.take(bed.a.rosters.all()) and not b.take(bed.a.rosters.all())
    assert b.role is Role.READ_ONLY and bed.again("b").role is Role.READ_ONLY
    with pytest.raises(FormatError):
        b.take([b"d1:xe"])


def test_who_is_no_owner_signs_no_roster(bed: Bed) -> None:
    b = bed.add("b")
    with pytest.raises(UsageError):
        b.amend(Changes(roles={keys_of("b").id: Role.OWNER}), bed.random.randbytes)
    assert b.role is Role.READ_WRITE


def test_of_a_device_that_was_taken_out_counts_what_was_accepted_and_nothing_later(bed: Bed) -> None:
    b = bed.add("b")
    c = bed.add("c")
    early = bed.signed("b", "early", 5, b)
    bed.stores["a"].put_heads("early", (early,))
    cuts = bed.a.accepted_of((keys_of("b").id,))
    bed.a.amend(Changes(remove=(keys_of("b").id,), cuts=cuts), bed.random.randbytes)
    late = bed.signed("b", "late", 4, b)
    assert bed.a.judge(early, early.pack()) is Verdict.ACCEPTED
    assert bed.a.judge(late, late.pack()) is Verdict.REFUSED, "however it is dated"
    # Others cannot tell before they have the list.
    c.take(bed.a.rosters.all())
    assert c.judge(early, early.pack()) is Verdict.WAITS and not c.settled(keys_of("b").id)
    ((cut, pages),) = c.lists.wanted(c.view)
    assert pages == [0] and c.lists.take(cut, 0, bed.a.lists.page(cut.root, cut.count, 0))
    assert c.settled(keys_of("b").id) and keys_of("b").id in c.doubtful()
    for at in range(2):
        each = bed.again("c") if at else c
        assert each.judge(early, early.pack()) is Verdict.ACCEPTED
        assert each.judge(late, late.pack()) is Verdict.REFUSED and each.lists.wanted(each.view) == []


def test_who_was_taken_out_has_not_the_secret_that_holds(bed: Bed) -> None:
    b, c = bed.add("b"), bed.add("c")
    before = b.secret
    bed.a.amend(Changes(remove=(keys_of("b").id,)), bed.random.randbytes)
    b.take(bed.a.rosters.all())
    c.take(bed.a.rosters.all())
    assert b.role is None and b.secret is None and before is not None
    assert c.secret is not None and c.secret.raw != before.raw
    assert b.key(keys_of("b").id) is not None, "what it signed before is still checked"


def test_the_recovery_key_is_kept_until_it_is_saved_and_makes_an_owner(bed: Bed) -> None:
    bed.a.keep_recovery("some words")
    assert bed.again("a").recovery_words == "some words"
    bed.a = Membership(keys_of("a"), bed.stores["a"])
    bed.a.keep_recovery("")
    assert bed.again("a").recovery_words == ""
    bed.a = Membership(keys_of("a"), bed.stores["a"])
    b = bed.add("b", Role.READ_ONLY)
    with pytest.raises(UsageError):
        b.take_over(RecoveryKey(b"w" * 32), bed.random.randbytes, None, "b")
    b.take_over(RECOVERY, bed.random.randbytes, RecoveryKey(b"n" * 32), "b")
    assert b.role is Role.OWNER and bed.again("b").role is Role.OWNER


def apart(bed: Bed) -> tuple[Membership, Membership]:
    """Owners who removed different devices without hearing of each other."""
    b = bed.add("b", Role.OWNER)
    bed.add("d")
    bed.add("r")
    b.take(bed.a.rosters.all())
    bed.a.amend(Changes(remove=(keys_of("d").id,)), bed.random.randbytes)
    b.amend(Changes(remove=(keys_of("r").id,)), bed.random.randbytes)
    ours, theirs = bed.a.rosters.all(), b.rosters.all()
    bed.a.take(theirs)
    b.take(ours)
    return bed.a, b


def test_the_highest_owner_who_is_there_makes_new_keys_after_two_removals_at_once(bed: Bed) -> None:
    a, b = apart(bed)
    assert a.view.merge_wanted and a.view.heads == b.view.heads
    first, second = Merging(a, bed.random.randbytes), Merging(b, bed.random.randbytes)
    assert first.due({b.me}, 50.0) == 50.0
    assert second.due({a.me}, 50.0) == 50.0 + WAIT_SECONDS
    assert second.due((), 60.0) == 50.0
    assert first.merge(1000.0)
    b.take(a.rosters.all())
    for each, member in ((first, a), (second, b)):
        assert each.due((), 100.0) is None
        assert member.view.state.epoch == 2 and member.secret is not None
    assert a.secret is not None and b.secret is not None and a.secret.commit == b.secret.commit


def test_both_make_new_keys_and_one_of_them_holds_on_both(bed: Bed) -> None:
    a, b = apart(bed)
    assert Merging(a, bed.random.randbytes).merge(1000.0) and Merging(b, bed.random.randbytes).merge(1000.0)
    ours, theirs = a.rosters.all(), b.rosters.all()
    a.take(theirs)
    b.take(ours)
    assert a.view == b.view and not a.view.merge_wanted
    assert a.view.state.epoch == 2


def test_who_is_no_owner_makes_no_keys_and_an_owner_not_without_end(bed: Bed) -> None:
    apart(bed)
    member = bed.add("w")
    assert Merging(member, bed.random.randbytes).due((), 0.0) is None
    again = bed.again("b")
    again.note_merge([1000.0 + each for each in range(limits.SYNC_MERGES)])
    merging = Merging(again, bed.random.randbytes)
    assert merging.due((), 5.0) == 5.0
    assert not merging.merge(2000.0)
    assert merging.due((), 6.0) is None and again.view.merge_wanted
    assert Merging(bed.again("b"), bed.random.randbytes).merge(2000.0 + 86_400)
