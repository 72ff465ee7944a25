"""Who may use the Api: handed on to what keeps the passwords."""

from __future__ import annotations

from typing import Protocol

from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.core import Core


class Doorkeeper(Protocol):
    """Keeps passwords, logins and keys (`interfaces.http.access`)."""

    async def access(self) -> m.AccessView: ...

    async def change_access(self, patch: m.AccessPatch) -> m.AccessView: ...

    async def set_password(self, password: m.Password) -> None: ...

    async def api_keys(self) -> m.ApiKeys: ...

    async def make_api_key(self, request: m.KeyRequest) -> m.ApiKey: ...

    async def remove_api_key(self, id: str) -> None: ...

    async def make_start_link(self) -> m.StartLink: ...

    async def login_sessions(self) -> m.LoginSessions: ...

    async def end_login_session(self, id: str) -> None: ...


class Entering:
    """A part of the Api."""

    core: Core
    doorkeeper: Doorkeeper | None = None
    "None where the Api is used in its own process only."

    def _keeper(self) -> Doorkeeper:
        if self.doorkeeper is None:
            raise UsageError("there is no door to this client, so nobody needs a key", code="no_door")
        return self.doorkeeper

    async def access(self) -> m.AccessView:
        return await self._keeper().access()

    async def change_access(self, patch: m.AccessPatch) -> m.AccessView:
        return await self._keeper().change_access(patch)

    async def set_password(self, password: m.Password) -> None:
        await self._keeper().set_password(password)

    async def api_keys(self) -> m.ApiKeys:
        return await self._keeper().api_keys()

    async def make_api_key(self, request: m.KeyRequest) -> m.ApiKey:
        return await self._keeper().make_api_key(request)

    async def remove_api_key(self, id: str) -> None:
        await self._keeper().remove_api_key(id)

    async def make_start_link(self) -> m.StartLink:
        return await self._keeper().make_start_link()

    async def login_sessions(self) -> m.LoginSessions:
        return await self._keeper().login_sessions()

    async def end_login_session(self, id: str) -> None:
        await self._keeper().end_login_session(id)
