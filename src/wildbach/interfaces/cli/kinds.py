"""Values of flags: sizes, rates, addresses. Each says in its error how to write it."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

import click

from wildbach.base.errors import UsageError
from wildbach.base.limits import KIB
from wildbach.interfaces.cli import text


class HostPort(NamedTuple):
    """An address as typed: `host` may still be a name."""

    host: str
    port: int


def parse_host_port(value: str) -> HostPort:
    """Read `1.2.3.4:6881`, `[2001:db8::1]:6881`, `name:6881` or `:6881` (every address). Raises UsageError."""
    host, _, port = value.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise UsageError(f"{value!r}: put an IPv6 address in brackets, as in [2001:db8::1]:6881")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 65536):
        raise UsageError(f"{value!r} is not HOST:PORT, as in 127.0.0.1:6881 or [::1]:6881")
    return HostPort(host, int(port))


def check_tracker(url: str) -> str:
    """The URL, where a tracker can have it. Raises UsageError."""
    if not url.startswith(("http://", "https://", "udp://")):
        raise UsageError(f"--tracker {text.clean(url)}: an http, https or udp URL is needed")
    return url


def is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class SizeType(click.ParamType[int]):
    """Bytes: `16384`, `256K`, `1M`."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return text.parse_size(str(value))
        except UsageError as error:
            self.fail(error.message, param, ctx)


class PieceLengthType(SizeType):
    """A piece length: a power of two of at least 16 KiB (BEP 52)."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        length = super().convert(value, param, ctx)
        if length < 16 * KIB or length & (length - 1):
            self.fail(f"{value!r} is not a power of two of at least 16K: 16K, 32K, … 1M, 2M, …", param, ctx)
        return length


class HostPortType(click.ParamType[HostPort]):
    """`HOST:PORT`."""

    name = "host:port"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> HostPort:
        if isinstance(value, HostPort):
            return value
        try:
            return parse_host_port(str(value))
        except UsageError as error:
            self.fail(error.message, param, ctx)


SIZE = SizeType()
PIECE_LENGTH = PieceLengthType()
HOST_PORT = HostPortType()
