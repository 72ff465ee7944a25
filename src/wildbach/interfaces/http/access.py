"""Who may: passwords, logins, keys for programs, the link for the first start, and the token of this machine.

Secrets are random and long; only their hashes are kept, and nothing of them is ever logged. Until a password is set
nobody gets in but by the start link and the token file, unless its owner trusts this machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeVar

import msgspec
from msgspec import UNSET, Struct

from wildbach.base.addresses import Reach, classify
from wildbach.base.errors import StorageError, UsageError
from wildbach.disk import system
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.operation import Role
from wildbach.interfaces.http import headers, passwords
from wildbach.interfaces.http.attempts import Attempts
from wildbach.interfaces.http.refusals import Refusals
from wildbach.interfaces.settings import ApiSettings
from wildbach.net.httpd import Request
from wildbach.runtime.workers import Threads

_log = logging.getLogger(__name__)

AREA: Final = "access"
_SESSIONS = 200
"The one that was used longest ago makes room."
_KEYS = 100
_START_LINKS = 4
_START_PATH = "api/v1/start"
_START_SECONDS = 3600.0
_NOTED_SECONDS = 600
"How often is written down when a login or a key was last used."
_REMEMBERED = 32
"Basic credentials that were right a moment ago: hashing them anew for each request would cost too much."
_REMEMBERED_SECONDS = 600.0
_HASHING = 8
"Passwords that are being looked at; more are sent away."
_CHARS = 1000
_PROXIED: Final = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "forwarded", "via")

S = TypeVar("S", bound=Struct)


class Keeper(Protocol):
    """Where things are kept between runs."""

    async def kept(self, area: str) -> dict[str, bytes]: ...

    async def keep(self, area: str, changes: Mapping[str, bytes | None], *, durable: bool = False) -> None: ...


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who may."""

    role: Role
    name: str
    "The user, the key's name, or what let them in."
    via: str
    "session, key, basic, local (the token file), trusted (this machine), guest."
    id: str = ""
    "Of the login or the key."


caller: ContextVar[Who | None] = ContextVar("caller", default=None)
"On whose behalf an operation runs; None within the process."


class _Password(Struct, frozen=True):
    user: str
    hashed: passwords.Hashed


class _Options(Struct, frozen=True):
    trust_local: bool = False
    guest: bool = False


class _Session(Struct):
    digest: bytes
    user: str
    agent: str
    address: str
    made_at: int
    used_at: int


class _Key(Struct):
    digest: bytes
    name: str
    role: Role
    made_at: int
    used_at: int


