"""A member that promises all and gives nothing, beside one that has it: two real daemons, and the test is the first.
"""

from __future__ import annotations

import asyncio
import os
import time
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fakes import Deaf
from hostile import Member
from syncdaemons import Daemon, Group, until
from wildbach.base.ids import Endpoint
from wildbach.net.meeting import Meeting
from wildbach.net.mux import Channel
from wildbach.net.tcp import TcpTransport
from wildbach.protocol.peer_id import new_peer_id
from wildbach.protocol.sync.joining import Joined
from wildbach.protocol.sync.links import SyncLink
from wildbach.protocol.sync.messages import Ack, Entries
from wildbach.protocol.sync.opening import Caller, Secrets
from wildbach.runtime.workers import Threads
from wildbach.services.sync import joining
from wildbach.services.sync.session import CONTENT

pytestmark = pytest.mark.slow
MIB = 1 << 20
HAVE_ALL_AND_UNCHOKED = b"\0\0\0\1\x0e" + b"\0\0\0\1\1"


class Promiser(Member):
    """It joined by a link. It is `silent` on a connection where that is set: it takes every question, has all, and
    gives nothing.
    """

    asked_large = 0

    @classmethod
    async def joined(cls, name: str, text: str) -> Joined:
        """It takes the link."""
        link = SyncLink.parse(text)
        keys = Secrets[str]().put("link", link.token.raw)
        own = Member(name, cast(Any, None), cast(Any, None)).keys
        connection = await TcpTransport().dial(link.endpoints[0])
        met = await Meeting(connection, Caller("link", keys, own.static, new_peer_id(Random(name)))).over()
        threads = Threads(1)
        try:
            return await joining.ask(met, link, own, name, threads)
        finally:
            threads.close()

    @classmethod
    async def at(cls, name: str, who: Joined, where: Endpoint) -> Promiser:
        """Connected with one of the daemons."""
        view = who.rosters.view
        membership = SimpleNamespace(rosters=who.rosters, view=view, epoch=view.state.epoch)
        session = SimpleNamespace(listening=[where])
        made = cls(name, cast(Any, SimpleNamespace(core=SimpleNamespace(session=session))),
                   cast(Any, SimpleNamespace(id=view.folder, membership=membership)))
        made._random = Random(f"{name} {where}")
        made.learn()
        return cast(Promiser, await made.ready())

    def opened(self, channel: Channel, request: bytes) -> bool:
        if self.silent and CONTENT in request:
            self.asked_large += 1
            channel.start(Deaf())
            channel.send(HAVE_ALL_AND_UNCHOKED)
            return True
        return super().opened(channel, request)


def listens(daemon: Daemon) -> Endpoint:
    host, _, port = daemon.command.env["WILDBACH_CONNECTIONS_LISTEN"].rpartition(":")
    return Endpoint(host, int(port))


def test_a_member_that_promises_all_and_gives_nothing_holds_up_nobody_for_long(group: Group) -> None:
    a, b = group.add("a"), group.add("b")
    a.files.mkdir()
    large = {f"large {number}": os.urandom(3 * MIB) for number in range(2)}
    small = {f"small {number}": b"%d" % number * 1000 for number in range(30)}
    theirs = {f"theirs {number}": b"t%d" % number * 100 for number in range(30)}
    for name, content in {**large, **small}.items():
        (a.files / name).write_bytes(content)

    async def story() -> None:
        await asyncio.to_thread(a.create)
        who = await Promiser.joined("promiser", await asyncio.to_thread(a.share))
        good = await Promiser.at("promiser", who, listens(a))
        # To a it is honest, so a has files that it signed; b will ask first who signed them.
        rows = [good.entry(name, content) for name, content in theirs.items()]
        good.tell(*rows)
        all_names = {*large, *small, *theirs}
        await asyncio.to_thread(
            until, lambda: {each.name for each in a.files.iterdir()} - {".wildbach"} == all_names, "a has them")
        await asyncio.to_thread(b.join, await asyncio.to_thread(a.share))
        # All that it heard of a it tells b as well, at once, and says that more is to come.
        bad = await Promiser.at("promiser", who, listens(b))
        bad.silent = True
        heard = [row for each in good.heard if isinstance(each, Entries) for row in each.entries]
        bad.tell(*dict.fromkeys((*[each.pack() for each in rows], *heard)), whole=False)
        bad.claim(1_000_000)
        began = time.monotonic()
        found = await asyncio.to_thread(group.same, seconds=90)
        assert set(found) == all_names and time.monotonic() - began < 60
        # It is still there, and so it goes on.
        assert not bad.over
        (a.files / "later").write_bytes(b"later")
        (a.files / "large later").write_bytes(os.urandom(2 * MIB))
        (a.files / "small 1").unlink()
        found = await asyncio.to_thread(group.same, seconds=60)
        assert {"later", "large later"} <= set(found) and "small 1" not in found
        (b.files / "back").write_bytes(b"back")
        await asyncio.to_thread(group.same, seconds=30)
        assert bad.asked and bad.asked_large and any(isinstance(each, Ack) for each in bad.heard)
        for each in (good, bad):
            each.close()

    asyncio.run(story())
