"""Strangers with a link, against a whole client that gave it, and an inviter that is not what its link says."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from clients import client
from hostile import inside, until
from rosterbed import keys_of
from wildbach.base import limits
from wildbach.base.errors import NetworkError
from wildbach.interfaces.api import syncmodels as sy
from wildbach.interfaces.api.local import LocalApi
from wildbach.net.meeting import Meeting, Met
from wildbach.net.mux import Channel, Mux
from wildbach.net.tcp import TcpTransport
from wildbach.protocol import bencode
from wildbach.protocol.peer_id import new_peer_id
from wildbach.protocol.sync.joining import Asking, Welcome, read_answer
from wildbach.protocol.sync.links import SyncLink
from wildbach.protocol.sync.opening import Caller, Secrets

Work = Callable[[LocalApi, SyncLink], Awaitable[None]]
NAMES = ["x" * 10_000, "\x1b[2Jcleared", "a\nb", "\u202egnp.exe", "\u200b", "\ud800"]
_CALLS = itertools.count()


class Stranger:
    """Somebody who has a link. A `net.mux.MuxOwner`."""

    def __init__(self, name: str, met: Met[str]) -> None:
        self.keys = keys_of(name)
        self.session = met.opened.hash
        self.heard: list[bytes] = []
        self.over = False
        self.mux = Mux(met.connection, met.opened.initiator, self)

    @classmethod
    async def calls(cls, api: LocalApi, link: SyncLink, name: str) -> Stranger:
        connection = await TcpTransport().dial(api.core.session.listening[0])
        keys = Secrets[str]().put("link", link.token.raw)
        peer_id = new_peer_id(Random(f"{name} {next(_CALLS)}"))
        return cls(name, await Meeting(connection, Caller("link", keys, keys_of(name).static, peer_id)).over())

    def asks(self, link: SyncLink) -> Stranger:
        self.mux.send(Asking.signed(self.keys, self.keys.id.hex()[:8], link.token, self.session).pack())
        return self

    def message(self, payload: bytes) -> None:
        self.heard.append(payload)

    def opened(self, channel: Channel, request: bytes) -> bool:
        return False

    def drained(self) -> None:
        pass

    def closed(self, error: Exception | None) -> None:
        self.over = True


@pytest.fixture
def shared(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Callable[[Work, bool], None]:
    """Plays a story with a folder and a link to it, for one device or for many."""
    def run(work: Work, reusable: bool) -> None:
        async def main() -> None:
            path = tmp_path / "photos"
            path.mkdir()
            (path / "a").write_bytes(b"one")
            async with client(tmp_path) as api:
                await api.create_synced(sy.SyncMaking(str(path)))
                made = await api.share_synced("photos", sy.SyncLinkMaking("rw", 24, reusable))
                await work(api, SyncLink.parse(made.text))
                assert inside(path) == {"a": b"one"}
        asyncio.run(main())
        assert [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR] == []
    return run


def members(api: LocalApi) -> list[str]:
    state = api.sync.find("photos").folder.membership.view.state
    return sorted(each.name for each in state.members.values())


def test_silent_connections_with_a_link_are_few_and_who_asks_is_let_in(
    shared: Callable[[Work, bool], None], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "SYNC_ADMISSIONS", 4)

    async def work(api: LocalApi, link: SyncLink) -> None:
        silent = [await Stranger.calls(api, link, f"s{number}") for number in range(20)]
        await until(lambda: sum(not each.over for each in silent) == 4)
        # Half of them say something that is not to be said, and go.
        for each in silent[-2:]:
            each.mux.send(bencode.encode({b"t": b"join"}))
        await until(lambda: sum(not each.over for each in silent) == 2)
        honest = (await Stranger.calls(api, link, "honest")).asks(link)
        await until(lambda: bool(honest.heard))
        assert isinstance(read_answer(honest.heard[0]), Welcome)
        assert honest.keys.id in api.sync.find("photos").folder.membership.view.state.members
        for each in (*silent, honest):
            each.mux.close()
    shared(work, False)


def test_what_is_said_before_the_answer_is_not_kept_without_end(shared: Callable[[Work, bool], None]) -> None:
    async def work(api: LocalApi, link: SyncLink) -> None:
        folder = api.sync.find("photos").folder
        free = asyncio.Event()

        async def slowly(*_: object) -> tuple[bytes, ...]:
            await free.wait()
            return folder.membership.rosters.chain()

        api.sync._admissions._take = slowly
        flood = (await Stranger.calls(api, link, "flood")).asks(link)
        # It says more than is read, and that is noticed at its side.
        with pytest.raises(NetworkError):
            for _ in range(2000):
                flood.mux.send(bytes(1 << 20))
                await asyncio.sleep(0)
                if flood.over:
                    raise NetworkError("left")
        talks = list(api.sync._admissions._talks)
        assert sum(each.came.qsize() for each in talks) <= 8
        free.set()
        flood.mux.close()
    shared(work, False)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_name_that_is_too_long_or_does_not_print_is_let_in_by_no_link(
    shared: Callable[[Work, bool], None], name: str,
) -> None:
    async def work(api: LocalApi, link: SyncLink) -> None:
        evil = await Stranger.calls(api, link, "evil")
        asking = Asking(evil.keys.public, name, b"")
        raw = name.encode("utf-8", "surrogatepass")
        signed = b"wildbach sync join 1\0" + link.token.hash + evil.session + asking.device.pack() + raw
        evil.mux.send(bencode.encode({
            b"d": asking.device.pack(), b"n": raw, b"s": evil.keys.sign(signed), b"t": b"join"}))
        await until(lambda: evil.over)
        assert len(members(api)) == 1 and not evil.heard
        # The link is not used up by it.
        good = (await Stranger.calls(api, link, "good")).asks(link)
        await until(lambda: bool(good.heard))
        assert len(members(api)) == 2
        good.mux.close()
    shared(work, False)


def test_a_request_that_was_heard_elsewhere_or_is_of_somebody_else_lets_nobody_in(
    shared: Callable[[Work, bool], None],
) -> None:
    async def work(api: LocalApi, link: SyncLink) -> None:
        one, other = await Stranger.calls(api, link, "one"), await Stranger.calls(api, link, "other")
        said = Asking.signed(one.keys, "one", link.token, one.session).pack()
        other.mux.send(said)
        await until(lambda: other.over)
        again = await Stranger.calls(api, link, "one")
        again.mux.send(said)  # of another connection
        await until(lambda: again.over)
        assert len(members(api)) == 1
        one.mux.send(said)
        await until(lambda: bool(one.heard))
        assert len(members(api)) == 2
        one.mux.close()
    shared(work, False)


def test_of_many_that_come_by_one_link_at_once_one_is_let_in(shared: Callable[[Work, bool], None]) -> None:
    async def work(api: LocalApi, link: SyncLink) -> None:
        met = [await Stranger.calls(api, link, f"m{number}") for number in range(8)]
        for each in met:
            each.asks(link)
        await until(lambda: all(each.heard or each.over for each in met))
        answers = [read_answer(each.heard[0]) for each in met if each.heard]
        assert sum(isinstance(each, Welcome) for each in answers) == 1
        assert len(members(api)) == 2
        for each in met:
            each.mux.close()
    shared(work, False)
