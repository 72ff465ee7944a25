"""Answers of routers (SSDP): none leads to anywhere else than to who sent it."""

from urllib.parse import urlsplit

from wildbach.base.errors import FormatError
from wildbach.protocol.portmap import ssdp

SEEDS: list[bytes] = [
    b"HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
    b"USN: uuid:1::urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nServer: x\r\n"
    b"LOCATION: http://192.168.1.1:5000/desc.xml\r\n\r\n",
]
TOKENS: list[bytes] = [b"@", b"http://", b"192.168.1.1", b"[", b"\\", b"#", b"?", b":80", b"\r\n", b"LOCATION:"]


def one_input(data: bytes) -> None:
    try:
        found = ssdp.decode(data, "192.168.1.1")
    except FormatError:
        return
    if found is not None:
        assert found.host == urlsplit(found.location).hostname == "192.168.1.1" and 0 < found.port < 65536
