"""Who has a folder, while the network falls apart and comes together and one of the owners turned bad.

`a` stands above all and is honest, `b` and `d` are honest owners, `c` is the bad one: it keeps all that it ever knew
and signs branches from any time of it, alone or with devices that it made owners. `r` reads only and forges.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest
from tests.rosterbed import Bed, Desk, forged, keys_of

from wildbach.base.errors import UsageError
from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.roster import Role, Roster, roster_hash
from wildbach.protocol.sync.rosters import Refused, Rosters
from wildbach.protocol.sync.writing import Changes, held

HONEST = ("a", "b", "d", "e")


@dataclass
class World:
    seed: int
    random: Random = field(init=False)
    bed: Bed = field(init=False)
    desks: dict[str, Desk] = field(init=False)
    past: list[Desk] = field(default_factory=list)
    "What the bad one and its helpers knew at some time."
    removed_by_a: dict[bytes, list[DeviceId]] = field(default_factory=dict)
    came: int = 0

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.bed = Bed(self.seed)
        a = self.bed.a
        a.add("b", "c", "d", role=Role.OWNER)
        a.add("e")
        a.add("r", role=Role.READ_ONLY)
        self.desks = {"a": a, **{name: self.bed.desk(name, a) for name in ("b", "c", "d", "e", "r")}}

    def step(self) -> None:
        act = self.random.choice((
            self.one_acts, self.one_acts, self.they_meet, self.they_meet, self.bad_one_acts, self.reader_forges,
            self.bad_one_tells))
        act()

    def one_acts(self) -> None:
        desk = self.desks[self.random.choice(HONEST)]
        others = sorted(set(desk.view.state.members) - {desk.id, self.desks["a"].id})
        try:
            match self.random.randrange(4):
                case 0:
                    self.came += 1
                    desk.add(f"new {self.came}", role=self.random.choice(list(Role)))
                case 1 if others:
                    gone = self.random.choice(others)
                    raw = desk.sign(Changes(remove=(gone,)))
                    if desk.name == "a":
                        self.removed_by_a.setdefault(roster_hash(raw), []).append(gone)
                case 2 if others:
                    desk.sign(Changes(roles={self.random.choice(others): self.random.choice(list(Role))}))
                case _:
                    if desk.view.merge_wanted:
                        desk.sign(Changes())
        except UsageError:
            return

    def they_meet(self) -> None:
        one, other = (self.desks[name] for name in self.random.sample(sorted(self.desks), 2))
        if self.random.random() < 0.5:
            one.hear(other)
        for raw in other.rosters.after(one.view.heads):
            one.rosters.add(raw)

    def bad_one_acts(self) -> None:
        c = self.desks["c"]
        self.past.append(self.bed.desk("c", c))
        actor = self.random.choice(self.past)
        members = sorted(actor.view.state.members)
        try:
            match self.random.randrange(4):
                case 0:
                    self.came += 1
                    name = f"puppet {self.came}"
                    actor.add(name, role=Role.OWNER)
                    self.past.append(self.bed.desk(name, actor))
                case 1:
                    actor.sign(Changes(remove=(self.random.choice(members),)))
                case 2:
                    actor.sign(Changes(roles={self.random.choice(members): self.random.choice(list(Role))}))
                case _:
                    actor.sign(Changes(remove=(actor.id,)))
        except UsageError:
            return

    def bad_one_tells(self) -> None:
        if self.past:
            self.desks[self.random.choice(HONEST)].hear(self.random.choice(self.past))

    def reader_forges(self) -> None:
        r, target = self.desks["r"], self.desks[self.random.choice(HONEST)]
        roster = Roster.unpack(self.random.choice(target.rosters.all()[1:]))
        for signer in (bytes(r.id), roster.signer):
            heads = target.view.heads if self.random.random() < 0.5 else roster.predecessors
            member = target.rosters.state_at(heads).members.get(r.id)
            if member is not None and member.role is Role.OWNER:
                continue
            with pytest.raises(Refused):
                target.rosters.add(forged(roster.pack(), keys_of("r"), signer=signer, predecessors=heads))

    def heal(self) -> None:
        honest = [self.desks[name] for name in HONEST]
        for _ in range(2):
            for one in honest:
                for other in (*self.past, *self.desks.values()):
                    one.hear(other)
        self.check_same(honest)
        a = self.desks["a"]
        if a.view.merge_wanted:
            a.sign(Changes())
        for desk in honest:
            desk.hear(a)
        self.check_same(honest)
        assert not a.view.merge_wanted

    def check_same(self, honest: list[Desk]) -> None:
        view = honest[0].view
        for desk in honest[1:]:
            assert desk.view == view
        raws = list(honest[0].rosters.all())
        self.random.shuffle(raws)
        assert Rosters.of(raws, honest[0].rosters.folder).view == view

    def check_safe(self) -> None:
        a = self.desks["a"]
        view = a.view
        top = view.state.owners[0]
        assert top.id == a.id
        assert all(void.signer != a.id for void in view.voided)
        for desk in (*self.desks.values(), *self.past):
            member = view.member(desk.id)
            has = view.state.commit in held(a.rosters, desk.keys).reads
            assert has is (member is not None and member.role.reads)
        # Whom `a` removed is there only where somebody who knew of it took it in again.
        valid = set(self.closure(a.rosters, view.heads)) - {void.hash for void in view.voided}
        for name, gone in self.removed_by_a.items():
            for device in gone:
                if device in view.state.members:
                    assert any(
                        name in self.closure(a.rosters, roster.predecessors) and device in roster.listed()
                        for each in valid if (roster := a.rosters.roster(each)) is not None)

    @staticmethod
    def closure(rosters: Rosters, names: tuple[bytes, ...]) -> set[bytes]:
        found: set[bytes] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                roster = rosters.roster(name)
                assert roster is not None
                waiting.extend(roster.predecessors)
        return found


def run(seed: int, steps: int) -> tuple[int, int]:
    world = World(seed)
    for _ in range(steps):
        world.step()
    world.heal()
    world.check_safe()
    view = world.desks["a"].view
    return len(view.voided), len(world.desks["a"].rosters)


@pytest.mark.parametrize("seed", range(6))
def test_all_come_to_the_same_and_nobody_takes_the_folder(seed: int) -> None:
    run(seed, 40)


@pytest.mark.goal
def test_all_come_to_the_same_for_many_seeds() -> None:
    voided = 0
    for seed in range(100, 140):
        void, _ = run(seed, 60)
        voided += void
    assert voided > 40  # else nothing of what it is about happened


def test_the_same_seed_goes_the_same_way() -> None:
    assert run(3, 25) == run(3, 25)
