"""UPnP internet gateways: the device's description, and the SOAP requests and replies of its WAN services (IGD 1, 2).

Descriptions and replies come from cheap devices and from whoever pretends to be one: they are bounded, a DOCTYPE (and
with it every entity) is refused, and what is not understood is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final
from urllib.parse import urljoin
from xml.parsers import expat
from xml.sax.saxutils import escape

from wildbach.base import addresses, limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol.portmap import ssdp

_SERVICE: Final = "urn:schemas-upnp-org:service:"
SERVICES: Final = tuple(
    _SERVICE + name for name in ("WANIPConnection:2", "WANIPConnection:1", "WANPPPConnection:1")
)
"Those that map ports, the best first."
_TEXT_CHARS: Final = 2000


class Fault(IntEnum):
    """UPnP error codes that say what to do next."""

    INVALID_ACTION = 401
    INVALID_ARGS = 402
    ACTION_FAILED = 501
    NOT_AUTHORIZED = 606
    NO_SUCH_ENTRY = 714
    WILDCARD_SOURCE = 715
    WILDCARD_PORT = 716
    CONFLICT = 718
    SAME_PORT_VALUES = 724
    ONLY_PERMANENT_LEASES = 725
    REMOTE_WILDCARD_ONLY = 726
    EXTERNAL_WILDCARD_ONLY = 727
    NO_PORT_MAPS_AVAILABLE = 728
    CONFLICT_WITH_OTHER_MECHANISMS = 729


@dataclass(frozen=True, slots=True)
class Service:
    """One service that maps ports."""

    kind: str
    control: str
    "The URL that takes SOAP requests."

    @property
    def picks_port(self) -> bool:
        """It has AddAnyPortMapping (IGD 2)."""
        return self.kind.endswith("WANIPConnection:2")


@dataclass(frozen=True, slots=True)
class Device:
    name: str
    services: tuple[Service, ...] = ()
    "The best first; none where the router cannot map ports."


@dataclass(slots=True)
class _Element:
    name: str
    text: str = ""
    children: list[_Element] = field(default_factory=list)

    def child(self, name: str) -> str:
        return next((c.text.strip() for c in self.children if c.name == name), "")


class _Tree:
    """Elements without their name spaces, from a document that cannot be large, deep or clever."""

    def __init__(self) -> None:
        self.root: _Element | None = None
        self._open: list[_Element] = []
        self._count = 0

    def parse(self, data: bytes) -> _Element:
        if len(data) > limits.IGD_XML_BYTES:
            raise LimitError(f"longer than IGD_XML_BYTES = {limits.IGD_XML_BYTES}", where="XML")
        parser = expat.ParserCreate()
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        try:
            # Some devices end with a zero byte or a blank.
            parser.Parse(data.strip(b" \r\n\t\0"), True)
        except expat.ExpatError as error:
            raise FormatError(expat.ErrorString(error.code) or "not XML", where="XML") from None
        except (LookupError, ValueError):
            raise FormatError("an encoding that nobody knows", where="XML") from None
        if self.root is None:
            raise FormatError("empty", where="XML")
        return self.root

    def _doctype(self, *_: object) -> None:
        raise FormatError("a DOCTYPE", where="XML")

    def _start(self, name: str, _attributes: Mapping[str, str]) -> None:
        self._count += 1
        if self._count > limits.IGD_XML_ELEMENTS or len(self._open) >= limits.IGD_XML_DEPTH:
            raise LimitError("more elements than IGD_XML_ELEMENTS or IGD_XML_DEPTH permit", where="XML")
        element = _Element(name.rpartition(":")[2])
        if self._open:
            self._open[-1].children.append(element)
        elif self.root is None:
            self.root = element
        self._open.append(element)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _data(self, text: str) -> None:
        element = self._open[-1]
        if len(element.text) < _TEXT_CHARS:
            element.text += text[:_TEXT_CHARS]


def _all(root: _Element, name: str) -> list[_Element]:
    """Every element of a name, in the order of the document."""
    found: list[_Element] = []
    waiting = [root]
    while waiting:
        element = waiting.pop()
        if element.name == name:
            found.append(element)
        waiting.extend(reversed(element.children))
    return found


def parse_description(data: bytes, location: str, sender: str) -> Device:
    """The services of a device description that was fetched from `location`, of the router at `sender`.

    A service whose URL leads elsewhere than to the router is left out. Raises FormatError.
    """
    root = _Tree().parse(data)
    bases = _all(root, "URLBase")
    base = bases[0].text.strip() if bases else ""
    found: dict[str, Service] = {}
    for element in _all(root, "service"):
        kind = element.child("serviceType")
        if kind not in SERVICES or kind in found:
            continue
        for start in (base, location):
            # URLBase is often wrong: what does not lead to the router is tried from the description's own place.
            try:
                control = urljoin(start, element.child("controlURL")) if start else ""
                ssdp.check_url(control, sender)
            except (FormatError, ValueError):
                continue
            found[kind] = Service(kind, control)
            break
    names = _all(root, "friendlyName") or _all(root, "modelName")
    name = "".join(c for c in (names[0].text.strip() if names else "") if c.isprintable())[:100]
    return Device(name, tuple(found[kind] for kind in SERVICES if kind in found))


# -- SOAP


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a service: what is posted, and the value of the SOAPAction header."""

    action: str
    header: str
    body: bytes


