"""Devices, the wire between them, bad days, and what must be true when all is well again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from random import Random

from tests.syncsim.device import Device
from tests.syncsim.disk import Crash
from tests.syncsim.users import User

from wildbach.protocol.sync.cuts import entry_hash
from wildbach.protocol.sync.entries import Entry, EntryKind
from wildbach.services.sync.guards import SETTLE_SECONDS
from wildbach.services.sync.merge import live
from wildbach.services.sync.planner import Why
from wildbach.services.sync.trees import Policy
from wildbach.testing.fakefs import Crash as Died

YEAR = 365 * 86400.0
START = 1_790_000_000.0


@dataclass(frozen=True)
class Trouble:
    """What may happen. Chances are by call, or by turn."""

    crash: float = 0.0005
    error: float = 0.002
    restore: float = 0.002
    partition: float = 0.02
    drop: float = 0.1
    duplicate: float = 0.1
    clock: float = 0.01
    skew: float = 10 * YEAR


NONE = Trouble(0, 0, 0, 0, 0, 0, 0, 0)


@dataclass
class Message:
    source: Device
    target: Device
    index_id: int
    since: int
    upto: int
    entries: list[Entry]


class World:
    """One run. The same seed gives the same run."""

    def __init__(
        self, seed: int, *, devices: int = 3, readers: int = 0, folding: int = 0, trouble: Trouble | None = None,
        user: User | None = None, kind: type[Device] = Device,
    ) -> None:
        self.seed = seed
        self.rng = Random(f"sync {seed}")
        self.trouble = trouble or Trouble()
        self.now = START
        self.user = user or User(self.rng)
        self.devices = [
            kind(
                each, self.rng, policy=Policy(writes=each < devices - readers), folds=devices - each <= folding,
                settle=seed % 2 * SETTLE_SECONDS,
                skew=self.rng.uniform(-self.trouble.skew, self.trouble.skew) if self.rng.random() < 0.3 else 0.0)
            for each in range(devices)]
        self.parts = Random(seed)
        self.given_up = 0
        self.gone: list[Device] = []
        "Devices that were taken out."
        self.cut: set[tuple[int, int]] = set()
        self.flying: list[Message] = []
        self.copies: dict[int, tuple[list[dict[str, object]], dict[int, int]]] = {}
        self.trace: list[str] = []
        self.alone: Device | None = None
        "Who alone may scan."
        self.forgets = False
        "Who has an old data base may remember deletions that others forgot."
        self._harm(on=True)

    def _harm(self, *, on: bool) -> None:
        for each in self.devices:
            each.crash_chance = self.trouble.crash if on else 0.0
            each.error_chance = self.trouble.error if on else 0.0

    @property
    def fingerprint(self) -> str:
        """Of all that happened."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()

    def say(self, text: str) -> None:
        self.trace.append(text)

    # --- one turn

    def turn(self) -> None:
        rng = self.rng
        self.now += rng.choice((0.01, 1.0, 30.0, 600.0))
        device = rng.choice(self.devices)
        deed = rng.random()
        if deed < 0.35:
            self.scan(device)
        elif deed < 0.6:
            self.work(device, self.parts.choice((2, 10_000)))
        elif deed < 0.8:
            self.pull(device, rng.choice(self.devices))
        else:
            self.deliver()
        self._bad_luck(device)

    def act(self, device: Device) -> None:
        said = self.user.act(device.disk, str(device.name), int(device.clock(self.now) * 1e9))
        self.say(f"{device.name} user {said}")

    def scan(self, device: Device) -> None:
        with _Alive(self, device):
            if device.scan(self.now):
                self.say(f"{device.name} scanned")

    def work(self, device: Device, limit: int = 10_000) -> int:
        """`limit`: paths that are looked at; where there are more, the rest waits."""
        with _Alive(self, device):
            done = device.work(self.now, lambda root: self._fetch(device, root), limit, pausing=limit < 10_000)
            self.say(f"{device.name} worked {len(device.ops)} {device.ops[-done:] if done else ''}")
            return done
        return 1

    def _fetch(self, device: Device, root: bytes) -> bytes | None:
        for other in self.devices:
            if other is device or self._apart(device, other):
                continue
            for path in other.store.local.holding(root):
                node = other.disk.get(path)
                seen = other.disk.seen(path)
                if node is not None and seen is not None and seen.root == root:
                    return node.data
            if root in other.disk.versions:
                return other.disk.versions[root]
        return None

    def _apart(self, one: Device, other: Device) -> bool:
        return (min(one.name, other.name), max(one.name, other.name)) in self.cut

    def pull(self, target: Device, source: Device) -> None:
        """All that the source has beyond what the target heard of it."""
        if target is source or self._apart(target, source) or source.core.unsigned:
            # What is signed in part goes on its way as well, and counts when all of it is.
            return
        since = target.have.get(source.name * 1000 + source.index_id, 0)
        entries, upto = source.core.index(since, 1 << 40)
        if self.rng.random() >= self.trouble.drop:
            self.flying.append(Message(source, target, source.index_id, since, upto, entries))

    def deliver(self) -> None:
        if not self.flying:
            return
        at = self.rng.randrange(len(self.flying))
        message = self.flying[at]
        if self.rng.random() >= self.trouble.duplicate:
            self.flying.pop(at)
        self._arrive(message)

    def _arrive(self, message: Message) -> None:
        target, key = message.target, message.source.name * 1000 + message.index_id
        if message.since > target.have.get(key, 0):
            return
        with _Alive(self, target):
            target.learn(message.source.cuts, self.now)
            counted = [each for each in message.entries if target.counts(each)]
            if message.since > target.have.get(key, 0):
                # All of it has to come.
                return
            new = target.core.merge(counted, target.clock(self.now))
            if message.index_id == message.source.index_id:
                target.core.heard()
            target.have[key] = max(target.have.get(key, 0), message.upto)
            if new:
                self.say(f"{target.name} heard {new} of {message.source.name}")

    def take_out(self, gone: Device, *owners: Device) -> None:
        """By owners who do not know of each other: what counts of it is what each of them has."""
        self.devices.remove(gone)
        self.gone.append(gone)
        self.flying = [each for each in self.flying if gone not in (each.source, each.target)]
        for owner in owners:
            heads = [each for path in owner.store.world.below("") for each in owner.store.world.get(path)]
            with _Alive(self, owner):
                owner.learn({gone.me: frozenset(
                    entry_hash(each.pack()) for each in heads if each.author == gone.me)}, self.now)
        self.say(f"{gone.name} taken out by {[each.name for each in owners]}")

    def _bad_luck(self, device: Device) -> None:
        rng, trouble = self.rng, self.trouble
        if trouble.partition and rng.random() < trouble.partition:
            one, other = rng.sample(self.devices, 2)
            self.cut ^= {(min(one.name, other.name), max(one.name, other.name))}
        if trouble.clock and rng.random() < trouble.clock:
            device.skew = rng.choice((0.0, rng.uniform(-trouble.skew, trouble.skew), rng.uniform(-86400, 86400)))
        if trouble.restore and rng.random() < trouble.restore * 5:
            self.copies[device.name] = device.store.copied(), dict(device.have)
        if trouble.restore and rng.random() < trouble.restore and device.name in self.copies:
            copy, have = self.copies[device.name]
            device.restored(copy, have, device.index_id + 1, self.now)
            self.say(f"{device.name} restored")
        if rng.random() < 0.05 and not device.store.number("mute"):
            with _Alive(self, device):
                device.core.retry(Why.NO_ROOM, Why.DISK, Why.NOWHERE, Why.NOT_EMPTY)

    # --- all is well again

    def heal(self, rounds: int = 60) -> int:
        """Until nothing happens any more. Returns the rounds."""
        self._harm(on=False)
        self.cut.clear()
        self.flying.clear()
        trouble, self.trouble = self.trouble, NONE
        try:
            for nth in range(rounds):
                if not self._round():
                    return nth
        finally:
            self.trouble = trouble
            self._harm(on=True)
        raise AssertionError(f"seed {self.seed}: no rest after {rounds} rounds\n" + "\n".join(self.trace[-60:]))

    def _round(self) -> bool:
        self.now += 60
        before = self._state()
        for device in self.devices:
            self.scan(device)
            self.answer(device)
            device.core.retry(Why.NO_ROOM, Why.DISK, Why.NOWHERE, Why.NOT_EMPTY)
            for _ in range(200):
                if not self.work(device):
                    break
            else:
                raise AssertionError(f"seed {self.seed}: {device.name} works for ever: {device.ops[-10:]}")
            self.scan(device)
            device.core.compared()
        for target in self.devices:
            for source in self.devices:
                self.pull(target, source)
                while self.flying:
                    self._arrive(self.flying.pop())
        return self._state() != before

    def _state(self) -> list[tuple[int, int, int, int]]:
        return [
            (each.store.last(), each.disk.writes, len(each.store.marked(1 << 30)),
             each.store.number("cautious") + each.store.number("settles"))
            for each in self.devices]

    def give_up(self) -> None:
        """Contents that were announced and are on no device any more: only after a data base was lost."""
        self.given_up += 1
        for each in self.devices:
            each.core.give_up(each.store.held(Why.NOWHERE), each.clock(self.now))

    def collect(self) -> list[int]:
        """After `heal`, when all know all: half a year later deletions are forgotten. How many, by device."""
        self.now += 180 * 86400.0
        self.forgets = True
        agreed = {each.me: each.store.number("sequence") for each in self.devices}
        found: list[int] = []
        for each in self.devices:
            with _Alive(self, each):
                found.append(each.core.collect(agreed))
        return found

    def answer(self, device: Device) -> None:
        """A guard asked: yes."""
        if device.core.paused:
            self.say(f"{device.name} paused")
            device.core.allow_own()
        for author in device.core.paused_authors():
            self.say(f"{device.name} paused {author.hex()[:6]}")
            device.core.allow(author, 1 << 62)

    def revert(self) -> None:
        """Readers give up what they changed."""
        for each in self.devices:
            if not each.policy.writes:
                each.core.revert(each.store.held(Why.CHANGED_HERE))

    # --- what must be true

    def check(self) -> None:
        """After `heal`."""
        trees = [self.tree(each) for each in self.devices]
        whole = next(index for index, each in enumerate(self.devices) if not each.disk.folds)
        for device, tree in zip(self.devices, trees, strict=True):
            want = trees[whole]
            if device.disk.folds:
                shadowed = set(device.store.held(Why.SHADOWED))
                want = {path: each for path, each in want.items() if path not in shadowed}
            assert tree == want, self._differences(device, tree, want)
        worlds = [
            {path: heads for path, heads in each.store.world.items.items() if not self.forgets or live(heads)}
            for each in self.devices]
        for device, world in zip(self.devices, worlds, strict=True):
            assert world == worlds[0], f"seed {self.seed}: {device.name} has other heads"
            assert all(self._may_sign(each) for heads in world.values() for each in heads), "a reader signed"
        self.nothing_lost()
        for device in self.devices:
            assert not device.disk.left, f"seed {self.seed}: {device.name} left {device.disk.left}"

    def _may_sign(self, entry: Entry) -> bool:
        return any(each.me == entry.author and each.policy.writes for each in self.devices) or any(
            each.me == entry.author and all(one.counts(entry) for one in self.devices) for each in self.gone)

    def nothing_lost(self) -> None:
        have: set[bytes] = set()
        for each in (*self.devices, *self.gone):
            have.update(node.data for _, node in each.disk.walk() if node.kind is EntryKind.FILE)
            have.update(each.disk.versions.values())
        lost = [data for data in self.user.saved if data not in have and data not in self.user.given_up]
        assert not lost, f"seed {self.seed}: lost {[(each, self.user.saved[each]) for each in lost]}"

    def tree(self, device: Device) -> dict[str, tuple[object, ...]]:
        return {
            path: (node.kind, node.data, node.mtime_ns if node.kind is EntryKind.FILE else 0, node.executable,
                   node.target)
            for path, node in device.disk.walk()}

    def _differences(
        self, device: Device, tree: dict[str, tuple[object, ...]], want: dict[str, tuple[object, ...]]
    ) -> str:
        lines = [f"seed {self.seed}: {device.name} differs from the first"]
        for path in sorted(set(tree) | set(want)):
            if tree.get(path) != want.get(path):
                lines.append(f"  {path}: {tree.get(path)} and not {want.get(path)}, {device.store.why(path)}")
                lines += [f"      {each.author.hex()[:6]} {each.vector} {'gone' if each.deleted else each.kind.value} "
                          f"{each.root.hex()[:6]}" for each in device.store.world.get(path)]
        return "\n".join(lines)


