"""In which country an address is, by a database in a file (MMDB) that is read when it is first asked for.

Nothing that the file says is believed beyond two letters, and whatever is wrong with it means: no countries. It is read
into memory rather than mapped: a mapped file that somebody writes over ends the whole process.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import maxminddb

from wildbach.base import limits
from wildbach.base.addresses import Reach, classify
from wildbach.runtime.workers import Threads

_log = logging.getLogger(__name__)

_FAULTS: Final = (
    OSError, maxminddb.InvalidDatabaseError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError,
    struct.error, RecursionError, MemoryError,
)
"What a file that is no database, or a hostile one, makes the library raise."


class Countries:
    """`where` gives the file that is to be read."""

    def __init__(self, threads: Threads, where: Callable[[], Path]) -> None:
        self._threads = threads
        self._where = where
        self._path: Path | None = None
        self._reader: maxminddb.Reader | None = None
        self._known: dict[str, str] = {}

    async def of(self, hosts: Iterable[str]) -> dict[str, str]:
        """Two capital letters for each literal address; empty where that is not known, and in private networks."""
        wanted = list(dict.fromkeys(hosts))
        path = self._where()
        if path != self._path:
            self._path, self._reader = path, None
            self._known.clear()
            self._reader = await self._threads.run(_open, path)
        missing = [host for host in wanted if host not in self._known and classify(host) is Reach.GLOBAL]
        reader = self._reader
        if missing and reader is not None:
            found = await self._threads.run(_look, reader, missing)
            if found is None:
                self._reader = None
                _log.error("the database of countries %s is damaged: there are none from now on", path)
            elif path == self._path:
                if len(self._known) + len(found) > limits.COUNTRIES_KNOWN:
                    self._known.clear()
                self._known.update(found)
        return {host: self._known.get(host, "") for host in wanted}


def _open(path: Path) -> maxminddb.Reader | None:
    try:
        return _read(path)
    except _FAULTS as error:
        _log.log(
            logging.INFO if isinstance(error, FileNotFoundError) else logging.ERROR,
            "there are no countries of peers: %s cannot be read (%s)", path, error)
        return None


def _read(path: Path) -> maxminddb.Reader:
    """Raises one of the faults."""
    if path.stat().st_size > limits.COUNTRIES_BYTES:
        raise OSError(f"it has more than {limits.COUNTRIES_BYTES} bytes")
    # The form in Python: that in C is quicker and trusts the file more.
    return maxminddb.open_database(path, maxminddb.MODE_MEMORY)


def _look(reader: maxminddb.Reader, hosts: list[str]) -> dict[str, str] | None:
    """None for a database that is damaged."""
    try:
        return {host: _code(reader.get(host)) for host in hosts}
    except _FAULTS:
        return None


def _code(record: object) -> str:
    """Of the databases that there are, one of these has it."""
    if isinstance(record, dict):
        country = record.get("country_code", record.get("country"))
        if isinstance(country, dict):
            country = country.get("iso_code")
        if isinstance(country, str) and len(country) == 2 and country.isascii() and country.isalpha():
            return country.upper()
    return ""
