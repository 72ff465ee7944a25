import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import FormatError
from wildbach.protocol.portmap import natpmp, pcp
from wildbach.protocol.portmap.natpmp import Epoch

NONCE = bytes(range(12))


def test_nat_pmp_is_written_as_rfc_6886_draws_it() -> None:
    assert natpmp.ADDRESS_REQUEST == b"\0\0"
    assert natpmp.mapping_request(natpmp.TCP, 6881, 7000, 3600).hex() == "000200001ae11b5800000e10"


def test_nat_pmp_replies_are_read() -> None:
    assert natpmp.decode(bytes.fromhex("00800000000001f45db8d822")) == natpmp.AddressReply(0, 500, "93.184.216.34")
    reply = natpmp.decode(bytes.fromhex("0082000000000064" + "1ae11b5800000e10"))
    assert reply == natpmp.MappingReply(0, 100, natpmp.TCP, 6881, 7000, 3600)
    assert natpmp.decode(bytes.fromhex("0080000300000064")) == natpmp.AddressReply(3, 100, "")
    assert natpmp.decode(bytes.fromhex("0081000200000064")) == natpmp.MappingReply(2, 100, natpmp.UDP, 0, 0, 0)


@pytest.mark.parametrize("data", [
    "", "00800000", "0000000000000000", "0180000000000000", "00830000" + "00" * 12, "0080000000000001",
    "0081000000000064", "00820000000000641ae1000000000e10",
])
def test_what_is_no_reply_of_nat_pmp_is_a_format_error(data: str) -> None:
    with pytest.raises(FormatError):
        natpmp.decode(bytes.fromhex(data))


def test_pcp_is_written_as_rfc_6887_draws_it() -> None:
    request = pcp.map_request("192.168.1.2", NONCE, pcp.TCP, 6881, external=7000, lifetime=3600)
    assert request.hex() == (
        "02010000" "00000e10" + "00" * 10 + "ffffc0a80102" + NONCE.hex() + "06000000" "1ae11b58"
        + "00" * 10 + "ffff00000000"
    )
    assert pcp.announce_request("fd00::1").hex() == "0200000000000000fd000000000000000000000000000001"


def reply(result: int = 0, external: int = 7000, lifetime: int = 3600) -> bytes:
    return (
        bytes((2, 0x81, 0, result)) + lifetime.to_bytes(4, "big") + (99).to_bytes(4, "big") + bytes(12)
        + NONCE + b"\x06\0\0\0" + (6881).to_bytes(2, "big") + external.to_bytes(2, "big")
        + bytes(10) + b"\xff\xff\x5d\xb8\xd8\x22"
    )


def test_pcp_replies_are_read() -> None:
    found = pcp.Mapping(NONCE, pcp.TCP, 6881, 7000, "93.184.216.34")
    assert pcp.decode(reply()) == pcp.Reply(pcp.MAP, 0, 3600, 99, found)
    refused = pcp.decode(reply(result=8))
    assert refused.result == pcp.Result.NO_RESOURCES and refused.mapping is not None and not refused.mapping.address


def test_an_answer_of_nat_pmp_says_that_the_router_is_too_old_for_pcp() -> None:
    old = bytes.fromhex("0080000100000064")
    assert pcp.decode(old).result == pcp.Result.UNSUPP_VERSION


@pytest.mark.parametrize("data", [
    b"", b"\2\x81\0", b"\2\1" + bytes(58), reply()[:30], reply(external=0), bytes((2, 0x81)) + bytes(1200),
])
def test_what_is_no_reply_of_pcp_is_a_format_error(data: bytes) -> None:
    with pytest.raises(FormatError):
        pcp.decode(data)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_reply_or_a_format_error(data: bytes) -> None:
    for read in (natpmp.decode, pcp.decode):
        try:
            read(data)
        except FormatError:
            continue


def test_a_router_that_was_restarted_is_noticed_by_its_clock() -> None:
    epoch = Epoch()
    assert not epoch.lost(1000, 0.0)
    assert not epoch.lost(1060, 60.0)
    assert not epoch.lost(1122, 120.0)  # clocks run apart
    assert epoch.lost(3, 180.0)
    assert not epoch.lost(63, 240.0)
    assert epoch.lost(70, 1240.0)  # it ran only seven seconds while we waited a thousand
    assert epoch.lost(5000, 1241.0)
