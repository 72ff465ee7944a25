"""Who may be fetched from: URL checks, names to addresses, and the rules for addresses near us.

A tracker's or web seed's URL comes from strangers, so it could make us talk to a router, a cloud's metadata service or
a daemon on this machine. The rule is: resolve, judge every address, then connect to exactly an address that was judged.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from wildbach.base import addresses, hostnames, limits
from wildbach.base.addresses import DISTANCE, Network, Reach
from wildbach.base.errors import NetworkError, UsageError

_PORTS = {"http": 80, "https": 443, "udp": 0}
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\U0010ffff\\]")
_FAMILIES = {0: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}


class ForbiddenURL(NetworkError):
    """This URL is never fetched: asking again is of no use."""

    code = "forbidden_url"


class Purpose(StrEnum):
    """What a URL is for; it decides what is allowed near us."""

    TRACKER = "tracker"
    WEB_SEED = "web_seed"
    USER = "user"
    "The person at the keyboard typed it."


class Resolver(Protocol):
    """Names to literal addresses."""

    async def resolve(self, host: str, family: int) -> list[str]:
        """Addresses of a name, best first. `family` is 4, 6 or 0 for both. Raises NetworkError."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that passed: connect to one of `addresses` and nowhere else."""

    url: str
    "Without user, password and fragment."
    scheme: str
    host: str
    port: int
    path: str
    login: tuple[str, str] | None
    "User and password of the URL."
    addresses: tuple[str, ...]
    reach: Reach
    "The nearest reach among `addresses`."


