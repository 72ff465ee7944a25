import asyncio

from wildbach.base import limits
from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.engine import names


class Resolver:
    def __init__(self, **known: list[str]) -> None:
        self.known = known
        self.asked: list[str] = []

    async def resolve(self, host: str, family: int) -> list[str]:
        self.asked.append(host)
        if host not in self.known:
            raise NetworkError(f"cannot find {host}")
        return self.known[host]


def look_up(resolver: Resolver, *peers: tuple[str, int]) -> list[Endpoint]:
    return asyncio.run(names.look_up(resolver, names.named(peers)))


def test_addresses_are_taken_as_they_are_and_names_are_looked_up() -> None:
    peers = [("1.2.3.4", 5), ("2600::1", 6), ("peer", 7000), ("gone", 7)]
    assert names.literal(peers) == [Endpoint("1.2.3.4", 5), Endpoint("2600::1", 6)]
    found = look_up(Resolver(peer=["20.0.0.1", "2600::7"]), *peers)
    assert found == [Endpoint("20.0.0.1", 7000), Endpoint("2600::7", 7000)]


def test_a_name_does_not_lead_to_services_near_us() -> None:
    resolver = Resolver(near=["127.0.0.1", "192.168.1.1", "169.254.169.254", "20.0.0.1"])
    assert look_up(resolver, ("near", 80)) == [Endpoint("20.0.0.1", 80)]
    assert look_up(Resolver(nas=["192.168.1.9"]), ("nas", 6881)) == [Endpoint("192.168.1.9", 6881)]


def test_odd_spellings_of_numbers_are_no_names() -> None:
    assert names.named([("127.1", 7000), ("2130706433", 7000), ("a..b", 7000), ("Peer.", 7000)]) == [("peer", 7000)]


def test_few_names_and_few_addresses_are_looked_at() -> None:
    resolver = Resolver(n0=[f"20.0.{number}.1" for number in range(100)])
    found = look_up(resolver, *((f"n{number}", 7000) for number in range(200)))
    assert len(resolver.asked) == limits.MAGNET_NAMES and len(found) == limits.ADDRESSES_PER_NAME