class _Alive:
    """A process that may die: it starts again."""

    def __init__(self, world: World, device: Device) -> None:
        self._world = world
        self._device = device

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, Crash | Died):
            self._world.say(f"{self._device.name} crashed")
            self._device.crashed(self._world.now)
            return True
        return False


def play(seed: int, acts: int, **options: object) -> World:
    """So many acts of users everywhere, with trouble; then rest. Checked."""
    world = World(seed, **options)  # type: ignore[arg-type]  # handed through
    for _ in range(acts):
        world.act(world.rng.choice(world.devices))
        for _ in range(world.rng.randrange(6)):
            world.turn()
    _rest(world)
    return world


def taken_out(seed: int, acts: int, **options: object) -> World:
    """As `play`; in the midst of it one device is taken out, by one or two that have not all of it. Checked."""
    world = World(seed, **options)  # type: ignore[arg-type]  # handed through
    writers = [each for each in world.devices if each.policy.writes]
    gone, *owners = world.rng.sample(writers, min(len(writers), 3))
    for nth in range(acts):
        if nth == acts // 2:
            owners = owners[: world.rng.choice((1, 2))]
            _late(world, gone, [each for each in world.devices if each is not gone and each not in owners])
            world.take_out(gone, *owners)
        world.act(world.rng.choice(world.devices))
        for _ in range(world.rng.randrange(6)):
            world.turn()
    _rest(world)
    return world


