"""Values of flags: sizes, rates, addresses. Each says in its error how to write it."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

import click

from wildbach.base.errors import FormatError, UsageError
from wildbach.base.limits import KIB
from wildbach.interfaces.cli import text
from wildbach.protocol.tron import amounts


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


class TrxType(click.ParamType[int]):
    """SUN, typed as TRX: `1.5`. `least`: SUN."""

    name = "trx"

    def __init__(self, least: int = 0) -> None:
        self.least = least

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            amount = amounts.parse(str(value))
        except FormatError as error:
            self.fail(error.message, param, ctx)
        if amount < self.least:
            self.fail(f"{amounts.shown(self.least)} TRX is the least", param, ctx)
        return amount


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


class _LimitType(click.ParamType[float]):
    """A limit of seeding: `none` is -1, `default` -2."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return value
        word = str(value).strip().lower()
        if word in ("none", "default"):
            return -1 if word == "none" else -2
        number = self.read(word)
        if number is None:
            self.fail(f"{value!r} is neither {self.like} nor `none` nor `default`", param, ctx)
        return number

    like = ""

    def read(self, word: str) -> float | None:
        raise NotImplementedError


class CountLimitType(_LimitType):
    """A ratio: `1.5`, `none`, `default`."""

    name = "ratio"
    like = "a number"

    def read(self, word: str) -> float | None:
        return float(word) if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", word, re.ASCII) else None


class SecondsLimitType(_LimitType):
    """A time: `90`, `90s`, `30m`, `12h`, `7d`, `none`, `default`."""

    name = "time"
    like = "a time, as 30m, 12h or 7d,"

    def read(self, word: str) -> float | None:
        found = re.fullmatch(r"(\d{1,9})([smhd]?)", word, re.ASCII)
        return int(found[1]) * _SECONDS[found[2]] if found is not None else None


_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
COUNT_LIMIT = CountLimitType()
SECONDS_LIMIT = SecondsLimitType()
SIZE = SizeType()
PIECE_LENGTH = PieceLengthType()
HOST_PORT = HostPortType()
