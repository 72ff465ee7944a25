import asyncio

import pytest

from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.udp import Datagrams

ANY = [Endpoint("127.0.0.1", 0)]


def test_a_datagram_goes_to_the_first_handler_that_wants_it() -> None:
    async def main() -> None:
        one, two = Datagrams(), Datagrams()
        one.open(ANY)
        two.open(ANY)
        got: list[tuple[str, bytes]] = []
        done = asyncio.Event()

        def dht(_: Endpoint, data: bytes) -> bool:
            if data[:1] == b"d":
                got.append(("dht", data))
            return data[:1] == b"d"

        def trackers(remote: Endpoint, data: bytes) -> bool:
            assert remote == one.endpoints[0]
            got.append(("tracker", data))
            done.set()
            return True

        two.attach(dht)
        two.attach(trackers)
        assert one.send(two.endpoints[0], b"d1")
        assert one.send(two.endpoints[0], b"")
        assert one.send(two.endpoints[0], b"\0\0")
        await done.wait()
        while two.received < 3:
            await asyncio.sleep(0)
        assert got == [("dht", b"d1"), ("tracker", b""), ("tracker", b"\0\0")]
        two.detach(dht)
        one.close()
        two.close()
        two.close()
        assert not one.send(two.endpoints[0] if two.endpoints else ANY[0], b"x")
    asyncio.run(main())


def test_both_ip_versions_have_a_socket() -> None:
    async def main() -> None:
        both = Datagrams()
        both.open([Endpoint("127.0.0.1", 0), Endpoint("::1", 0)])
        assert both.families == (4, 6)
        done = asyncio.Event()
        both.attach(lambda remote, data: done.set() or remote.host == "::1")
        assert both.send(both.endpoints[1], b"x")
        await done.wait()
        with pytest.raises(NetworkError, match="already"):
            both.open(ANY)
        both.close()
    asyncio.run(main())


def test_a_port_in_use_is_a_network_error() -> None:
    async def main() -> None:
        one, two = Datagrams(), Datagrams()
        one.open(ANY)
        with pytest.raises(NetworkError, match="cannot listen"):
            two.open(one.endpoints)
        assert not two.send(Endpoint("::1", 9), b"x")
        assert two.lost == 1
        one.close()
        two.close()
    asyncio.run(main())
