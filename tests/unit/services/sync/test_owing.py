"""By which secrets of before members are still met, and until when."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from rosterbed import RECOVERY, keys_of
from wildbach.base import limits
from wildbach.base.ids import DeviceId
from wildbach.protocol.sync import writing
from wildbach.protocol.sync.roster import Role
from wildbach.protocol.sync.writing import Changes, Newcomer
from wildbach.services.sync.membership import Membership
from wildbach.services.sync.owing import Owing
from wildbach.services.sync.store import FolderStore

A, B, C, D = (keys_of(name).id for name in "abcd")


class Desk:
    """One device with its data base."""

    def __init__(self, place: Path, name: str, chain: tuple[bytes, ...]) -> None:
        self.name = name
        self.random = Random(name)
        self.store = FolderStore(place / f"{name}.db")
        self.membership = Membership.begin(keys_of(name), self.store, chain)
        self.acked: dict[DeviceId, int] = {}
        self.owing = Owing(self.membership, self.store, lambda: self.acked)

    def amend(self, changes: Changes, now: float = 0.0) -> None:
        self.membership.amend(changes, self.random.randbytes)
        self.owing.look(now)

    def add(self, *names: str, role: Role = Role.READ_WRITE) -> None:
        self.amend(Changes(add=tuple(
            Newcomer(keys_of(name).public, role, name, name.encode() * 32) for name in names)))

    @property
    def commit(self) -> bytes:
        return self.membership.view.state.commit

    @property
    def owed(self) -> list[bytes]:
        return [each.commit for each in self.owing.secrets]


@pytest.fixture
def a(tmp_path: Path) -> Iterator[Desk]:
    first, _ = writing.create(keys_of("a"), "photos", RECOVERY.public, Random(1).randbytes, device_name="a")
    desk = Desk(tmp_path, "a", (first,))
    desk.add("b", "c")
    yield desk
    desk.store.close()


def test_who_has_proved_the_secrets_that_hold_is_owed_nothing(a: Desk) -> None:
    first = a.commit
    assert a.owed == [] and not a.owing.take_news()
    a.add("d")
    a.amend(Changes(remove=(D,)))
    assert a.owed == [first] and a.owing.take_news() and not a.owing.take_news()
    a.owing.proved(B, a.commit, 1.0)
    assert a.owed == [first] and not a.owing.take_news(), "c was not met"
    a.owing.proved(C, first, 2.0)
    assert a.owed == [first], "by those of before it is met just because it has no others"
    a.owing.proved(C, a.commit, 3.0)
    assert a.owed == [] and a.owing.take_news()
    again = Owing(a.membership, a.store, dict)
    again.look(4.0)
    assert again.secrets == () and not again.take_news()


def test_of_two_epochs_the_newest_comes_first_and_who_has_only_one_of_them_is_still_owed_it(a: Desk) -> None:
    first = a.commit
    a.amend(Changes(rekey=True))
    second = a.commit
    a.owing.proved(B, second, 1.0)
    a.amend(Changes(rekey=True))
    assert a.owed == [second, first], "what b proved does not hold any more"
    a.owing.proved(B, a.commit, 2.0)
    assert a.owed == [second, first], "c may have either"
    # c signed what it has in this epoch, and another device passed that on.
    a.acked[C] = 1
    a.owing.heard(3.0)
    assert a.owed == [second, first]
    a.acked[C] = 2
    a.owing.heard(4.0)
    assert a.owed == []


def test_after_half_a_year_nobody_is_waited_for(a: Desk) -> None:
    a.amend(Changes(rekey=True), 1000.0)
    a.owing.look(1000.0 + limits.SYNC_REKEY_SECONDS - 1)
    assert a.owed and a.owing.take_news()
    a.owing.heard(1000.0 + limits.SYNC_REKEY_SECONDS)
    assert a.owed == [] and a.owing.take_news()


def test_a_number_that_two_epochs_have_does_not_say_which_of_them_somebody_knows(a: Desk, tmp_path: Path) -> None:
    a.amend(Changes(roles={B: Role.OWNER}))
    b = Desk(tmp_path, "b", a.membership.rosters.chain())
    first = a.commit
    a.amend(Changes(rekey=True))
    b.amend(Changes(rekey=True))
    a.acked = b.acked = {A: 1, B: 1, C: 1}
    for one, other in ((a, b), (b, a)):
        one.owing.look(1.0)
        assert one.owed == []
        one.membership.take(other.membership.rosters.all())
    for each in (a, b):
        each.owing.look(2.0)
    assert a.commit == b.commit
    others = {roster.commit for roster in a.membership.rosters} - {a.commit}
    assert set(a.owed) == set(b.owed) == others and first in others, "c may know the one that does not hold"
    a.owing.proved(B, a.commit, 3.0)
    a.owing.proved(C, a.commit, 3.0)
    assert a.owed == []
    b.store.close()