class Access:
    """Call `load` before anything else, `close` at the end. `settings` gives those that hold now; `now` is in seconds
    since 1970, `monotonic` never goes back.
    """

    def __init__(
        self, keeper: Keeper, settings: Callable[[], ApiSettings], *, now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keeper = keeper
        self._settings = settings
        self._now = now
        self._monotonic = monotonic
        self._threads = Threads(2, "passwords")
        self._attempts = Attempts()
        self._refusals = Refusals()
        self._hashing = 0
        self._password: _Password | None = None
        self._options = _Options()
        self._sessions: dict[str, _Session] = {}
        self._by_digest: dict[bytes, str] = {}
        self._keys: dict[str, _Key] = {}
        self._starts: OrderedDict[bytes, float] = OrderedDict()
        self._local: bytes | None = None
        self._remembered: OrderedDict[bytes, float] = OrderedDict()
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        "Basic credentials that were wrong: who repeats them learns nothing, and guesses nothing."
        self._pepper = secrets.token_bytes(32)
        self._cookie = ""

    async def load(self) -> None:
        """Read what is kept; what cannot be read is left out, and said. Raises StorageError."""
        for name, raw in (await self._keeper.kept(AREA)).items():
            kind, _, ident = name.partition(":")
            if kind == "password":
                self._password = _read(raw, _Password, name) or self._password
            elif kind == "options":
                self._options = _read(raw, _Options, name) or self._options
            elif kind == "session" and (session := _read(raw, _Session, name)) is not None:
                self._sessions[ident] = session
                self._by_digest[session.digest] = ident
            elif kind == "key" and (key := _read(raw, _Key, name)) is not None:
                self._keys[ident] = key
            elif kind == "cookie":
                self._cookie = raw.decode("ascii", "replace")
        if not self._cookie:
            self._cookie = f"wildbach-{secrets.token_hex(3)}"
            await self._keep({"cookie": self._cookie.encode()})

    def close(self) -> None:
        self._threads.close()

    @property
    def cookie_name(self) -> str:
        """Of the cookie that holds a login. Cookies are shared by all ports of a host, so it differs by data directory.
        """
        return self._cookie

    @property
    def password_set(self) -> bool:
        return self._password is not None

    # -- getting in

    async def login(self, user: str, password: str, remote: str, agent: str = "") -> str:
        """A new login: its token, which goes into a cookie. `remote` is the caller's address.

        Raises UsageError: `login_refused`, `too_many_logins` (with `retry_after`), `no_password` where none is set.
        """
        await self._verify(user, password, remote)
        return await self._new_session(user, remote, agent)

    async def logout(self, token: str) -> None:
        """End a login. Idempotent."""
        ident = self._by_digest.get(_digest(token))
        if ident is not None:
            await self._end_sessions([ident])

    async def identify(self, request: Request, cookie: str = "") -> Who | None:
        """Who asks; None for a stranger. Reads `Authorization: Bearer` and `Basic`, and the cookie of that name, by
        default our own. Credentials that are wrong are not made good by being a guest.

        Raises UsageError (`too_many_logins`) for Basic credentials.
        """
        authorization = request.headers.get("authorization", "")
        if (token := headers.bearer(authorization)):
            return self.by_token(token)
        # Before Basic: a reverse proxy that asks for a password of its own passes it on with every request.
        token = headers.cookies(request.headers.get("cookie", "")).get(cookie or self._cookie, "")
        if token and (who := self.by_token(token)) is not None:
            return who
        if authorization:
            given = headers.basic(authorization)
            return await self._by_basic(*given, request.remote.host) if given is not None else None
        if self._options.trust_local and _is_of_this_machine(request):
            return Who("user", "this machine", "trusted")
        return Who("guest", "guest", "guest") if self._options.guest else None

    def by_token(self, token: str) -> Who | None:
        """Whom a token stands for: a login, a key, or this machine's token file."""
        if not token.isascii() or len(token) > _CHARS:
            return None
        digest = _digest(token)
        if self._local is not None and hmac.compare_digest(digest, self._local):
            return Who("user", "this machine", "local")
        now = int(self._now())
        ident = self._by_digest.get(digest)
        if ident is not None:
            session = self._sessions[ident]
            if self._is_over(session, now):
                return None
            session.used_at = now
            return Who("user", session.user, "session", ident)
        for ident, key in self._keys.items():
            if hmac.compare_digest(digest, key.digest):
                key.used_at = now
                return Who(key.role, key.name, "key", ident)
        return None

    def still(self, who: Who) -> bool:
        """Whether somebody who was let in still may: for connections that stay."""
        if who.via == "session":
            session = self._sessions.get(who.id)
            return session is not None and not self._is_over(session, int(self._now()))
        if who.via == "key":
            return who.id in self._keys
        if who.via == "trusted":
            return self._options.trust_local
        return self._options.guest if who.via == "guest" else True

    def start_token(self) -> str:
        """A token that is good for one login within the next hour, without a password."""
        token = secrets.token_urlsafe(32)
        self._starts[_digest(token)] = self._monotonic() + _START_SECONDS
        while len(self._starts) > _START_LINKS:
            self._starts.popitem(last=False)
        return token

    def start_url(self, root: str) -> str:
        """The link for the browser; `root` is where the server is, such as http://127.0.0.1:8080. The token stands
        behind a `#`, which browsers send to nobody, so no log and no proxy has it.
        """
        return f"{root.rstrip('/')}/{_START_PATH}#{self.start_token()}"

    async def start(self, token: str, remote: str, agent: str = "") -> str:
        """Take a start token: a new login's token. Raises UsageError, code `login_refused`."""
        until = self._starts.pop(_digest(token), None)
        if until is None or self._monotonic() > until:
            self._refusals.tell("a start link that is not good (any more) was opened", remote)
            raise UsageError(
                "this link was used already or is too old: it is good once, and for an hour. "
                "`wildbach open` makes another", code="login_refused")
        return await self._new_session(self._password.user if self._password else "admin", remote, agent)

    def write_local_token(self, path: Path) -> None:
        """A new token for programs of our own user on this machine: a file that only they can read. Blocks. Raises
        StorageError.
        """
        token = secrets.token_urlsafe(32)
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | system.CLOEXEC, 0o600)
            try:
                with os.fdopen(descriptor, "w", encoding="ascii") as file:
                    file.write(token + "\n")
                os.replace(beside, path)
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(beside)
                raise
        except OSError as error:
            raise system.storage_error(error, "write", str(path)) from error
        self._local = _digest(token)

    # -- the operations of the Api

    async def access(self) -> m.AccessView:
        return m.AccessView(
            self._password is not None, self._password.user if self._password else "", self._options.trust_local,
            self._options.guest)

    async def change_access(self, patch: m.AccessPatch) -> m.AccessView:
        old = self._options
        options = _Options(
            old.trust_local if patch.trust_local is UNSET else patch.trust_local,
            old.guest if patch.guest is UNSET else patch.guest)
        await self._keep({"options": msgspec.json.encode(options)}, durable=True)
        self._options = options
        _log.info("this machine is %strusted, guests may %slook", "" if options.trust_local else "not ",
                  "" if options.guest else "not ")
        return await self.access()

    async def set_password(self, password: m.Password) -> None:
        who = caller.get()
        if not password.user or ":" in password.user or not password.user.isprintable():
            raise UsageError("a user's name is not empty and has neither colons nor what cannot be shown", key="user")
        if self._password is not None and who is not None and who.via != "local":
            try:
                await self._verify(self._password.user, password.current, "0.0.0.0")
            except UsageError as error:
                if error.code != "login_refused":
                    raise
                raise UsageError("the current password is another", code="wrong_password") from None
        hashed = _Password(password.user, await self._threads.run(passwords.hashed, password.password))
        await self._keep({"password": msgspec.json.encode(hashed)}, durable=True)
        self._password = hashed
        self._remembered.clear()
        self._wrong.clear()
        self._starts.clear()
        _log.info("the password was set")
        own = who.id if who is not None and who.via == "session" else ""
        await self._end_sessions([ident for ident in self._sessions if ident != own])

    async def api_keys(self) -> m.ApiKeys:
        return m.ApiKeys(tuple(_shown_key(ident, key) for ident, key in self._keys.items()))

    async def make_api_key(self, request: m.KeyRequest) -> m.ApiKey:
        if len(self._keys) >= _KEYS:
            raise UsageError(f"there are {_KEYS} keys already: remove one", code="too_many_keys")
        ident, secret, now = secrets.token_hex(4), "wb_" + secrets.token_urlsafe(32), int(self._now())
        key = _Key(_digest(secret), request.name, request.role, now, 0)
        await self._keep({f"key:{ident}": msgspec.json.encode(key)}, durable=True)
        self._keys[ident] = key
        _log.info("a key for %r (%s) was made", request.name, request.role)
        return m.ApiKey(ident, key.name, key.role, now, 0, secret)

    async def remove_api_key(self, id: str) -> None:
        if id not in self._keys:
            raise UsageError("there is no such key", code="not_found", id=id)
        await self._keep({f"key:{id}": None}, durable=True)
        key = self._keys.pop(id, None)
        _log.info("the key for %r was removed", key.name if key else "")

    async def make_start_link(self) -> m.StartLink:
        return m.StartLink(f"{_START_PATH}#{self.start_token()}")

    async def login_sessions(self) -> m.LoginSessions:
        who, now = caller.get(), int(self._now())
        return m.LoginSessions(tuple(
            m.LoginSession(
                ident, one.agent, one.address, one.made_at, one.used_at, "user",
                who is not None and who.via == "session" and who.id == ident)
            for ident, one in self._sessions.items() if not self._is_over(one, now)
        ))

    async def end_login_session(self, id: str) -> None:
        if id not in self._sessions:
            raise UsageError("there is no such login", code="not_found", id=id)
        await self._end_sessions([id])

    async def note(self) -> None:
        """Write down when logins and keys were last used, and forget logins that are over: now and then, and at the
        end.
        """
        now = int(self._now())
        await self._end_sessions([ident for ident, one in self._sessions.items() if self._is_over(one, now)])
        await self._try_keep({
            **{f"session:{ident}": msgspec.json.encode(one) for ident, one in self._sessions.items()
               if now - one.used_at < 2 * _NOTED_SECONDS},
            **{f"key:{ident}": msgspec.json.encode(one) for ident, one in self._keys.items()
               if now - one.used_at < 2 * _NOTED_SECONDS},
        })

    # -- within

    async def _by_basic(self, user: str, password: str, remote: str) -> Who | None:
        mark = hmac.digest(self._pepper, f"{user}:{password}".encode("utf-8", "surrogatepass"), "sha256")
        if mark in self._wrong:
            return None
        until = self._remembered.get(mark)
        if until is None or self._monotonic() > until:
            # A program that has no login of its own may send a key as its password.
            if (who := self.by_token(password)) is not None and who.via == "key":
                return who
            try:
                await self._verify(user, password, remote)
            except UsageError as error:
                if error.code == "too_many_logins":
                    raise
                self._wrong[mark] = None
                while len(self._wrong) > _REMEMBERED:
                    self._wrong.popitem(last=False)
                return None
            self._remembered[mark] = self._monotonic() + _REMEMBERED_SECONDS
            while len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        return Who("user", user, "basic")

    async def _verify(self, user: str, password: str, remote: str) -> None:
        kept = self._password
        if kept is None:
            raise UsageError(
                "no password is set yet: open the start link that was shown when wildbach started; `wildbach open` "
                "makes another", code="no_password")
        known = any(one.address == remote for one in self._sessions.values())
        self._attempts.begin(remote, self._monotonic(), known=known)
        if self._hashing >= _HASHING:
            raise UsageError("too many logins at once: try again", code="too_many_logins", retry_after=1)
        self._hashing += 1
        try:
            right = len(password) <= _CHARS and await self._threads.run(passwords.matches, password, kept.hashed)
        finally:
            self._hashing -= 1
        same_user = hmac.compare_digest(
            user.encode("utf-8", "surrogatepass"), kept.user.encode("utf-8", "surrogatepass"))
        if not (right and same_user and self._password is kept):  # it may have been changed meanwhile
            self._refusals.tell("a login failed", remote)
            raise UsageError("wrong user or password", code="login_refused")
        self._attempts.succeeded(remote, known=known)

    async def _new_session(self, user: str, remote: str, agent: str) -> str:
        token, ident, now = secrets.token_urlsafe(32), secrets.token_hex(4), int(self._now())
        if len(self._sessions) >= _SESSIONS:
            oldest = sorted(self._sessions, key=lambda one: self._sessions[one].used_at)
            await self._end_sessions(oldest[:len(self._sessions) - _SESSIONS + 1])
        shown = "".join(c for c in agent[:200] if c.isprintable())
        session = _Session(_digest(token), user, shown, remote, now, now)
        self._sessions[ident] = session
        self._by_digest[session.digest] = ident
        await self._try_keep({f"session:{ident}": msgspec.json.encode(session)})
        _log.info("logged in from %s", remote)
        return token

    async def _end_sessions(self, idents: list[str]) -> None:
        for ident in idents:
            session = self._sessions.pop(ident, None)
            if session is not None:
                self._by_digest.pop(session.digest, None)
        if idents:
            await self._try_keep({f"session:{ident}": None for ident in idents})

    def _is_over(self, session: _Session, now: int) -> bool:
        settings = self._settings()
        return (
            now - session.used_at > settings.session_days * 86_400
            or now - session.made_at > settings.session_days_longest * 86_400
        )

    async def _try_keep(self, changes: Mapping[str, bytes | None]) -> None:
        """A full disk does not keep anybody out; the login is then good until the daemon ends."""
        try:
            await self._keep(changes)
        except StorageError as error:
            _log.warning("logins cannot be written down: %s", error)

    async def _keep(self, changes: Mapping[str, bytes | None], *, durable: bool = False) -> None:
        if changes:
            await self._keeper.keep(AREA, changes, durable=durable)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _read(raw: bytes, kind: type[S], name: str) -> S | None:
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.MsgspecError:
        _log.error("what is kept of %s cannot be read; it is left out", name.partition(":")[0])
        return None


def _shown_key(ident: str, key: _Key) -> m.ApiKey:
    return m.ApiKey(ident, key.name, key.role, key.made_at, key.used_at)


def _is_of_this_machine(request: Request) -> bool:
    """Not what a reverse proxy of this machine passes on, which comes from anywhere."""
    if classify(request.remote.host) is not Reach.LOCAL or any(name in request.headers for name in _PROXIED):
        return False
    at = headers.place(request.headers.get("host", ""))
    return at is not None and (at.host == "localhost" or classify(at.host) is Reach.LOCAL)