class SystemResolver:
    """The operating system's resolver in its own few threads, so that dead name servers block nothing else.

    Answers are kept: a tracker with thousands of torrents is looked up once in a while only.
    """

    KEEP_SECONDS = 120.0
    KEEP_FAILURE_SECONDS = 15.0
    NAMES = 4096

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="wildbach-resolve")
        self._known: dict[tuple[str, int], tuple[float, list[str] | str]] = {}
        self._asked: dict[tuple[str, int], asyncio.Future[list[str] | str]] = {}

    async def resolve(self, host: str, family: int) -> list[str]:
        loop = asyncio.get_running_loop()
        now = self._clock() if self._clock else loop.time()
        key = (host.lower(), family)
        known = self._known.get(key)
        if known is not None and known[0] > now:
            return _answer(host, known[1])
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = loop.run_in_executor(self._pool, _lookup, host, family)
            asked.add_done_callback(lambda _: self._asked.pop(key, None))
        # A shared lookup outlives the one who asked first.
        found = await asyncio.shield(asked)
        if len(self._known) >= self.NAMES:
            self._known.clear()
        self._known[key] = (now + (self.KEEP_FAILURE_SECONDS if isinstance(found, str) else self.KEEP_SECONDS), found)
        return _answer(host, found)

    def close(self) -> None:
        """Take no more names. Does not wait for those being looked up."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _lookup(host: str, family: int) -> list[str] | str:
    """The addresses, or why there are none."""
    try:
        found = socket.getaddrinfo(host, None, family=_FAMILIES[family], type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return error.strerror or "no answer"
    except (OSError, UnicodeError, ValueError) as error:
        return str(error)
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


def _answer(host: str, found: list[str] | str) -> list[str]:
    if isinstance(found, str):
        raise NetworkError(f"cannot find {host}: {found}", host=host)
    return found


def split(url: str, *, allow_idna: bool = False) -> tuple[SplitResult, int]:
    """Take a URL apart, strictly. Returns the parts and the port. Raises ForbiddenURL.

    What different programs read differently (backslashes, spaces, odd spellings of numbers) is refused, not guessed.
    """
    if len(url) > limits.TRACKER_URL_BYTES + 4000:
        raise ForbiddenURL("the URL is too long")
    if _UNSAFE.search(url):
        raise ForbiddenURL("the URL has characters that no URL may have")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
    except ValueError as error:
        raise ForbiddenURL(f"not a URL: {error}") from None
    if parts.scheme not in _PORTS:
        raise ForbiddenURL(f"the scheme {parts.scheme[:20] or 'of no name'} is not fetched", scheme=parts.scheme)
    if port is None:
        port = _PORTS[parts.scheme]
    if not port:
        raise ForbiddenURL("the URL has no port")
    if addresses.parse(host) is not None:
        return parts, port
    if "[" in parts.netloc or hostnames.parse(host) is None:
        raise ForbiddenURL("the URL's host is neither an address nor a name")
    if not allow_idna and any(label.startswith("xn--") for label in host.split(".")):
        raise ForbiddenURL("the URL's host is an internationalised name, and those are switched off")
    return parts, port


class Guard:
    """Decides which addresses a URL may lead to; never to one that the IP filter `blocks`.

    `local` names networks to treat like this machine (tests). `resolver`: None where a proxy looks names up; then a URL
    may lead to a name, which is judged by what it says of itself.

    Rules for what is not GLOBAL: a tracker only with the path `/announce` (or its `/scrape`), a web seed only without
    a query, a URL the user typed always; a redirect never leads nearer than where it came from. What is FORBIDDEN is
    never connected to.
    """

    def __init__(
        self, resolver: Resolver | None, *, local: Iterable[Network] = (), allow_idna: bool = False,
        classify: Callable[[str], Reach] | None = None, blocks: Callable[[str], bool] = lambda host: False,
    ) -> None:
        networks = tuple(local)
        self._resolver = resolver
        self._idna = allow_idna
        self._classify = classify or (lambda host: addresses.classify(host, networks))
        self._blocks = blocks

    async def admit(
        self, url: str, purpose: Purpose, *, family: int = 0, source: Target | None = None,
        named_by: Reach = Reach.LOCAL,
    ) -> Target:
        """Check a URL and find where it leads. `source` is the target whose redirect named it; `named_by` the reach of
        who named the first one, which never leads nearer.

        Raises ForbiddenURL, or NetworkError where the name cannot be found.
        """
        parts, port = split(url, allow_idna=self._idna)
        host = parts.hostname or ""
        if source is not None:
            _check_redirect(source, parts)
        literal = addresses.parse(host)
        if literal is not None:
            found = [str(literal)]
            if family and family != literal.version:
                raise NetworkError(f"{host} is no IPv{family} address", host=host)
        elif self._resolver is None:
            found = [host]
        else:
            found = await self._resolver.resolve(host, family)
        good, refusal = [], f"{host} has no address"
        nearest = Reach.GLOBAL
        for address in found[:16]:
            named = literal is None and self._resolver is None
            reach = hostnames.reach(address) if named else self._classify(address)
            reason = _refusal(reach, parts, purpose, source, named_by)
            if not named and self._blocks(address):
                reason = "the URL leads to an address that the IP filter blocks"
            if reason:
                refusal = reason
                continue
            good.append(address)
            if DISTANCE[reach] < DISTANCE[nearest]:
                nearest = reach
        if not good:
            raise ForbiddenURL(refusal, host=host)
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="", path=parts.path or "/")
        return Target(
            bare.geturl(), parts.scheme, host, port, bare.path,
            (parts.username or "", parts.password or "") if "@" in parts.netloc else None, tuple(good), nearest,
        )


def _check_redirect(source: Target, parts: SplitResult) -> None:
    if parts.scheme not in ("http", "https"):
        raise ForbiddenURL(f"a redirect to {parts.scheme[:20]} is not followed")
    if source.scheme == "https" and parts.scheme == "http":
        raise ForbiddenURL("a redirect from https to http is not followed")
    if "@" in parts.netloc:
        raise ForbiddenURL("a redirect with a password is not followed")


def _refusal(reach: Reach, parts: SplitResult, purpose: Purpose, source: Target | None, named_by: Reach) -> str:
    """Why an address of this reach may not be connected to; empty where it may."""
    if reach is Reach.FORBIDDEN:
        return "the URL leads to an address nobody should connect to"
    if source is not None and DISTANCE[reach] < DISTANCE[source.reach]:
        return f"a redirect from a {source.reach} to a {reach} address is not followed"
    if DISTANCE[reach] < DISTANCE[named_by]:
        return f"a URL that a {named_by} address names does not lead to a {reach} one"
    if reach is Reach.GLOBAL or purpose is Purpose.USER or parts.scheme == "udp":
        return ""
    if purpose is Purpose.TRACKER and parts.path not in ("/announce", "/scrape"):
        return f"a tracker on a {reach} address that a torrent names must have the path /announce"
    if purpose is Purpose.WEB_SEED and parts.query:
        return f"a web seed on a {reach} address must not have a query"
    return ""


def require_scheme(url: str, schemes: Iterable[str]) -> None:
    """Raises UsageError where a URL that a user adds cannot work at all."""
    scheme = url.partition(":")[0].lower()
    if scheme not in schemes:
        raise UsageError(f"no tracker can be reached by {scheme[:20] or 'an empty scheme'}", url=url)
