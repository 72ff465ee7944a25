"""Sends what happened to each URL of `notify.urls`, in its own time.

Invariant: an event costs a line in memory, whatever the services do. What happens within a moment is one notification;
what cannot be sent waits, the newest lines of it, and is tried again ever more rarely. A URL is never written anywhere:
people are told its number and its scheme.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Final
from urllib.parse import quote

import msgspec

from wildbach.base import limits
from wildbach.base.words import clean, plural
from wildbach.engine import ways
from wildbach.engine.settings import Settings
from wildbach.runtime.tasks import Scope
from wildbach.services.notices.letters import Answer, Post
from wildbach.services.notices.settings import NotifySettings

_GATHER_SECONDS: Final = 2.0
_SEND_SECONDS: Final = 30.0
_AGAIN_SECONDS: Final = (10.0, 60.0, 300.0, 1800.0)
_PROCESSES: Final = 4
_LINES: Final = 20
"Of one notification."
_TEXT: Final = 300
_FAILURES: Final = ("error", "disk_full", "feed_failed")


@dataclass(frozen=True, slots=True)
class Notice:
    kind: str
    "One of EVENTS, or `test`."
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Sent:
    """How it went with one URL."""

    target: str
    error: str
    "Empty where it was taken."


@dataclass(slots=True)
class _Lane:
    """What waits for one URL."""

    url: str
    target: str
    waiting: list[Notice] = field(default_factory=list)
    lost: int = 0
    failures: int = 0
    due: float = 0.0

    def put(self, notices: list[Notice]) -> None:
        self.waiting += notices
        over = len(self.waiting) - limits.NOTICES_WAITING
        if over > 0:
            del self.waiting[:over]
            self.lost += over


class Notifier:
    """`settings` gives those that hold now; `obstacle` why nothing can be sent, empty where it can; `proxy` an http://
    URL or nothing; `log` takes a level and a text.
    """

    def __init__(
        self, scope: Scope, settings: Callable[[], NotifySettings], *, obstacle: str = "", proxy: str = "",
        log: Callable[[str, str], None], report: Callable[[Exception], None], gather: float = _GATHER_SECONDS,
        again: tuple[float, ...] = _AGAIN_SECONDS,
    ) -> None:
        self._settings = settings
        self._obstacle = obstacle
        self._proxy = proxy
        self._log = log
        self._gather = gather
        self._again = again
        self._news = asyncio.Event()
        self._gate = asyncio.Semaphore(_PROCESSES)
        self._lanes = [_Lane(url, target(number, url)) for number, url in enumerate(settings().urls, 1)]
        if self._lanes and obstacle:
            log("error", f"notify.urls: {obstacle}")
        elif self._lanes:
            scope.spawn("notifications", self._run(), contain=report)

    def happened(self, kind: str, title: str, text: str) -> None:
        """Tell of it, where it is one of `notify.events`."""
        if not self._lanes or self._obstacle or kind not in self._settings().events:
            return
        notice = Notice(kind, title, clean(text)[:_TEXT])
        for lane in self._lanes:
            lane.put([notice])
        self._news.set()

    async def test(self) -> tuple[Sent, ...]:
        """Send one to every URL now, and say how it went."""
        notice = Notice("test", "wildbach", "Notifications work.")
        if self._obstacle:
            return tuple(Sent(lane.target, self._obstacle) for lane in self._lanes)
        errors = await asyncio.gather(*(self._send(self._letter(lane.url, [notice], 0)) for lane in self._lanes))
        return tuple(Sent(lane.target, error) for lane, error in zip(self._lanes, errors, strict=True))

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wait(loop)
            await asyncio.sleep(self._gather)
            self._news.clear()
            lanes = [lane for lane in self._lanes if lane.waiting and lane.due <= loop.time()]
            if lanes:
                await self._deliver(lanes, loop.time)

    async def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        """Until there is something for a lane that may be tried."""
        while True:
            waiting = [lane.due for lane in self._lanes if lane.waiting]
            if waiting and min(waiting) <= loop.time():
                return
            try:
                async with asyncio.timeout_at(min(waiting) if waiting else None):
                    await self._news.wait()
                self._news.clear()
            except TimeoutError:
                return

    async def _deliver(self, lanes: list[_Lane], now: Callable[[], float]) -> None:
        letters, taken = [], []
        for lane in lanes:
            letters.append(self._letter(lane.url, lane.waiting, lane.lost))
            taken.append((lane.waiting, lane.lost))
            lane.waiting, lane.lost = [], 0
        errors = await asyncio.gather(*map(self._send, letters))
        for lane, error, (notices, lost) in zip(lanes, errors, taken, strict=True):
            if not error:
                if lane.failures:
                    self._log("info", f"{lane.target} takes notifications again")
                lane.failures, lane.due = 0, 0.0
                continue
            later, lane.waiting = lane.waiting, []
            lane.lost += lost
            lane.put(notices + later)
            wait = self._again[min(lane.failures, len(self._again) - 1)]
            lane.due = now() + wait
            if not lane.failures:
                self._log("warning", f"{lane.target} takes no notifications: {error}; tried again in {wait:g} seconds, "
                          "then more rarely")
            lane.failures += 1

    async def _send(self, letter: Post) -> str:
        """Why it was not taken; empty where it was."""
        environ = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        async with self._gate:
            try:
                # -P: what lies in the folder where the daemon was started is not taken for a module.
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-P", "-m", "wildbach.services.notices.sending", env=environ,
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)
            except OSError as error:
                return f"no process can be started: {error.strerror}"
            try:
                async with asyncio.timeout(_SEND_SECONDS):
                    out, _ = await process.communicate(msgspec.json.encode(letter))
            except TimeoutError:
                return f"it took longer than {_SEND_SECONDS:g} seconds"
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        try:
            return msgspec.json.decode(out, type=Answer).error
        except msgspec.MsgspecError:
            return "the process that sends failed"

    def _letter(self, url: str, notices: list[Notice], lost: int) -> Post:
        failure = any(notice.kind in _FAILURES for notice in notices)
        if len(notices) == 1 and not lost:
            return Post(url, notices[0].title, notices[0].text, failure, self._proxy)
        shown = notices[-_LINES:]
        lines = [f"{notice.title}: {notice.text}" for notice in shown]
        more = len(notices) - len(shown) + lost
        if more:
            lines.insert(0, f"and {more:,} more before these")
        return Post(url, f"wildbach: {plural(len(notices) + lost, 'event')}", "\n".join(lines), failure, self._proxy)


def target(number: int, url: str) -> str:
    """A URL for people: often all of it is secret, but for the service."""
    scheme, found, _ = url.partition("://")
    known = found and scheme.isascii() and scheme.isalnum() and len(scheme) <= 20
    return f"notify.urls {number} ({scheme.lower()})" if known else f"notify.urls {number}"


def way(settings: Settings) -> tuple[str, str]:
    """Why nothing can be sent, and the proxy by which all is sent; either may be empty. What sends cannot be tied to an
    interface, so it does not run where one must be kept to.
    """
    wanted = settings.network
    if find_spec("apprise") is None:
        return "apprise is not installed; `pip install 'wildbach[notify]'` installs it", ""
    if wanted.interface:
        return ("notifications cannot be kept to network.interface, so none is sent; run the whole daemon in the "
                "network of that interface (a namespace, a container), or go without one of the two"), ""
    if not wanted.proxy:
        return "", ""
    address = ways.parse_proxy(wanted.proxy)
    if address.kind != "http":
        return ("notifications can go through an HTTP proxy, and not through SOCKS5, which network.proxy is: none is "
                "sent"), ""
    login = f"{quote(address.user, safe='')}:{quote(address.password, safe='')}@" if address.user else ""
    host = f"[{address.host}]" if ":" in address.host else address.host
    return "", f"http://{login}{host}:{address.port}"
