"""Small files of several members: who does not answer holds up nobody. In virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from tests.syncsim.made import entry
from tests.unit.protocol.sync.test_listpages import LONG

from wildbach.base import limits
from wildbach.base.errors import NetworkError, StorageError
from wildbach.base.ids import DeviceId
from wildbach.protocol import layers
from wildbach.protocol.sync.listpages import PAGE_BYTES, Page
from wildbach.protocol.sync.roster import Cut
from wildbach.protocol.sync.vectors import NOTHING
from wildbach.runtime.tasks import Scope
from wildbach.services.sync.fetching import PATIENCE_SECONDS, Fetching
from wildbach.services.sync.listing import AGAIN_SECONDS, Listing
from wildbach.services.sync.planner import Act, Op
from wildbach.services.sync.session import Link
from wildbach.testing.loop import sim

WORDS = [b"%d" % each for each in range(1000)]
CUT, PAGES = LONG
FILES = {layers.file_root(layers.leaf_hashes(raw)): raw for raw in WORDS}


def op(raw: bytes, path: str = "") -> Op:
    root = next(root for root, each in FILES.items() if each == raw)
    path = path or raw.decode()
    return Op(Act.INSTALL, path, replace(entry(path, raw.decode()), root=root), NOTHING, None)


class Member:
    """A `Link` to one that answers after some seconds; with None never."""

    def __init__(self, name: int, seconds: float | None = 0.01, has: Sequence[bytes] = tuple(WORDS)) -> None:
        self.device = DeviceId(bytes([name]) * 16)
        self.session = self
        self.seconds = seconds
        self.has = has
        self.asked = 0
        self.pages = dict(enumerate(PAGES))
        self.over = asyncio.Event()

    def close(self, error: Exception) -> None:
        self.over.set()

    async def bundle(self, files: Sequence[tuple[bytes, int]]) -> list[bytes]:
        self.asked += 1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.seconds):
                await self.over.wait()
                raise NetworkError("closed")
        return [FILES[root] if FILES[root] in self.has else b"" for root, _ in files]

    async def page(self, root: bytes, count: int, number: int) -> Page:
        assert (root, count) == (CUT.root, CUT.count)
        await self.bundle([])
        return self.pages.get(number, Page(b"", b""))


class Loop:
    """`Threads` that run at once."""

    async def run(self, work: Any, *values: object) -> Any:
        return work(*values)


class Bed:
    """A folder that asks."""

    def __init__(self, scope: Scope, *members: Member) -> None:
        self.members = members
        self.scope = scope
        self.woken = asyncio.Event()
        self.bugs: list[Exception] = []
        self.fetching = Fetching(cast("Any", Loop()), scope, self.woken.set, self.bugs.append)

    async def small(self, *ops: Op) -> tuple[list[bytes], int, float]:
        """Contents, how many are late, and the seconds that it took."""
        start = now()
        found, late = await self.fetching.small(ops, lambda op: cast("list[Link]", list(self.members)))
        return sorted(found.values()), len(late), round(now() - start, 1)


def now() -> float:
    return asyncio.get_running_loop().time()


@contextlib.asynccontextmanager
async def bed(*members: Member) -> AsyncIterator[Bed]:
    async with Scope("bed") as scope:
        made = Bed(scope, *members)
        yield made
        assert not made.bugs
        await scope.close()


def test_who_answers_is_asked_where_another_is_silent() -> None:
    async def work() -> None:
        async with bed(Member(1, None), Member(2)) as at:
            assert await at.small(op(b"1"), op(b"2")) == ([b"1", b"2"], 0, PATIENCE_SECONDS)
            # It is known now, and the other one is asked first.
            assert await at.small(op(b"3")) == ([b"3"], 0, 0.0)
            assert at.members[0].asked == 1
    sim(1).run(work())


def test_what_only_a_silent_one_has_is_late_and_holds_up_nothing_else() -> None:
    async def work() -> None:
        silent, other = Member(1, None), Member(2, has=[b"2", b"4"])
        async with bed(silent, other) as at:
            assert await at.small(op(b"1"), op(b"2")) == ([b"2"], 1, PATIENCE_SECONDS)
            assert await at.small(op(b"1"), op(b"4")) == ([b"4"], 1, 0.0)
            assert at.fetching.take_arrived() == []
            start = now()
            await at.woken.wait()
            assert now() - start <= limits.SYNC_BUNDLE_SECONDS and silent.over.is_set()
            assert at.fetching.take_arrived() == ["1"]
            # Nobody has it: said once, and asked anew after that.
            assert await at.small(op(b"1")) == ([], 0, 0.0)
            other.has = WORDS
            assert await at.small(op(b"1")) == ([b"1"], 0, 0.0)
            assert silent.asked == 1
    sim(1).run(work())


def test_what_comes_late_is_there_when_it_is_looked_at_again() -> None:
    async def work() -> None:
        async with bed(Member(1, 30.0)) as at:
            assert await at.small(op(b"1"), op(b"1", "copy")) == ([], 1, PATIENCE_SECONDS)
            await at.woken.wait()
            assert sorted(at.fetching.take_arrived()) == ["1", "copy"]
            assert await at.small(op(b"1")) == ([b"1"], 0, 0.0)
            # It answered, so that it is waited for again.
            assert await at.small(op(b"2")) == ([], 1, PATIENCE_SECONDS)
    sim(1).run(work())


def test_a_member_that_is_gone_leaves_nothing_behind() -> None:
    async def work() -> None:
        async with bed(Member(1, None)) as at:
            assert await at.small(op(b"1")) == ([], 1, PATIENCE_SECONDS)
            at.members[0].close(NetworkError("gone"))
            await at.woken.wait()
            assert at.fetching.take_arrived() == ["1"]
            assert not at.fetching._coming and not at.fetching._asked and not at.fetching._turns
    sim(1).run(work())


def test_what_a_silent_one_is_asked_for_is_bounded_and_the_rest_waits_for_room() -> None:
    async def work() -> None:
        silent = Member(1, None)
        async with bed(silent) as at:
            await at.small(op(b"1"))
            at.fetching._asked[silent.device] += 8 * limits.MIB
            assert await at.small(op(b"2")) == ([], 1, 0.0)
            assert silent.asked == 1
            at.fetching._asked[silent.device] -= 8 * limits.MIB
            silent.close(NetworkError("gone"))
            await at.woken.wait()
            assert sorted(at.fetching.take_arrived()) == ["1", "2"]
    sim(1).run(work())


def test_all_that_waits_for_room_comes_where_nothing_is_on_its_way_any_more() -> None:
    async def work() -> None:
        silent = Member(1, None)
        async with bed(silent) as at:
            await at.small(op(b"1"))
            at.fetching._asked[silent.device] += 8 * limits.MIB
            names = [f"{number:03}" for number in range(600)]
            assert await at.small(*(op(b"2", name) for name in names)) == ([], 1, 0.0)
            at.fetching._asked[silent.device] -= 8 * limits.MIB
            silent.close(NetworkError("gone"))
            await at.woken.wait()
            assert sorted(at.fetching.take_arrived()) == sorted([*names, "1"])
    sim(1).run(work())


def test_pages_of_lists_are_asked_of_who_answers_and_a_silent_one_is_waited_for_once() -> None:
    async def work() -> None:
        async with bed(Member(1, None), Member(2)) as at:
            links = cast("list[Link]", list(at.members))
            start = now()
            for number in range(2):
                assert await at.fetching.page(links, CUT, number) == PAGES[number]
            assert now() - start < PATIENCE_SECONDS + 1 and not at.members[0].over.is_set()
            assert at.members[0].asked == 1 and at.members[1].asked == 2
    sim(1).run(work())


def test_a_page_that_only_a_slow_one_has_comes_and_a_silent_one_is_left() -> None:
    async def work() -> None:
        async with bed(Member(1, None), Member(2, 30.0)) as at:
            links = cast("list[Link]", list(at.members))
            assert await at.fetching.page(links, CUT, 0) == PAGES[0]
            assert at.members[0].over.is_set() and not at.members[1].over.is_set()
            start = now()
            assert await at.fetching.page(links, CUT, 1) == PAGES[1]
            assert now() - start < 31, "who is slow is not asked in vain each time"
    sim(1).run(work())


@pytest.mark.parametrize("false", [
    PAGES[1], replace(PAGES[0], layer=bytes(64)), replace(PAGES[0], content=b"x" * PAGE_BYTES), Page(b"", b"x" * 32)])
def test_who_sends_another_page_is_left_and_the_next_one_is_asked(false: Page) -> None:
    async def work() -> None:
        async with bed(Member(1), Member(2)) as at:
            at.members[0].pages = {0: false}
            assert await at.fetching.page(cast("list[Link]", list(at.members)), CUT, 0) == PAGES[0]
            assert at.members[0].over.is_set() and not at.members[1].over.is_set()
    sim(1).run(work())


def test_a_list_goes_on_with_another_member_where_the_first_was_lost() -> None:
    async def work() -> None:
        first, second = Member(1), Member(2)
        first.pages = {0: PAGES[0]}
        async with bed(first, second) as at:
            links, here, calls = cast("list[Link]", [first]), dict[int, Page](), 0

            async def call(what: Callable[[], Any]) -> Any:
                nonlocal calls
                calls += 1
                if calls == 2:
                    raise StorageError("full", code="disk_full")
                return what()

            def wanted() -> list[tuple[Cut, list[int]]]:
                lacking = [each for each in range(3) if each not in here]
                return [(CUT, lacking)] if lacking else []

            listing = Listing(
                at.fetching, at.scope, call, lambda: links, wanted,
                lambda cut, number, page: here.update({number: page}), at.bugs.append)
            listing.look()
            await asyncio.sleep(2 * AGAIN_SECONDS)
            # The disk was full when the first page came; the second one nobody has.
            assert here == {0: PAGES[0]} and first.asked >= 3
            links.clear()
            await asyncio.sleep(2 * AGAIN_SECONDS)
            links.append(cast("Link", second))
            listing.look()
            await asyncio.sleep(1)
            assert here == dict(enumerate(PAGES)) and second.asked == 2 and not listing._running
            listing.look()
            await asyncio.sleep(1)
            assert second.asked == 2 and not listing._running
    sim(1).run(work())