def _call(service: str, action: str, arguments: Sequence[tuple[str, object]]) -> Call:
    inner = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in arguments)
    body = (
        '<?xml version="1.0"?>\r\n'
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
        's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">'
        f'<s:Body><u:{action} xmlns:u="{service}">{inner}</u:{action}></s:Body></s:Envelope>\r\n'
    )
    return Call(action, f'"{service}#{action}"', body.encode())


def external_address(service: str) -> Call:
    return _call(service, "GetExternalIPAddress", ())


def add_mapping(
    service: str, protocol: str, external: int, internal: int, client: str, lease: int, *, description: str,
    any_port: bool = False,
) -> Call:
    """Map a port to `client`, which is our address. `any_port`: another external port may be given (IGD 2).

    `protocol` is TCP or UDP; `lease` in seconds, 0 for as long as the router runs.
    """
    return _call(service, "AddAnyPortMapping" if any_port else "AddPortMapping", (
        ("NewRemoteHost", ""), ("NewExternalPort", external), ("NewProtocol", protocol),
        ("NewInternalPort", internal), ("NewInternalClient", client), ("NewEnabled", 1),
        ("NewPortMappingDescription", description), ("NewLeaseDuration", lease),
    ))


def delete_mapping(service: str, protocol: str, external: int) -> Call:
    return _call(service, "DeletePortMapping", (
        ("NewRemoteHost", ""), ("NewExternalPort", external), ("NewProtocol", protocol),
    ))


class Refused(FormatError):
    """The router answers with an error of UPnP. `fault` is its number, 0 where it gives none."""

    code = "router_refused"

    def __init__(self, fault: int, text: str) -> None:
        super().__init__(f"error {fault}: {text}" if fault else text or "refused", fault=fault)
        self.fault = fault


def parse_reply(call: Call, status: int, data: bytes) -> dict[str, str]:
    """The values of a reply. Raises Refused for an error of the router, FormatError for what is no reply."""
    if not data and status == 200:
        return {}  # as some devices answer what has no values
    try:
        root = _Tree().parse(data)
    except FormatError:
        if status != 200:
            raise Refused(0, f"HTTP {status}") from None
        raise
    for element in _all(root, "UPnPError"):
        code = element.child("errorCode")
        text = "".join(c for c in element.child("errorDescription") if c.isprintable())[:100]
        raise Refused(int(code) if code.isascii() and code.isdigit() and len(code) < 6 else 0, text)
    if status != 200 or _all(root, "Fault"):
        raise Refused(0, f"HTTP {status}")
    replies = _all(root, f"{call.action}Response")
    if not replies:
        raise FormatError(f"no reply to {call.action}", where="SOAP")
    return {element.name: element.text.strip() for element in replies[0].children}


def address_of(reply: Mapping[str, str]) -> str:
    """The external address of a reply; empty where there is none, as while the router is offline."""
    address = addresses.parse(reply.get("NewExternalIPAddress", ""))
    return "" if address is None or address.is_unspecified else str(address)


def port_of(reply: Mapping[str, str]) -> int:
    """The port that AddAnyPortMapping gave. Raises FormatError."""
    text = reply.get("NewReservedPort", "")
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:6]) <= 65535:
        raise FormatError("no port", where="SOAP")
    return int(text)
