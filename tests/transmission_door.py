"""A whole client behind a web server with the Transmission door, and a plain way to ask it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import aiohttp

from api_fakes import PASSWORD, FakeKeeper
from clients import client
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.api.local import LocalApi
from wildbach.interfaces.doors.transmission.door import HEADER, PREFIX, Door
from wildbach.interfaces.http import passwords
from wildbach.interfaces.http.access import Access
from wildbach.interfaces.http.server import WebServer
from wildbach.interfaces.settings import ApiSettings


@dataclass
class Answer:
    """`data` is the JSON of the body, None where there is none."""

    status: int
    headers: Mapping[str, str]
    text: str
    data: Any


@dataclass
class Asker:
    """Asks as a program does: gets the session id by a refusal, and sends it from then on."""

    port: int
    http: aiohttp.ClientSession
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PREFIX}"

    async def post(self, body: bytes, **headers: str) -> Answer:
        async with self.http.post(self.url, data=body, headers={**self.headers, **headers}) as answer:
            text = await answer.text()
            try:
                data = json.loads(text) if text else None
            except ValueError:
                data = None
            return Answer(answer.status, answer.headers, text, data)

    async def ask(self, what: object) -> Any:
        """What is said to a JSON value."""
        body = json.dumps(what).encode()
        answer = await self.post(body)
        if answer.status == 409:
            self.headers[HEADER] = answer.headers[HEADER]
            answer = await self.post(body)
        assert answer.status in (200, 204), answer
        return answer.data

    async def classic(self, method: str, **arguments: object) -> Any:
        """What is given to a call that goes well, in the classic dialect; `_` in names of arguments is `-`."""
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        answer = await self.ask({"method": method, "arguments": named})
        assert answer["result"] == "success", answer
        return answer["arguments"]

    async def refused(self, method: str, **arguments: object) -> str:
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        answer = await self.ask({"method": method, "arguments": named})
        assert answer["result"] != "success", answer
        return str(answer["result"])

    async def modern(self, method: str, **params: object) -> Any:
        answer = await self.ask({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
        assert answer["id"] == 7 and answer["jsonrpc"] == "2.0" and "error" not in answer, answer
        return answer["result"]


@dataclass
class There:
    api: Any
    door: Door
    port: int
    access: Access
    ask: Asker
    guest: Asker


@contextlib.asynccontextmanager
async def door_of(api: Api) -> AsyncIterator[There]:
    """A web server with the door before an Api; the user is `admin`."""
    with mock.patch.object(passwords, "_N", 1 << 8):
        settings = ApiSettings()
        access = Access(FakeKeeper(), lambda: settings)
        await access.load()
        await access.set_password(m.Password(PASSWORD))
        user = (await access.make_api_key(m.KeyRequest("user"))).secret
        guest = (await access.make_api_key(m.KeyRequest("guest", "guest"))).secret
        web = WebServer(api, access, lambda: settings)
        door = Door(api)
        web.mount(PREFIX, door)
        at = await web.http.start("127.0.0.1", 0)
        try:
            async with aiohttp.ClientSession() as http:
                yield There(
                    api, door, at.port, access, Asker(at.port, http, {"Authorization": f"Bearer {user}"}),
                    Asker(at.port, http, {"Authorization": f"Bearer {guest}"}))
        finally:
            await web.close()
            access.close()


@contextlib.asynccontextmanager
async def transmission(folder: Path, **settings: object) -> AsyncIterator[There]:
    """The same before a real client whose data is in `folder`."""
    async with client(folder, **settings) as api, door_of(api) as there:
        assert isinstance(there.api, LocalApi)
        yield there
