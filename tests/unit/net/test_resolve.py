import asyncio
import socket
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from wildbach.base.addresses import Reach, networks
from wildbach.base.errors import NetworkError
from wildbach.net.resolve import ForbiddenURL, Guard, Purpose, SystemResolver, Target

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


class Names:
    """A resolver that knows a few names; a list of answers is given one after the other."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.names = {
            "global.example": ["8.8.8.8"], "local.example": ["127.0.0.1"], "home.example": ["192.168.1.1"],
            "mixed.example": ["127.0.0.1", "8.8.8.8"], "metadata.example": ["169.254.169.254"],
            "six.example": ["::1"], "wrapped.example": ["::ffff:127.0.0.1"], "nat64.example": ["64:ff9b::7f00:1"],
            "zero.example": ["0.0.0.0"], "localhost": ["127.0.0.1"], "localhost.": ["127.0.0.1"],
        }

    async def resolve(self, host: str, family: int) -> list[str]:
        self.asked.append(host)
        if host not in self.names:
            raise NetworkError(f"cannot find {host}")
        return self.names[host]


FORBIDDEN = [
    # schemes
    "file:///etc/passwd", "ftp://global.example/announce", "gopher://127.0.0.1:70/_x", "javascript:alert(1)", "",
    "//global.example/announce", "udp://global.example/announce",
    # this machine and the home network, other than as a tracker
    "http://127.0.0.1/admin", "http://127.0.0.1:8080/announce/../admin", "http://localhost/transmission/rpc",
    "http://localhost./gui/?action=setsetting", "http://[::1]/x", "http://[::ffff:127.0.0.1]/x",
    "http://192.168.1.1/cgi-bin/reboot?announce", "http://10.0.0.1/passkey/announce", "http://local.example/x",
    "http://home.example/x", "http://six.example/x", "http://wrapped.example/x", "http://nat64.example/x",
    "http://[64:ff9b::7f00:1]/x", "http://127.0.0.1/announce%2f..%2fadmin",
    # nowhere at all, also as a tracker
    "http://169.254.169.254/announce", "http://metadata.example/announce", "http://0.0.0.0/announce",
    "http://zero.example/announce", "http://[fe80::1]/announce", "http://[fe80::1%25eth0]/announce",
    "http://224.0.0.1/announce", "http://255.255.255.255/announce", "http://[::]/announce",
    # numbers that some programs read as an address
    "http://2130706433/announce", "http://0x7f000001/announce", "http://0177.0.0.1/announce", "http://127.1/announce",
    "http://0x7f.1/announce", "http://127.0.0.1./announce",
    # what programs read differently
    "http://global.example\\@127.0.0.1/announce", "http://global.example/ announce", "http://global.example/\r\nX: y",
    "http://global.example:99999/", "http://global.example:port/", "http://[::1/announce", "http:///announce",
    "http://gl\u043ebal.example/announce", "http://xn--glbal-ksg.example/announce", "http://a..b/announce",
    "http://global.example%2f@local.example/x", "http://%6c%6fcalhost/announce", "http://" + "a" * 300 + "/",
]


@pytest.mark.parametrize("url", FORBIDDEN)
def test_a_tracker_url_that_leads_astray_is_refused(url: str) -> None:
    with pytest.raises(ForbiddenURL):
        run(Guard(Names()).admit(url, Purpose.TRACKER))


@pytest.mark.parametrize(("url", "address", "reach"), [
    ("http://global.example/x/announce?k=1", "8.8.8.8", Reach.GLOBAL),
    ("https://8.8.8.8/announce", "8.8.8.8", Reach.GLOBAL),
    ("http://127.0.0.1:6969/announce", "127.0.0.1", Reach.LOCAL),
    ("http://localhost:6969/announce?k=1", "127.0.0.1", Reach.LOCAL),
    ("http://[::1]:6969/scrape", "::1", Reach.LOCAL),
    ("http://192.168.1.1/announce", "192.168.1.1", Reach.PRIVATE),
    ("http://mixed.example/x/announce", "8.8.8.8", Reach.GLOBAL),
    ("udp://local.example:6969/x", "127.0.0.1", Reach.LOCAL),
    ("http://global.example@127.0.0.1/announce", "127.0.0.1", Reach.LOCAL),
])
def test_a_tracker_url_leads_to_a_judged_address(url: str, address: str, reach: Reach) -> None:
    target = run(Guard(Names()).admit(url, Purpose.TRACKER))
    assert target.addresses == (address,)
    assert target.reach is reach


@pytest.mark.parametrize(("url", "good"), [
    ("http://127.0.0.1/files/a.bin", True), ("http://127.0.0.1/files?delete=1", False),
    ("http://192.168.1.1/a?b", False), ("http://global.example/a?b", True), ("http://169.254.169.254/latest", False),
])
def test_a_web_seed_near_us_has_no_query(url: str, good: bool) -> None:
    work = Guard(Names()).admit(url, Purpose.WEB_SEED)
    if good:
        run(work)
    else:
        with pytest.raises(ForbiddenURL):
            run(work)


def test_the_user_may_open_what_is_near() -> None:
    assert run(Guard(Names()).admit("http://192.168.1.1/x?y", Purpose.USER)).reach is Reach.PRIVATE
    with pytest.raises(ForbiddenURL):
        run(Guard(Names()).admit("http://169.254.169.254/", Purpose.USER))


def target(url: str) -> Target:
    return run(Guard(Names()).admit(url, Purpose.USER))


@pytest.mark.parametrize(("source", "to", "good"), [
    ("http://global.example/", "http://127.0.0.1/announce", False),
    ("http://global.example/", "http://local.example/announce", False),
    ("http://global.example/", "http://192.168.1.1/announce", False),
    ("http://192.168.1.1/", "http://127.0.0.1/announce", False),
    ("http://127.0.0.1/", "http://127.0.0.1/announce", True),
    ("http://127.0.0.1/", "http://global.example/x", True),
    ("http://global.example/", "https://global.example/x", True),
    ("https://global.example/", "http://global.example/x", False),
    ("http://global.example/", "http://user:word@global.example/x", False),
    ("http://global.example/", "udp://global.example:1/x", False),
    ("http://global.example/", "file:///etc/passwd", False),
])
def test_a_redirect_never_leads_nearer(source: str, to: str, good: bool) -> None:
    for purpose in (Purpose.TRACKER, Purpose.USER):
        work = Guard(Names()).admit(to, purpose, source=target(source))
        if good:
            run(work)
        else:
            with pytest.raises(ForbiddenURL):
                run(work)


def test_user_and_password_leave_the_url() -> None:
    admitted = target("http://us%40er:pa:ss@global.example:81/x?y#z")
    assert (admitted.url, admitted.login) == ("http://global.example:81/x?y", ("us%40er", "pa:ss"))


def test_a_name_is_resolved_once_for_each_check() -> None:
    names = Names()
    run(Guard(names).admit("http://global.example/announce", Purpose.TRACKER))
    run(Guard(names).admit("http://8.8.8.8/announce", Purpose.TRACKER))
    assert names.asked == ["global.example"]


def test_networks_of_a_test_are_local() -> None:
    guard = Guard(Names(), local=networks(["192.168.1.0/24"]))
    assert run(guard.admit("http://192.168.1.1/announce", Purpose.TRACKER)).reach is Reach.LOCAL


def test_an_address_of_the_wrong_version_is_no_address() -> None:
    with pytest.raises(NetworkError):
        run(Guard(Names()).admit("http://8.8.8.8/announce", Purpose.TRACKER, family=6))


def test_the_system_resolver_keeps_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def lookup(host: str, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        if host == "bad.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(0, 0, 0, "", ("1.2.3.4", 0)), (0, 0, 0, "", ("1.2.3.4", 0)), (0, 0, 0, "", ("fe80::1%eth0", 0, 0, 1))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    now = 0.0

    async def main() -> None:
        nonlocal now
        resolver = SystemResolver(lambda: now)
        both = await asyncio.gather(resolver.resolve("a.example", 0), resolver.resolve("A.example", 0))
        assert both == [["1.2.3.4", "fe80::1"]] * 2
        for _ in range(3):
            with pytest.raises(NetworkError, match="Name or service"):
                await resolver.resolve("bad.example", 0)
        assert asked == ["a.example", "bad.example"]
        now = SystemResolver.KEEP_SECONDS
        await resolver.resolve("a.example", 0)
        assert asked == ["a.example", "bad.example", "a.example"]
        resolver.close()

    run(main())


BEHIND = Guard(None)
"Names are the proxy's."


@pytest.mark.parametrize(("url", "purpose", "reach"), [
    ("http://tracker.example:7000/announce", Purpose.TRACKER, Reach.GLOBAL),
    ("https://seed.example/file?x=1", Purpose.WEB_SEED, Reach.GLOBAL),
    ("udp://tracker.example:80", Purpose.TRACKER, Reach.GLOBAL),
    ("http://localhost:9/announce", Purpose.TRACKER, Reach.LOCAL),
    ("http://nas/announce", Purpose.TRACKER, Reach.PRIVATE), ("http://nas.lan/x", Purpose.USER, Reach.PRIVATE),
])
def test_behind_a_proxy_a_name_is_where_a_url_leads(url: str, purpose: Purpose, reach: Reach) -> None:
    target = run(BEHIND.admit(url, purpose))
    assert target.addresses == (target.host,) and target.reach is reach


@pytest.mark.parametrize("url", [
    "http://localhost/admin", "http://a.localhost/x", "http://LOCALHOST./x", "http://nas/x", "http://nas.local/x",
    "http://router.home.arpa/x", "http://127.0.0.1/x", "http://169.254.169.254/announce", "http://0.0.0.0/announce",
])
def test_behind_a_proxy_names_of_machines_and_home_networks_are_only_asked_as_trackers(url: str) -> None:
    with pytest.raises(ForbiddenURL):
        run(BEHIND.admit(url, Purpose.TRACKER))


def test_behind_a_proxy_no_redirect_leads_nearer() -> None:
    source = run(BEHIND.admit("http://tracker.example/announce", Purpose.TRACKER))
    for url in ("http://localhost/announce", "http://nas.lan/announce", "http://10.0.0.1/announce"):
        with pytest.raises(ForbiddenURL):
            run(BEHIND.admit(url, Purpose.TRACKER, source=source))


def test_an_address_that_the_ip_filter_blocks_is_not_fetched_from() -> None:
    guard = Guard(Names(), blocks=lambda host: host == "8.8.8.8")
    for url in ("http://global.example/announce", "http://8.8.8.8/announce"):
        with pytest.raises(ForbiddenURL, match="IP filter"):
            run(guard.admit(url, Purpose.TRACKER))
    assert run(guard.admit("http://8.8.4.4/announce", Purpose.TRACKER)).addresses == ("8.8.4.4",)
