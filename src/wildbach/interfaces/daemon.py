"""The daemon: one process that has the session, the library, and the doors to them.

One data directory has one daemon. Its lock file says who that is and where the API listens, so that commands on the
same machine find it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from wildbach.base.errors import FormatError, NetworkError, StorageError
from wildbach.base.ids import Endpoint
from wildbach.base.settings import Layers
from wildbach.disk import system
from wildbach.disk.datadir import DataDir
from wildbach.engine.ways import parse_listen
from wildbach.interfaces.api.choices import AREA, decode
from wildbach.interfaces.api.local import LocalApi, open_api
from wildbach.interfaces.http.access import Access
from wildbach.interfaces.http.away import away_url
from wildbach.interfaces.http.gateway import Gateway, or_site
from wildbach.interfaces.http.mediahost import MediaHost
from wildbach.interfaces.http.mediaserver import MediaServer, root_of
from wildbach.interfaces.http.remuxed import Remuxed
from wildbach.interfaces.http.remuxparts import RemuxParts
from wildbach.interfaces.http.server import WebServer
from wildbach.interfaces.http.site import Site
from wildbach.interfaces.settings import ClientSettings
from wildbach.interfaces.stage import Players, SessionStage
from wildbach.interfaces.whereabouts import LOCK, SOCKET, TOKEN, Whereabouts, whereabouts
from wildbach.net.httpd import server_tls
from wildbach.net.listening import inherited_sockets
from wildbach.runtime.tasks import Scope
from wildbach.services.stream.remux import Remuxer

log = logging.getLogger(__name__)

_SOCKET_BYTES: Final = 103
"The longest path of a Unix socket that all systems take."

class DaemonLock:
    """The right to be the daemon of a data directory, until `release` or the end of the process."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        try:
            DataDir(folder)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | system.CLOEXEC, 0o600)
        except OSError as error:
            raise system.storage_error(error, "lock", str(self._path)) from error
        if not system.lock(self._fd):
            os.close(self._fd)
            found = whereabouts(folder)
            who = "" if found is None else f" (process {found.pid}{', ' + found.urls[0] if found.urls else ''})"
            raise StorageError(
                f"another wildbach{who} works with {folder}", path=str(folder), code="daemon_runs")
        self.tell(Whereabouts(os.getpid()))

    def tell(self, where: Whereabouts) -> None:
        raw = msgspec.json.encode(where) + b"\n"
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, raw, 0)

    def release(self) -> None:
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1


def saved_settings(folder: Path) -> tuple[dict[str, object], list[str]]:
    """What was saved by the API, and where state that was damaged was put aside. Raises StorageError."""
    database = DataDir(folder).open_database()
    try:
        return decode(database.kept(AREA)), database.damaged
    except FormatError as error:
        log.error("the saved settings cannot be read, the defaults hold: %s", error.message)
        return {}, database.damaged
    finally:
        database.close()


@dataclass(slots=True)
class Daemon:
    """A daemon that runs."""

    api: LocalApi
    access: Access
    web: WebServer
    media: MediaServer
    host: MediaHost
    urls: tuple[str, ...]
    "For browsers of this machine."
    away: str
    "For those of others; empty where it listens on loopback only."
    loaded: asyncio.Event

    @property
    def start_url(self) -> str:
        """A link that lets a browser in, once."""
        return self.access.start_url(self.urls[0] if self.urls else "")


