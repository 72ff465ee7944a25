"""Devices that share a secret meet: they call each other through the session's ways, and are let in at its door.

    meetings = Meetings(scope, session.door, session.call, static, rng, met, report)
    meetings.put("folder", secret)                  from now on callers with this secret are let in, as met(Met)
    met = await meetings.call(endpoint, "folder")   a Noise connection to who shares it

Who calls with none of the secrets sees what a client shows for a torrent that it does not have.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Generic, Protocol

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from wildbach.base import limits
from wildbach.base.addresses import Reach, classify, crowding
from wildbach.base.errors import NetworkError, RemoteError
from wildbach.base.ids import Endpoint
from wildbach.engine.door import Strangers
from wildbach.engine.roads import Reached
from wildbach.net.meeting import Meeting, Met, greeted
from wildbach.net.transport import Connection
from wildbach.protocol.peer_id import new_peer_id
from wildbach.protocol.sync.opening import Answerer, Caller, Found, MeetingKeys, N, Secrets, greeting
from wildbach.protocol.wire.handshake import Handshake
from wildbach.runtime.tasks import Scope

Call = Callable[[Endpoint, bytes, bytes], Awaitable[Reached]]
"`Session.call`: to an endpoint, with what an encrypted handshake names it by, and a greeting."


class Entrance(Protocol):
    """The session's door."""

    strangers: Strangers | None

    def open_for(self, swarms: Sequence[bytes]) -> None: ...

    def close_for(self, swarms: Sequence[bytes]) -> None: ...

    def keep(self, connection: Connection) -> None: ...


class Meetings(Generic[N]):
    """All secrets of a device, who calls by them, and who is called. Names of secrets are the caller's own."""

    def __init__(
        self, scope: Scope, door: Entrance, call: Call, static: X25519PrivateKey, rng: Random,
        met: Callable[[Met[N]], None], report: Callable[[Exception], None],
    ) -> None:
        """`static` is the device's own key. `met` gets who called us, with a connection that is not started. `report`
        gets a bug of ours.
        """
        self._scope = scope
        self._door = door
        self._call = call
        self._static = static
        self._rng = rng
        self._met = met
        self._report = report
        self._secrets = Secrets[N]()
        self._openings: dict[Meeting[N], None] = {}
        "Of those who called."
        self._since = float("-inf")
        self._tried = 0
        "Secrets that were tried on strangers since then, for a second."
        self.hello = b""
        "Said within each handshake, to who has the secret; at most limits.SYNC_HELLO_BYTES."
        self.refused = 0
        "Callers with a secret whose opening failed."
        door.strangers = self

    def put(self, name: N, secret: bytes) -> None:
        """Let in who has this secret (32 bytes), and be able to call by it. Raises LimitError."""
        self.drop(name)
        self._door.open_for((self._secrets.put(name, secret).mse,))

    def drop(self, name: N) -> None:
        """Do not know this secret any more. Connections that were made with it stay."""
        keys = self._secrets.drop(name)
        if keys is not None:
            self._door.close_for((keys.mse,))

    def close(self) -> None:
        """Let nobody in any more. Who has been met stays."""
        self._door.strangers = None
        for meeting in list(self._openings):
            meeting.close()

    # -- calling

    async def call(self, endpoint: Endpoint, name: N) -> Met[N]:
        """Call who shares this secret. Raises NetworkError, RemoteError, TimeoutError."""
        keys = self._keys(name)
        peer_id = new_peer_id(self._rng)
        reached = await self._call(endpoint, keys.mse, greeting(keys, peer_id))
        self._door.keep(reached.connection)
        return await self._play(reached.connection, name, keys, peer_id, said=reached.said)

    async def over(self, connection: Connection, name: N) -> Met[N]:
        """The same on a connection that somebody else has made: a relay, or both calling at once. Raises as `call`."""
        self._door.keep(connection)
        try:
            keys = self._keys(name)
        except NetworkError as error:
            connection.close(error)
            raise
        return await self._play(connection, name, keys, new_peer_id(self._rng), said=False)

    async def under(self, connection: Connection) -> Met[N]:
        """Let in who calls on a connection that did not come by the door: of a relay. Raises as `call`."""
        self._door.keep(connection)
        theirs = await greeted(connection)
        found = self._secrets.find(theirs)
        if found is None:
            unknown = RemoteError("calls with no secret that is known here")
            connection.close(unknown)
            raise unknown
        return await Meeting(connection, self._answerer(found, theirs)).over()

    def _keys(self, name: N) -> MeetingKeys:
        keys = self._secrets.keys(name)
        if keys is None:
            # It was given up while the call was under way.
            raise NetworkError("the secret to call by is not held any more", code="no_secret")
        return keys

    async def _play(self, connection: Connection, name: N, keys: MeetingKeys, peer_id: bytes, *, said: bool) -> Met[N]:
        return await Meeting(connection, Caller(name, keys, self._static, peer_id, self.hello, said=said)).over()

    # -- being called

    def answer(self, connection: Connection, theirs: Handshake) -> bool:
        """engine.door.Strangers: is it one of ours?"""
        if self._scope.closed or not self._may_try(connection):
            return False
        found = self._secrets.find(theirs)
        if found is None:
            return False
        if len(self._openings) >= limits.SYNC_OPENINGS:
            # Who has one secret, or a link, keeps nobody else out by calls that it does not go on with.
            openings = list(self._openings)
            openings[crowding(each.host for each in openings)].close()
        self._door.keep(connection)
        meeting = Meeting(connection, self._answerer(found, theirs))
        self._openings[meeting] = None
        self._scope.spawn("meeting", self._welcome(meeting), contain=self._report)
        return True

    def _may_try(self, connection: Connection) -> bool:
        """Strangers of the Internet may not keep us busy with secrets they do not have."""
        if classify(connection.remote.host) is not Reach.GLOBAL:
            return True
        now = asyncio.get_running_loop().time()
        if now - self._since >= 1.0:
            self._since, self._tried = now, 0
        if self._tried >= limits.SYNC_TRIES_PER_SECOND:
            return False
        self._tried += len(self._secrets)
        return True

    def _answerer(self, found: Found[N], theirs: Handshake) -> Answerer[N]:
        return Answerer(found, self._static, theirs, new_peer_id(self._rng), self.hello)

    async def _welcome(self, meeting: Meeting[N]) -> None:
        try:
            met = await meeting.over()
        except (RemoteError, NetworkError):
            self.refused += 1
            return
        finally:
            self._openings.pop(meeting, None)
        self._met(met)
