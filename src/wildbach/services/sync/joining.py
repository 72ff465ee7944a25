"""Both sides of joining by a link, on a connection that opened with the link's token."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from wildbach.base import limits
from wildbach.base.addresses import crowding
from wildbach.base.errors import FormatError, NetworkError, WildbachError
from wildbach.net.meeting import Met
from wildbach.net.mux import Channel, Mux
from wildbach.protocol.sync import joining
from wildbach.protocol.sync.devices import DeviceKeys
from wildbach.protocol.sync.joining import Asking, Joined, LinkRefused, Reception, Refusal
from wildbach.protocol.sync.links import SyncLink
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads

ANSWER_SECONDS = 60.0
_UNREAD = 4
"Messages that wait; more are not read from the connection."
_TOLD = {
    "unknown": "the device that gave the link does not know it any more",
    "expired": "the link has ended: ask for a new one",
    "spent": "somebody has used the link already: ask for a new one",
    "epoch": "the folder's secrets were changed since the link was made: ask for a new one",
    "not_owner": "the device that gave the link lets nobody in any more",
    "full": "so many came by the link already that it has ended: ask for a new one",
    "removed": "this device was taken out of the folder: ask for a link of its own",
}

Admit = Callable[[Asking, bytes], Awaitable[tuple[bytes, ...]]]
"Lists who asks (with the hash of the handshake's token) and returns the chain of rosters. Raises LinkRefused."


class _Talk:
    """Messages on a connection that has no other channels."""

    def __init__(self, met: Met[Any]) -> None:
        self.session = met.opened.hash
        self.exchange = met.opened.device
        self.host = met.connection.remote.host
        self.came: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.error: Exception | None = None
        self.left = asyncio.Event()
        self.mux = Mux(met.connection, met.opened.initiator, self)

    def message(self, payload: bytes) -> None:
        self.came.put_nowait(payload)
        if self.came.qsize() >= _UNREAD:
            self.mux.hold()

    def opened(self, channel: Channel, request: bytes) -> bool:
        return False

    def drained(self) -> None:
        self.left.set()

    def closed(self, error: Exception | None) -> None:
        self.error = error
        self.left.set()
        self.came.put_nowait(None)

    async def next(self) -> bytes:
        """Raises NetworkError at the end."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                payload = await self.came.get()
        except TimeoutError:
            raise NetworkError("the other device does not answer", code="timed_out") from None
        self.mux.go_on()
        if payload is None:
            raise self.error if isinstance(self.error, WildbachError) else NetworkError("the connection was closed")
        return payload


async def ask(met: Met[Any], link: SyncLink, keys: DeviceKeys, name: str, threads: Threads) -> Joined:
    """The joiner's side. Raises NetworkError, RemoteError, and FormatError where the link is refused."""
    talk = _Talk(met)
    try:
        talk.mux.send(Asking.signed(keys, name, link.token, talk.session).pack())
        reception = Reception()
        while True:
            answer = joining.read_answer(await talk.next())
            if isinstance(answer, Refusal):
                raise FormatError(_TOLD[answer.reason.value], code="link_refused", reason=answer.reason.value)
            if reception.take(answer):
                break
    finally:
        talk.mux.close()
    # They may be so many that looking at them takes half a minute.
    return await threads.run(joining.joined, link, reception.rosters, keys)


class Admissions:
    """Those who come by links that this device gave, or honours: at most SYNC_ADMISSIONS at a time. Who has a link can
    call as often as it likes, and say nothing.
    """

    def __init__(self, scope: Scope, take: Admit, report: Callable[[Exception], None]) -> None:
        self._scope = scope
        self._take = take
        self._report = report
        self._talks: dict[_Talk, None] = {}

    def begin(self, met: Met[Any], token_hash: bytes) -> None:
        """Somebody opened a connection with the token of a link."""
        if len(self._talks) >= limits.SYNC_ADMISSIONS:
            talks = list(self._talks)
            talks[crowding(each.host for each in talks)].mux.close(
                NetworkError("its place was needed", code="refused"))
        talk = _Talk(met)
        self._talks[talk] = None
        self._scope.spawn("admit", self._work(talk, token_hash), contain=self._report)

    async def _work(self, talk: _Talk, token_hash: bytes) -> None:
        try:
            await _admit(talk, token_hash, self._take)
        except WildbachError:
            # The other side left, or broke a rule: it can try again.
            return
        finally:
            self._talks.pop(talk, None)
            talk.mux.close()


async def _admit(talk: _Talk, token_hash: bytes, take: Admit) -> None:
    """The inviter's side. Raises NetworkError, RemoteError."""
    asking = Asking.unpack(await talk.next())
    if not asking.verify(talk.exchange, token_hash, talk.session):
        raise FormatError("asks to join with keys that are not its own", where="join")
    try:
        chain = await take(asking, token_hash)
    except LinkRefused as error:
        talk.mux.send(joining.refusal(error.reason))
    else:
        for part in joining.welcome(chain):
            talk.mux.send(part)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ANSWER_SECONDS):
            # The other side ends the connection when it has all.
            await talk.came.get()
