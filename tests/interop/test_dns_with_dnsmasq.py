"""Addresses and TXT records as dnsmasq tells them, over UDP and TCP."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from tests.interop.peers import dnsmasq
from tests.interop.peers.dnsmasq import Dnsmasq

from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.dns import DnsResolver, TxtResolver

MANY = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(300)]
"More than are read of one reply."
BULKY = [f"fd00::{number + 1:x}" for number in range(45)]
"All of them are read, and are too much for a datagram."


@pytest.mark.foreign("dnsmasq")
@pytest.mark.skipif(dnsmasq.MISSING is not None, reason=str(dnsmasq.MISSING))
def test_dnsmasq_tells_addresses_aliases_and_long_replies(tmp_path: Path) -> None:
    claimed: list[int] = []

    def claim(sock: socket.socket, version: int) -> None:
        claimed.append(sock.type)

    async def main(server: Endpoint) -> None:
        names = DnsResolver([server], claim=claim, hosts=tmp_path / "none", seconds=20.0)
        assert await names.resolve("both.test", 0) == ["192.0.2.1", "2001:db8::1"]
        assert sorted(await names.resolve("four.test", 0)) == ["192.0.2.2", "192.0.2.3"]
        assert await names.resolve("Six.Test.", 0) == ["2001:db8::2"]
        assert await names.resolve("far.test", 0) == ["192.0.2.1", "2001:db8::1"]
        for host, family, why in [
            ("none.test", 0, "there is no such name"), ("four.test", 6, "it has no IPv6 address"),
            ("far.none.test", 4, "there is no such name"),
        ]:
            with pytest.raises(NetworkError, match=why):
                await names.resolve(host, family)
        assert set(claimed) == {socket.SOCK_DGRAM}

        assert set(await names.resolve("bulky.test", 6)) == set(BULKY)
        assert claimed[-2:] == [socket.SOCK_DGRAM, socket.SOCK_STREAM]
        many = await names.resolve("many.test", 4)
        assert len(many) == 50 and set(many) < set(MANY)
        assert claimed[-2:] == [socket.SOCK_DGRAM, socket.SOCK_STREAM]

        texts = TxtResolver([server], claim=claim, seconds=20.0)
        assert len(await texts.texts("text.test")) == 10
        assert claimed[-2:] == [socket.SOCK_DGRAM, socket.SOCK_STREAM]

    with Dnsmasq(
        tmp_path / "dns", {"text.test": [f"{number} " + "x" * 200 for number in range(10)]},
        hosts={
            "both.test": ["192.0.2.1,2001:db8::1"], "four.test": ["192.0.2.2", "192.0.2.3"],
            "six.test": ["2001:db8::2"], "many.test": MANY, "bulky.test": BULKY,
        },
        aliases={"far.test": "near.test", "near.test": "both.test"},
    ) as server:
        asyncio.run(main(server.endpoint))
