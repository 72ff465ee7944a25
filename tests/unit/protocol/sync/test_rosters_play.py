"""Devices that change who has a folder while they hear of each other only now and then."""

from __future__ import annotations

from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.rosterbed import RECOVERY, Bed, keys_of

from wildbach.base.errors import UsageError
from wildbach.protocol.sync.roster import Role
from wildbach.protocol.sync.rosters import Rosters
from wildbach.protocol.sync.writing import Changes, held

NAMES = ("a", "b", "c", "d", "e")
who = st.sampled_from(NAMES)
roles = st.sampled_from(list(Role))


class Play(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.bed = Bed()
        self.bed.a.add("b", "c", role=Role.OWNER)
        self.desks = {"a": self.bed.a, **{name: self.bed.desk(name, self.bed.a) for name in NAMES[1:]}}
        self.came = 0

    @rule(signer=who, role=roles)
    def somebody_comes(self, signer: str, role: Role) -> None:
        self.came += 1
        self._try(signer, lambda desk: desk.add(f"new {self.came}", role=role))

    @rule(signer=who, other=who, role=roles)
    def one_is_listed(self, signer: str, other: str, role: Role) -> None:
        self._try(signer, lambda desk: desk.add(other, role=role))

    @rule(signer=who, other=who)
    def one_is_removed(self, signer: str, other: str) -> None:
        self._try(signer, lambda desk: desk.remove(other))

    @rule(signer=who, other=who, role=roles)
    def a_role_changes(self, signer: str, other: str, role: Role) -> None:
        self._try(signer, lambda desk: desk.sign(Changes(roles={keys_of(other).id: role})))

    @rule(signer=who, other=who)
    def names_change(self, signer: str, other: str) -> None:
        self._try(signer, lambda desk: desk.sign(Changes(names={keys_of(other).id: f"by {signer}"}, name=signer)))

    @rule(signer=who, lost=who)
    def the_recovery_key_takes_over(self, signer: str, lost: str) -> None:
        self._try(signer, lambda desk: desk.take_over(RECOVERY, *(
            [keys_of(lost).id] if lost != signer and keys_of(lost).id in desk.view.state.members else [])))

    @rule(one=who, other=who)
    def one_hears_of_another(self, one: str, other: str) -> None:
        self.desks[one].hear(self.desks[other])

    @rule(one=who, other=who)
    def they_tell_each_other_what_counts(self, one: str, other: str) -> None:
        ours, theirs = self.desks[one], self.desks[other]
        for raw in theirs.rosters.after(ours.view.heads):
            ours.rosters.add(raw)
        for raw in ours.rosters.after(theirs.view.heads):
            theirs.rosters.add(raw)
        assert ours.view.state == theirs.view.state

    @invariant()
    def what_is_signed_is_what_counts(self) -> None:
        for desk in self.desks.values():
            view = desk.view
            if len(view.heads) == 1:
                roster = desk.rosters.roster(view.heads[0])
                assert roster is not None
                assert view.state.members == roster.listed()
                assert (view.state.epoch, view.state.commit) == (roster.epoch, roster.commit)
                assert view.state.links == {link.hash: link for link in roster.links}
                assert view.state.recovery == roster.recovery
                assert not view.state.stale
                assert not view.state.unsealed

    def teardown(self) -> None:
        desks = list(self.desks.values())
        for _ in range(2):
            for one in desks:
                for other in desks:
                    one.hear(other)
        view = desks[0].view
        assert all(desk.view == view for desk in desks)
        for seed in range(2):
            shuffled = list(desks[0].rosters.all())
            Random(seed).shuffle(shuffled)
            again = Rosters.of(shuffled, desks[0].rosters.folder)
            assert again.view == view
            assert not again.wanted
        owners = [desk for desk in desks if (member := view.member(desk.id)) and member.role is Role.OWNER]
        if view.merge_wanted and owners:
            two = owners[:2]
            for owner in two:
                owner.sign(Changes())
            for desk in desks:
                for owner in two:
                    desk.hear(owner)
            view = desks[0].view
        if owners:
            assert not view.merge_wanted
            for desk in desks:
                assert desk.view == view
                member = view.member(desk.id)
                has = view.state.commit in held(desk.rosters, desk.keys).reads
                assert has is (member is not None and member.role.reads)

    def _try(self, signer: str, act: object) -> None:
        try:
            act(self.desks[signer])  # type: ignore[operator]  # one of the lambdas above
        except UsageError:
            return


TestPlay = Play.TestCase
TestPlay.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
