"""miniupnpd, the daemon of many home routers, on a router of the test's own: UPnP IGD, NAT-PMP and PCP."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests import encounters
from tests.interop.peers.base import Closing, Daemon, poll
from tests.interop.peers.process import ChildError
from tests.namespaces import Space

MISSING = next((
    f"{program} is not installed (Debian: {package})"
    for program, package in (("miniupnpd", "miniupnpd-nftables"), ("nft", "nftables")) if shutil.which(program) is None
), None)

_TABLES = """
table inet filter {
    chain forward { type filter hook forward priority 0; policy drop; iifname "lan" accept; ct state established accept;
        jump miniupnpd; }
    chain miniupnpd { }
    chain prerouting { type nat hook prerouting priority -100; policy accept; jump prerouting_miniupnpd; }
    chain postrouting { type nat hook postrouting priority 100; policy accept; jump postrouting_miniupnpd;
        oifname "wan" masquerade; }
    chain prerouting_miniupnpd { }
    chain postrouting_miniupnpd { }
}
"""


class Miniupnpd(Closing):
    """On `router`, whose interfaces are called `lan` and `wan`. `address` is that on the LAN."""

    def __init__(
        self, router: Space, work: Path, address: str, *, upnp: bool = True, natpmp: bool = True, extra: str = "",
    ) -> None:
        work.mkdir(parents=True, exist_ok=True)
        router.run("nft", "-f", "-", stdin=_TABLES)
        config = work / "miniupnpd.conf"
        config.write_text(
            f"ext_ifname=wan\nlistening_ip=lan\nport=0\nenable_upnp={'yes' if upnp else 'no'}\n"
            f"enable_natpmp={'yes' if natpmp else 'no'}\nsecure_mode=yes\nmin_lifetime=120\nmax_lifetime=86400\n"
            f"uuid=00000000-0000-0000-0000-000000000001\nlease_file={work / 'leases'}\n{extra}"
            "allow 1024-65535 0.0.0.0/0 1024-65535\ndeny 0-65535 0.0.0.0/0 0-65535\n"
        )
        self.router = router
        self._daemon = Daemon(
            [*router.prefix, "miniupnpd", "-d", "-f", str(config), "-P", str(work / "pid")], work / "miniupnpd.log")
        try:
            poll(self._alive, 20, self._daemon.story)
        except BaseException:
            self.close()
            raise

    def _alive(self) -> bool | None:
        if self._daemon.process.poll() is not None:
            raise ChildError(self._daemon.story())
        sockets = self.router.run("ss", "-lun")
        return True if ":5351" in sockets or ":1900" in sockets else None

    def mapped(self) -> str:
        """The rules that pass ports on, as the kernel has them."""
        rules = self.router.run("nft", "list", "chain", "inet", "filter", "prerouting_miniupnpd")
        if "dnat" in rules:
            encounters.note("miniupnpd")
        return rules

    def story(self) -> str:
        return self._daemon.story()

    def close(self) -> None:
        self._daemon.close()
