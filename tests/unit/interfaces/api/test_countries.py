"""In which countries peers are."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mmdb import database

from clients import client
from wildbach.base import limits
from wildbach.interfaces.api import countries
from wildbach.interfaces.api.countries import Countries
from wildbach.runtime.workers import Threads

RECORDS = {
    "8.8.0.0/16": {"country_code": "us"}, "9.9.9.0/24": {"country": {"iso_code": "CH"}}, "2a00::/12": {"country": "DE"},
    "10.0.0.0/8": {"country_code": "XX"}, "192.168.0.0/16": {"country_code": "XX"}, "7.7.7.7/32": {"country_code": 5},
    "7.7.7.8/32": {"country_code": "USA"}, "7.7.7.9/32": {"country_code": "\u0131\u0131"[:1]}, "7.7.7.10/32": "US",
}
PACKAGE = Path(__file__).parents[4] / "web/node_modules/@ip-location-db/geo-whois-asn-country-mmdb"
NPM = PACKAGE / "geo-whois-asn-country.mmdb"


def ask(path: Path, *hosts: str) -> dict[str, str]:
    async def main() -> dict[str, str]:
        threads = Threads(1)
        try:
            found = Countries(threads, lambda: path)
            first = await found.of(hosts)
            assert await found.of(hosts) == first
            return first
        finally:
            threads.close()
    return asyncio.run(main())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "c.mmdb").write_bytes(database(RECORDS))
    return tmp_path / "c.mmdb"


def test_the_country_is_two_capital_letters_whatever_the_database_calls_them(path: Path) -> None:
    assert ask(path, "8.8.8.8", "9.9.9.9", "2a00:1450::1", "8.9.0.1", "2a00:1450::1") == {
        "8.8.8.8": "US", "9.9.9.9": "CH", "2a00:1450::1": "DE", "8.9.0.1": ""}


def test_private_addresses_and_what_is_none_have_no_country(path: Path) -> None:
    hosts = ("10.1.2.3", "192.168.1.2", "127.0.0.1", "::1", "fd00::1", "peer.example", "")
    assert set(ask(path, *hosts).values()) == {""}


def test_what_is_no_code_is_none(path: Path) -> None:
    assert set(ask(path, "7.7.7.7", "7.7.7.8", "7.7.7.9", "7.7.7.10").values()) == {""}


@pytest.mark.parametrize(
    "content", [None, b"", b"not a database" * 100, database({})[:-30], b"\xab\xcd\xefMaxMind.com"])
def test_without_a_database_there_are_no_countries_and_one_line_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes | None,
) -> None:
    path = tmp_path / "c.mmdb"
    if content is not None:
        path.write_bytes(content)
    with caplog.at_level(logging.INFO, "wildbach"):
        assert ask(path, "8.8.8.8", "9.9.9.9") == {"8.8.8.8": "", "9.9.9.9": ""}
    assert len(caplog.records) == 1 and "no countries" in caplog.records[0].getMessage()
    assert caplog.records[0].levelno == (logging.INFO if content is None else logging.ERROR)


def test_one_that_turns_out_to_be_damaged_is_asked_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture,
) -> None:
    raw = bytearray(database({"8.8.0.0/16": {"country_code": "US"}}))
    at = raw.index(b"country_code") - 2
    raw[at:at + 1] = b"\xff"  # a map that has more in it than there is
    (tmp_path / "c.mmdb").write_bytes(raw)
    assert ask(tmp_path / "c.mmdb", "8.8.8.8") == {"8.8.8.8": ""}
    assert len(caplog.records) == 1 and "damaged" in caplog.records[0].getMessage()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=8), st.integers(0, 2000))
def test_a_damaged_database_gives_codes_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], cut: int,
) -> None:
    raw = bytearray(database({"8.8.0.0/16": {"country_code": "US"}, "9.0.0.0/8": {"country": {"iso_code": "CH"}}}))
    for at, value in changes:
        raw[at % len(raw)] = value
    path = tmp_path_factory.mktemp("damaged") / "c.mmdb"
    path.write_bytes(raw[: max(0, len(raw) - cut % 40)] if cut % 3 == 0 else raw)
    reader = countries._open(path)
    found = countries._look(reader, ["8.8.8.8", "9.9.9.9", "2a00::1"]) if reader is not None else None
    assert all(code == "" or (len(code) == 2 and code.isalpha()) for code in (found or {}).values())


def test_a_file_that_is_far_too_long_is_not_read(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(limits, "COUNTRIES_BYTES", 100)
    assert ask(path, "8.8.8.8") == {"8.8.8.8": ""} and len(caplog.records) == 1


def test_what_is_remembered_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "COUNTRIES_KNOWN", 10)

    async def main() -> None:
        threads = Threads(1)
        found = Countries(threads, lambda: path)
        for number in range(30):
            assert set((await found.of([f"8.8.{number}.{n}" for n in range(4)])).values()) == {"US"}
            assert len(found._known) <= 10
        threads.close()
    asyncio.run(main())


def test_a_client_knows_the_file_that_was_chosen(path: Path, tmp_path: Path) -> None:
    async def main() -> None:
        async with client(tmp_path, api__countries=str(path)) as api:
            assert await api.core.countries.of(["8.8.8.8"]) == {"8.8.8.8": "US"}
    asyncio.run(main())


@pytest.mark.skipif(not NPM.is_file(), reason="the packages of the web interface are not installed")
def test_the_database_that_is_built_in_has_countries() -> None:
    found = ask(NPM, "8.8.8.8", "193.99.144.80", "2a02:2e0:3fe:1001:302::")
    assert found["8.8.8.8"] == "US" and found["193.99.144.80"] == found["2a02:2e0:3fe:1001:302::"] == "DE"
