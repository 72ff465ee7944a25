import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.protocol.portmap import igd, ssdp

ROUTER = "192.168.1.1"
LOCATION = "http://192.168.1.1:5000/rootDesc.xml"
IP1 = igd.SERVICES[1]


def answer(location: str = LOCATION, *, status: str = "200 OK", st: str = ssdp.TARGETS[0]) -> bytes:
    return f"HTTP/1.1 {status}\r\nST: {st}\r\nSERVER: a router\r\nLocation: {location}\r\n\r\n".encode("latin-1")


def test_a_search_says_what_upnp_wants() -> None:
    assert ssdp.search(ssdp.TARGETS[0]) == (
        b'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 2\r\n'
        b"ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n"
    )


def test_an_answer_is_read() -> None:
    assert ssdp.decode(answer(), ROUTER) == ssdp.Found(LOCATION, ROUTER, 5000, "a router")
    assert ssdp.decode(answer(status="404 None"), ROUTER) is None
    assert ssdp.decode(answer(st="urn:schemas-upnp-org:device:MediaServer:1"), ROUTER) is None


@pytest.mark.parametrize("location", [
    "", "http://192.168.1.7/x", "http://example.com/x", "https://192.168.1.1/x", "file:///etc/passwd",
    "http://user@192.168.1.1/x", "http://192.168.1.1:99999/", "http://[::1/", "http://192.168.1.1/\\x",
    "http://169.254.169.254/latest", "http://3232235777/", "http://192.168.1.1/" + "x" * 2000,
])
def test_an_answer_that_points_elsewhere_is_refused(location: str) -> None:
    with pytest.raises(FormatError):
        ssdp.decode(answer(location), ROUTER)


def test_a_router_on_the_internet_is_not_ours() -> None:
    with pytest.raises(FormatError, match="private network"):
        ssdp.decode(answer("http://8.8.8.8/x"), "8.8.8.8")


@pytest.mark.parametrize("data", [b"", b"NOTIFY * HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a" * 5000])
def test_what_is_no_answer_is_a_format_error(data: bytes) -> None:
    with pytest.raises(FormatError):
        ssdp.decode(data, ROUTER)


def description(*services: tuple[str, str], base: str = "", name: str = "Router") -> bytes:
    inner = "".join(
        f"<service><serviceType>{kind}</serviceType><controlURL>{url}</controlURL></service>" for kind, url in services)
    return (
        f'<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0">{base}<device><friendlyName>{name}'
        f"</friendlyName><deviceList><device><serviceList>{inner}</serviceList></device></deviceList></device></root>"
    ).encode()


def test_the_services_of_a_description_are_found_the_best_first() -> None:
    data = description(
        ("urn:schemas-upnp-org:service:WANPPPConnection:1", "/ppp"), ("urn:other", "/no"), (IP1, "ctl/ip1"),
        (igd.SERVICES[0], "/ip2"),
    )
    device = igd.parse_description(data, LOCATION, ROUTER)
    assert device.name == "Router" and [(s.kind.rpartition(":service:")[2], s.control) for s in device.services] == [
        ("WANIPConnection:2", "http://192.168.1.1:5000/ip2"), ("WANIPConnection:1", "http://192.168.1.1:5000/ctl/ip1"),
        ("WANPPPConnection:1", "http://192.168.1.1:5000/ppp"),
    ]
    assert [service.picks_port for service in device.services] == [True, False, False]


def test_a_service_elsewhere_is_left_out_and_a_wrong_base_does_no_harm() -> None:
    data = description((IP1, "http://10.0.0.9/ctl"))
    assert igd.parse_description(data, LOCATION, ROUTER).services == ()
    wrong = description((IP1, "/ctl"), base="<URLBase>http://example.com/</URLBase>")
    assert igd.parse_description(wrong, LOCATION, ROUTER).services[0].control == "http://192.168.1.1:5000/ctl"


BOMB = b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><r>&b;</r>'


@pytest.mark.parametrize("data", [
    b"", b"<", b"not xml", BOMB, b"<!DOCTYPE r SYSTEM 'http://192.168.1.9/x'><r/>", b"<r>&undefined;</r>",
    b"<a>" * 40 + b"</a>" * 40, b"<r>" + b"<a/>" * 5000 + b"</r>", b"<r>" + b" " * limits.IGD_XML_BYTES + b"</r>",
    b'<?xml version="1.0" encoding="ebcdic-made-up"?><r/>', b"<r></s>", b"\xff\xfe<\0r\0",
])
def test_bad_xml_is_a_format_error(data: bytes) -> None:
    with pytest.raises(FormatError):
        igd.parse_description(data, LOCATION, ROUTER)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_description_or_a_format_error(data: bytes) -> None:
    try:
        igd.parse_description(data, LOCATION, ROUTER)
    except FormatError:
        return


def envelope(inner: str) -> bytes:
    return (
        '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f"{inner}</s:Body></s:Envelope>"
    ).encode()


def fault(code: int) -> bytes:
    return envelope(
        "<s:Fault><detail><UPnPError xmlns='urn:schemas-upnp-org:control-1-0'>"
        f"<errorCode>{code}</errorCode><errorDescription>Why</errorDescription></UPnPError></detail></s:Fault>")


def test_a_call_names_its_action_and_cannot_be_broken_out_of() -> None:
    call = igd.add_mapping(IP1, "TCP", 7000, 6881, "192.168.1.2", 3600, description="<&>")
    assert call.header == f'"{IP1}#AddPortMapping"'
    assert b"<NewExternalPort>7000</NewExternalPort><NewProtocol>TCP</NewProtocol>" in call.body
    assert b"<NewPortMappingDescription>&lt;&amp;&gt;</NewPortMappingDescription>" in call.body
    assert igd.add_mapping(IP1, "UDP", 1, 1, "x", 0, description="", any_port=True).action == "AddAnyPortMapping"


def test_replies_and_refusals_are_told_apart() -> None:
    call = igd.external_address(IP1)
    good = envelope(
        f"<u:GetExternalIPAddressResponse xmlns:u='{IP1}'><NewExternalIPAddress> 93.184.216.34 "
        "</NewExternalIPAddress></u:GetExternalIPAddressResponse>")
    assert igd.address_of(igd.parse_reply(call, 200, good)) == "93.184.216.34"
    for code in (402, 718, 725):
        with pytest.raises(igd.Refused) as caught:
            igd.parse_reply(call, 500, fault(code))
        assert caught.value.fault == code
    with pytest.raises(igd.Refused, match="HTTP 500"):
        igd.parse_reply(call, 500, b"<html>")
    with pytest.raises(FormatError, match="no reply"):
        igd.parse_reply(call, 200, envelope("<other/>"))
    assert igd.parse_reply(igd.delete_mapping(IP1, "TCP", 1), 200, b"") == {}


@pytest.mark.parametrize(("value", "found"), [("", ""), ("0.0.0.0", ""), ("nonsense", ""), ("10.0.0.1", "10.0.0.1")])
def test_an_address_that_is_none_is_empty(value: str, found: str) -> None:
    assert igd.address_of({"NewExternalIPAddress": value}) == found


@pytest.mark.parametrize("value", ["", "0", "-1", "70000", "7 7", "²"])
def test_a_port_that_is_none_is_a_format_error(value: str) -> None:
    with pytest.raises(FormatError):
        igd.port_of({"NewReservedPort": value})
