"""The chain as a node: HTTP in front, one thread that does all of its work, and a clock that makes blocks.

Whoever asks is a stranger. A question has a limit on its size and on its time, as many wait as are allowed to and the
rest is told to come again. Pages of browsers ask nothing here: whatever comes with an Origin is refused.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from wildbach.base import limits
from wildbach.base.errors import FormatError, StorageError, UsageError
from wildbach.base.ids import Endpoint
from wildbach.net.httpd import Answer, HttpServer, Request, Response
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.devchain.api import Absent, Api, error_of
from wildbach.services.devchain.asking import Asked
from wildbach.services.devchain.chain import DevChain, Options
from wildbach.services.devchain.events import Events
from wildbach.services.devchain.store import Store
from wildbach.services.devchain.switches import Stalled, Switches

T = TypeVar("T")

_log = logging.getLogger(__name__)

_JSON: Final = "application/json"
_WALLET: Final = "wallet/"
_SOLID: Final = "walletsolidity/"
SWITCHES: Final = "switches/"
"All that a test may do to a chain lies below this path."
FAUCET: Final = "faucet"
_TRIED: Final = ("/triggerconstantcontract", "/estimateenergy")
_LONGEST_PAUSE: Final = 1.0
_STALL_SECONDS: Final = 60.0


class DevNode:
    """Use `async with`. `switched`: tests may undo blocks, move the clock, and have it lie."""

    def __init__(
        self, path: Path | None, options: Options, *, switched: bool = False,
        wall: Callable[[], float] = time.time, pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._path = path
        self._options = options
        self._wall = wall
        self._pause = pause
        self._threads = Threads(1, "devchain")
        self._scope = Scope("devchain")
        self._waiting = self._tried = 0
        self._store: Store
        self._api: Api
        self._events: Events
        self.chain: DevChain
        "Its methods belong to one thread: `run` calls them there."
        self.switches: Switches | None = Switches(self.run) if switched else None
        self.http = HttpServer(self._answer, connections=limits.DEVCHAIN_QUEUE, name="wildbach")

    async def __aenter__(self) -> DevNode:
        try:
            await self._threads.run(self._open)
            await self._scope.__aenter__()
        except BaseException:
            self._threads.close()
            raise
        self._scope.spawn("blocks", self._make_blocks())
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.http.close()
        await self._scope.__aexit__(*error)
        await self._threads.run(self._store.close)
        self._threads.close()

    async def listen(self, host: str, port: int) -> Endpoint:
        """At a literal address; port 0 for any. Raises NetworkError."""
        return await self.http.start(host, port)

    def _open(self) -> None:
        self._store = Store(self._path)
        self.chain = DevChain(self._store, self._options, wall=self._wall, steady=time.monotonic)
        self._api = Api(self.chain)
        self._events = Events(self.chain)
        self.chain.tick()

    async def run(self, call: Callable[[DevChain], T]) -> T:
        """Call something with the chain, in its thread."""
        return await self._threads.run(lambda: call(self.chain))

    async def _make_blocks(self) -> None:
        said = ""
        while True:
            try:
                due = await self._threads.run(self._tick)
                said = ""
            except StorageError as error:
                due = _LONGEST_PAUSE * 1000
                if str(error) != said:
                    said = str(error)
                    _log.warning("no block can be made: %s", said)
            # The clock may be set meanwhile.
            await self._pause(min(max(due / 1000, 0.001), _LONGEST_PAUSE))

    def _tick(self) -> float:
        self.chain.tick()
        return self.chain.due

    # -- questions

    async def _answer(self, request: Request) -> Answer:
        if "origin" in request.headers:
            return _told({"Error": "pages of browsers ask nothing here"}, 403)
        if request.method not in ("GET", "POST"):
            return Response(b"GET and POST are known here\n", 405, headers={"Allow": "GET, POST"})
        path = request.path.strip("/")
        try:
            asked = Asked.of_query(request.query)
            if request.method == "POST":
                asked = Asked.of_body(await request.body(limits.DEVCHAIN_BODY_BYTES))
            return await self._told(path, asked, request.method)
        except Absent:
            return Response(b"there is nothing here\n", 404)
        except Stalled:
            request.with_client()
            await self._pause(_STALL_SECONDS)
            return Response(b"", 504, headers={"Connection": "close"})
        except (FormatError, UsageError) as error:
            return _told(error_of(error), 200)
        except StorageError as error:
            return _told({"Error": f"class java.io.IOException : {error}"}, 503)

    async def _told(self, path: str, asked: Asked, method: str) -> Response:
        tried = path.lower().endswith(_TRIED)
        if self._waiting >= limits.DEVCHAIN_QUEUE or (tried and self._tried >= limits.DEVCHAIN_CALLS):
            return _told({"Error": "class java.lang.IllegalAccessException : lack of computing resources"}, 200)
        self._waiting += 1
        self._tried += tried
        try:
            if path.startswith(SWITCHES) and self.switches is not None and method == "POST":
                return _told(await self.switches.turn(path[len(SWITCHES):], asked), 200)
            if path == FAUCET and method == "POST":
                return _told(await self._threads.run(self._feed, asked), 200)
            lie = await self.switches.met(path) if self.switches is not None else None
            body = lie if lie is not None else await self._threads.run(self._ask, path, asked)
        finally:
            self._waiting -= 1
            self._tried -= tried
        return Response(body, 200, _JSON)

    def _ask(self, path: str, asked: Asked) -> bytes:
        # A block that is due does not wait for all questions that came before.
        self.chain.tick()
        if path.startswith(_WALLET):
            told: Any = self._api.tell(path[len(_WALLET):], asked, solid=False)
        elif path.startswith(_SOLID):
            told = self._api.tell(path[len(_SOLID):], asked, solid=True)
        else:
            told = self._events.tell(path, asked)
        return msgspec.json.encode(told)

    def _feed(self, asked: Asked) -> dict[str, object]:
        try:
            txid = self.chain.feed(asked.address("address"), asked.number("amount"))
        except (UsageError, FormatError) as error:
            return {"Error": error.message}
        return {"txid": txid.hex()}


def _told(document: object, status: int) -> Response:
    return Response(msgspec.json.encode(document), status, _JSON)
