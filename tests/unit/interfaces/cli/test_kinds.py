from __future__ import annotations

import click
import pytest

from wildbach.base.errors import UsageError
from wildbach.interfaces.cli.kinds import (
    COUNT_LIMIT,
    HOST_PORT,
    PIECE_LENGTH,
    SECONDS_LIMIT,
    HostPort,
    TrxType,
    parse_host_port,
)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("127.0.0.1:6881", HostPort("127.0.0.1", 6881)),
        ("[2001:db8::1]:1", HostPort("2001:db8::1", 1)),
        ("seed.example:65535", HostPort("seed.example", 65535)),
        (":0", HostPort("", 0)),
    ],
)
def test_addresses(written: str, read: HostPort) -> None:
    assert parse_host_port(written) == read
    assert HOST_PORT.convert(written, None, None) == read


@pytest.mark.parametrize("written", ["", "host", "host:", "host:x", "host:65536", "::1:6881", "1.2.3.4:²"])
def test_what_is_no_address_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(UsageError, match=r"6881"):
        parse_host_port(written)
    with pytest.raises(click.BadParameter):
        HOST_PORT.convert(written, None, None)


def test_piece_lengths_are_powers_of_two() -> None:
    assert PIECE_LENGTH.convert("256K", None, None) == 256 * 1024
    for wrong in ("8K", "48K", "0", "many"):
        with pytest.raises(click.BadParameter, match="16"):
            PIECE_LENGTH.convert(wrong, None, None)


@pytest.mark.parametrize(("kind", "written", "value"), [
    (COUNT_LIMIT, "1.5", 1.5), (COUNT_LIMIT, "2", 2), (COUNT_LIMIT, "none", -1), (COUNT_LIMIT, "Default", -2),
    (SECONDS_LIMIT, "90", 90), (SECONDS_LIMIT, "30m", 1800), (SECONDS_LIMIT, "12h", 43_200),
    (SECONDS_LIMIT, "7d", 604_800), (SECONDS_LIMIT, "none", -1), (SECONDS_LIMIT, "default", -2),
])
def test_limits_of_seeding_are_numbers_times_none_or_as_the_settings_say(
    kind: click.ParamType[float], written: str, value: float,
) -> None:
    assert kind.convert(written, None, None) == value


@pytest.mark.parametrize("kind", [COUNT_LIMIT, SECONDS_LIMIT])
@pytest.mark.parametrize("written", ["", "-1", "1e9", "x", "1.2.3", "1w", "\u0661"])
def test_what_is_no_limit_is_refused(kind: click.ParamType[float], written: str) -> None:
    with pytest.raises(click.BadParameter):
        kind.convert(written, None, None)


def test_amounts_are_typed_in_trx() -> None:
    assert TrxType().convert("1.5", None, None) == TrxType().convert(1_500_000, None, None) == 1_500_000
    assert (TrxType().convert("0", None, None), TrxType(1).convert("0.000001", None, None)) == (0, 1)
    for kind, words in ((TrxType(), "1e3"), (TrxType(), "-1"), (TrxType(1), "0")):
        with pytest.raises(click.BadParameter):
            kind.convert(words, None, None)