@contextlib.asynccontextmanager
async def run_daemon(
    layers: Layers[ClientSettings], folder: Path, *, mount: Callable[[WebServer, LocalApi], None] | None = None,
    environ: MutableMapping[str, str] | None = None, config_path: Path | None = None,
) -> AsyncIterator[Daemon]:
    """Run until the context ends. `layers` are without what was saved; `config_path` is where the
    configuration file is, by default the usual place. Raises StorageError, code `daemon_runs` where
    another one has the folder; NetworkError where it cannot listen.
    """
    environ = os.environ if environ is None else environ
    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as stack:
        lock = await loop.run_in_executor(None, DaemonLock, folder)
        stack.callback(lock.release)
        saved, damaged = await loop.run_in_executor(None, saved_settings, folder)
        whole = layers.with_saved(saved)
        loaded = asyncio.Event()
        api = await stack.enter_async_context(open_api(whole, folder, loaded=loaded, config_path=config_path))
        for aside in damaged:
            # Nobody listened yet when it was found.
            api.core.log.write(
                "error", f"the state was damaged: what is whole of it was kept, the damaged file is {aside}")
        access = Access(api.core.session, lambda: api.core.settings.api)
        stack.callback(access.close)
        await access.load()
        await loop.run_in_executor(None, access.write_local_token, folder / TOKEN)
        stack.callback((folder / TOKEN).unlink, missing_ok=True)
        api.doorkeeper = access
        site = await loop.run_in_executor(None, Site.read)
        web = WebServer(api, access, lambda: api.core.settings.api, site)
        stack.push_async_callback(web.close)
        if mount is not None:
            mount(web, api)
        media, host = await _media(api, stack)
        site.media = lambda: (media.browser_url, media.near_url, media.away)
        places = await _listen(web, whole.settings, folder, environ)
        scheme = "https" if whole.settings.api.tls_certificate else "http"
        urls = tuple(_url(scheme, at) for at in places)
        away = await loop.run_in_executor(None, away_url, scheme, places)
        door = _unix_socket(whole.settings, folder)
        if door:
            stack.callback(Path(door).unlink, missing_ok=True)
        lock.tell(Whereabouts(
            os.getpid(), urls, door, away))
        notify(environ, "READY=1")
        stack.callback(notify, environ, "STOPPING=1")
        yield Daemon(api, access, web, media, host, urls, away, loaded)


async def _media(api: LocalApi, stack: contextlib.AsyncExitStack) -> tuple[MediaServer, MediaHost]:
    """Where players fetch, and where sites are shown; it follows the settings until the stack is left."""
    core = api.core
    scope = await stack.enter_async_context(Scope("media"))
    stage = SessionStage(core.session, api.tokens, core.library, scope, core.report)
    host = MediaHost(stage, lambda request: root_of(core.settings.media, request))
    api.play_host = Players(host, stage.indexes)
    remuxer = Remuxer(scope)
    stack.push_async_callback(remuxer.close)
    parts = RemuxParts(scope, stage, Remuxed(remuxer))
    stack.push_async_callback(parts.close)
    parts.add_to(host.parts)
    media = MediaServer(lambda: core.settings.media, or_site(host))
    media.gateway = Gateway(api.site_service, lambda: core.settings.sites)
    api.site_gateway = media
    api.media_place = media
    await media.start()
    stack.push_async_callback(media.close)

    async def follow(_settings: ClientSettings) -> None:
        await media.follow()

    core.choices.followers.append(follow)
    stack.callback(core.choices.followers.remove, follow)
    return media, host


async def _listen(
    web: WebServer, settings: ClientSettings, folder: Path, environ: MutableMapping[str, str],
) -> tuple[Endpoint, ...]:
    options = settings.api
    tls = server_tls(options.tls_certificate, options.tls_key) if options.tls_certificate else None
    places: list[Endpoint] = []
    inherited = inherited_sockets(environ)
    for sock in inherited:
        await web.http.start_inherited(sock, tls=tls if sock.family != socket.AF_UNIX else None)
        if sock.family != socket.AF_UNIX:
            places.append(Endpoint(*sock.getsockname()[:2]))
    if not inherited:
        for text in options.listen:
            host, ports = parse_listen(text, "api.listen")
            error: NetworkError | None = None
            for port in ports:
                try:
                    places.append(await web.http.start(host, port, tls=tls))
                except NetworkError as failed:
                    error = error or failed
                else:
                    break
            else:
                if error is not None:
                    raise NetworkError(
                        f"{error.message}; api.listen chooses another place", code=error.code,
                        setting="api.listen") from error
    door = _unix_socket(settings, folder)
    if door:
        await web.http.start_unix(door)
    return tuple(places)


def _unix_socket(settings: ClientSettings, folder: Path) -> str:
    """Where it is; empty where there is none, as none is wanted or the system takes no name so long."""
    path = str(folder / SOCKET)
    return path if settings.api.unix_socket and len(os.fsencode(path)) <= _SOCKET_BYTES else ""


def _url(scheme: str, at: Endpoint) -> str:
    """For a browser on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(at.host, at.host)
    return f"{scheme}://{Endpoint(host, at.port)}"


def notify(environ: Mapping[str, str], state: str) -> None:
    """Tell systemd (sd_notify); nothing where nobody listens."""
    at = environ.get("NOTIFY_SOCKET", "")
    if not at.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect("\0" + at[1:] if at.startswith("@") else at)
        sock.send(state.encode())