def _rest(world: World) -> None:
    world.heal()
    # Of a conflict, the next side is waited for when the user gave up the first one.
    while any(each.store.held(Why.NOWHERE) for each in world.devices) and world.given_up < 10:
        world.give_up()
        world.heal()
    world.revert()
    world.heal()
    world.check()


def _late(world: World, gone: Device, others: list[Device]) -> None:
    """What the one does that will be taken out comes to these alone."""
    for _ in range(8):
        world.act(gone)
        device = world.rng.choice(others or [gone])
        for each in (gone, device):
            world.scan(each)
            world.work(each)
        world.pull(device, gone)
        world.deliver()
        world.now += 2


def rounds(seed: int, count: int, **options: object) -> World:
    """One user at a time: whatever the others and the wire do, the outcome is what that user left."""
    options.setdefault("trouble", Trouble(restore=0))
    world = World(seed, **options)  # type: ignore[arg-type]  # handed through
    writers = [each for each in world.devices if each.policy.writes]
    for _ in range(count):
        device = world.rng.choice(writers)
        if device.store.held(Why.SHADOWED):
            # Its user does not see all there is, and may well be in somebody's way.
            continue
        for _ in range(world.rng.randrange(1, 8)):
            world.act(device)
            for _ in range(world.rng.randrange(4)):
                world.turn()
        left = world.tree(device)
        hidden = set(device.store.held(Why.SHADOWED))
        world.heal()
        world.check()
        # A name that had no room here may have some now: that is no change by anybody.
        after = {path: each for path, each in world.tree(device).items() if path in left or path not in hidden}
        assert after == left, world._differences(device, after, left)
    return world
