"""torrent-get: an answer that is made while it is sent, so that a hundred thousand torrents hold up nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import msgspec
from msgspec import structs

from wildbach.base.errors import WildbachError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.doors.transmission import refusal
from wildbach.interfaces.doors.transmission.asked import Asked, Given, Pace
from wildbach.interfaces.doors.transmission.fields import Field, Need, Seen, chosen, mime_type
from wildbach.interfaces.doors.transmission.names import Dialect
from wildbach.interfaces.doors.transmission.numbers import Facts
from wildbach.interfaces.doors.transmission.refusal import Refusal
from wildbach.interfaces.doors.transmission.usual import Usual

_CHUNK: Final = 64 * 1024
_ROWS: Final = 200
"Objects of one array that are made at once."
_NUMBERS: Final = 20_000

_encode = msgspec.json.Encoder().encode


async def torrent_get(asked: Asked) -> Given:
    fields = chosen(asked.params.texts("fields") or (), asked.dialect)
    if not fields:
        raise Refusal(refusal.INVALID_PARAMS, "no fields specified")
    table = asked.params.text("format") == "table"
    keys = await asked.keys()
    removed = asked.numbers.removed_lately() if asked.lately else None
    usual = await Usual.of(asked.api)
    return _answer(asked, fields, keys, removed, usual, table)


async def _answer(
    asked: Asked, fields: list[Field], keys: list[str], removed: list[int] | None, usual: Usual, table: bool,
) -> AsyncIterator[bytes]:
    write = _Writer(fields, asked.dialect, table)
    needs = {field.need for field in fields}
    pace = Pace()
    buffer = bytearray(b'{"torrents":[')
    separator = b""
    if table:
        buffer += _encode([field.spelled(asked.dialect) for field in fields])
        separator = b","
    async for row in asked.rows(keys):
        try:
            seen = await _look(asked, row, usual, needs)
        except WildbachError:
            continue  # it went away meanwhile
        buffer += separator
        separator = b","
        for part in write(seen):
            buffer += part
            if len(buffer) >= _CHUNK or pace.due():
                yield bytes(buffer)
                buffer.clear()
                await pace.rest()
    buffer += b"]"
    if removed is not None:
        buffer += b',"removed":' + _encode(removed)
    yield bytes(buffer + b"}")


async def _look(asked: Asked, row: m.TorrentRow, usual: Usual, needs: set[Need]) -> Seen:
    """What the fields need of a torrent, and nothing else. Raises WildbachError where it is gone."""
    api, key = asked.api, row.key
    seen = Seen(
        asked.numbers.number(key), row, usual, asked.numbers.count, asked.numbers.latent.get(key, {}))
    if "detail" in needs:
        seen.detail = await api.torrent(key)
    if "files" in needs:
        seen.files = await asked.files(key)
    if needs & {"facts", "mime", "files"}:
        seen.facts = await _facts(asked, seen, mime="mime" in needs)
    if "peers" in needs and row.peers:
        seen.peers = (await api.peers(key)).peers
    if "trackers" in needs:
        seen.trackers = (await api.trackers(key)).trackers
    if "web_seeds" in needs:
        seen.web_seeds = (await api.web_seeds(key)).web_seeds
    if "pieces" in needs:
        seen.pieces = await api.pieces(key, m.PieceQuery())
    return seen


async def _facts(asked: Asked, seen: Seen, *, mime: bool) -> Facts:
    """As they are remembered, or asked for: then a torrent that sleeps wakes up."""
    key = seen.row.key
    facts = asked.numbers.facts.get(key)
    if facts is None:
        detail = seen.detail or await asked.api.torrent(key)
        facts = Facts(detail.created_by, detail.created_at, detail.piece_length, detail.pieces, detail.files)
    if mime and not facts.mime_type:
        facts = structs.replace(facts, mime_type=mime_type(seen.files or await asked.files(key)))
    if seen.row.has_metadata:
        asked.numbers.facts[key] = facts
    return facts


class _Writer:
    """Makes the JSON of one torrent after the other, in parts that each take little time."""

    def __init__(self, fields: list[Field], dialect: Dialect, table: bool) -> None:
        self._dialect = dialect
        self._table = table
        self._heads = [
            (b"" if table else _encode(field.spelled(dialect)) + b":", field) for field in fields]
        self._short = [(field.spelled(dialect), field) for field in fields if not _is_long(field)]
        self._long = [(head, field) for head, field in self._heads if _is_long(field)]

    def __call__(self, seen: Seen) -> Iterator[bytes]:
        if self._table:
            separator = b"["
            for _, field in self._heads:
                yield separator
                yield from self._value(field, seen)
                separator = b","
            yield b"[]" if separator == b"[" else b"]"
            return
        yield _encode({name: field.value(seen) for name, field in self._short})[:-1]
        separator = b"," if self._short else b""
        for head, field in self._long:
            yield separator + head
            yield from self._value(field, seen)
            separator = b","
        yield b"}"

    def _value(self, field: Field, seen: Seen) -> Iterator[bytes]:
        value = field.value(seen)
        if field.kind == "flags" and self._dialect is Dialect.CLASSIC:
            value = [int(flag) for flag in value]
        keys = field.keys(self._dialect)
        if field.kind == "object":
            yield _encode(_object(keys, value))
        elif keys:
            yield from _array(_object(keys, row) for row in value)
        elif isinstance(value, list) and len(value) > _NUMBERS:
            yield from _array(iter(value), _NUMBERS)
        else:
            yield _encode(value)


def _is_long(field: Field) -> bool:
    return bool(field.columns) or field.kind in ("array", "flags")


def _object(keys: Sequence[str | None], values: Sequence[Any]) -> dict[str, Any]:
    return {key: value for key, value in zip(keys, values, strict=True) if key is not None}


def _array(items: Iterator[Any], at_once: int = _ROWS) -> Iterator[bytes]:
    separator = b"["
    while part := list(islice(items, at_once)):
        yield separator + _encode(part)[1:-1]
        separator = b","
    yield b"[]" if separator == b"[" else b"]"
