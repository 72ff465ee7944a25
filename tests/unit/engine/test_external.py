import pytest

from wildbach.base import limits
from wildbach.engine.external import ExternalAddress


def test_what_most_networks_say_is_believed() -> None:
    ours = ExternalAddress()
    told: list[str] = []
    ours.subscribe(told.append)
    ours.vote("9.9.9.1", "20.0.0.1")
    ours.vote("9.9.9.2", "20.0.1.1")
    ours.vote("9.9.9.2", "20.0.2.1")
    assert ours.get(4) == "9.9.9.2" and told == ["9.9.9.1", "9.9.9.2"] and ours.get(6) == ""


def test_one_network_has_one_vote_however_many_addresses_it_has() -> None:
    ours = ExternalAddress()
    ours.vote("9.9.9.1", "20.0.0.1")
    ours.vote("9.9.9.1", "20.0.1.1")
    for number in range(250):
        ours.vote("6.6.6.6", f"20.0.7.{number}")
    assert ours.get(4) == "9.9.9.1"


def test_a_tie_changes_nothing_and_an_address_that_changed_wins_in_the_end() -> None:
    ours = ExternalAddress()
    for number in range(3):
        ours.vote("9.9.9.1", f"20.0.{number}.1")
    ours.vote("9.9.9.2", "20.0.0.1")
    assert ours.get(4) == "9.9.9.1"
    ours.vote("9.9.9.2", "20.0.1.1")
    assert ours.get(4) == "9.9.9.2"


@pytest.mark.parametrize(("address", "voter"), [
    ("10.0.0.1", "20.0.0.1"), ("127.0.0.1", "20.0.0.1"), ("0.0.0.0", "20.0.0.1"), ("224.0.0.1", "20.0.0.1"),
    ("fe80::1", "20.0.0.1"), ("nonsense", "20.0.0.1"), ("", "20.0.0.1"), ("127.0.0.1", "10.0.0.5"),
])
def test_what_cannot_be_so_is_no_vote(address: str, voter: str) -> None:
    ours = ExternalAddress()
    ours.vote(address, voter)
    assert ours.addresses == ()


def test_an_address_of_the_internet_is_worth_more_than_any_number_of_neighbours() -> None:
    ours = ExternalAddress()
    for number in range(20):
        ours.vote("10.0.0.2", f"10.{number}.0.1")
    assert ours.get(4) == "10.0.0.2"
    ours.router_says("100.64.0.7")  # another router is before ours
    assert ours.get(4) == "10.0.0.2"
    ours.router_says("9.9.9.1")
    assert ours.get(4) == "9.9.9.1"


def test_only_so_many_voters_are_remembered() -> None:
    ours = ExternalAddress()
    for number in range(3 * limits.EXTERNAL_VOTERS):
        ours.vote("9.9.9.1", f"20.{number >> 8}.{number & 255}.1")
    assert len(ours._votes[4]) == limits.EXTERNAL_VOTERS


def test_others_are_told_only_of_addresses_we_accept_peers_at() -> None:
    ours = ExternalAddress()
    ours.vote("2600::7", "2610::1")
    ours.vote("10.0.0.2", "10.0.0.1")
    assert ours.callable_at(6) == ""
    ours.families = (4, 6)
    assert (ours.callable_at(6), ours.callable_at(4)) == ("2600::7", "")


def test_at_another_place_nothing_of_it_counts() -> None:
    ours = ExternalAddress()
    told: list[str] = []
    ours.subscribe(told.append)
    for number in range(5):
        ours.vote("9.9.9.1", f"20.0.{number}.1")
    ours.forget()
    assert ours.get(4) == "" and ours.addresses == ()
    ours.vote("9.9.9.2", "20.0.7.1")
    assert ours.get(4) == "9.9.9.2" and told == ["9.9.9.1", "9.9.9.2"]
