"""Descriptions of routers and their SOAP replies (UPnP): bounded, and no service elsewhere than at the router."""

from urllib.parse import urlsplit

from wildbach.base.errors import FormatError
from wildbach.protocol.portmap import igd

CALL = igd.external_address(igd.SERVICES[1])
SEEDS: list[bytes] = [
    b'<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><URLBase>http://192.168.1.1:80</URLBase>'
    b"<device><friendlyName>R</friendlyName><serviceList><service><serviceType>"
    b"urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>/ctl</controlURL></service>"
    b"</serviceList></device></root>",
    b'<?xml version="1.0"?><s:Envelope xmlns:s="e"><s:Body><u:GetExternalIPAddressResponse xmlns:u="x">'
    b"<NewExternalIPAddress>1.2.3.4</NewExternalIPAddress><NewReservedPort>70</NewReservedPort>"
    b"</u:GetExternalIPAddressResponse></s:Body></s:Envelope>",
    b"<s:Envelope xmlns:s='e'><s:Body><s:Fault><detail><UPnPError><errorCode>718</errorCode></UPnPError></detail>"
    b"</s:Fault></s:Body></s:Envelope>",
]
TOKENS: list[bytes] = [
    b"<!DOCTYPE r [<!ENTITY a 'b'>]>", b"&a;", b"<a>", b"</a>", b"<![CDATA[", b"http://192.168.1.9/", b"<!--", b"?>",
]


def one_input(data: bytes) -> None:
    try:
        device = igd.parse_description(data, "http://192.168.1.1:5000/d.xml", "192.168.1.1")
    except FormatError:
        return
    assert all(urlsplit(service.control).hostname == "192.168.1.1" for service in device.services)
    try:
        reply = igd.parse_reply(CALL, 200, data)
        igd.address_of(reply)
        igd.port_of(reply)
    except FormatError:
        return
