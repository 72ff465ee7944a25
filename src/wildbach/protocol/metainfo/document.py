"""A .torrent file: the info dictionary and what stands beside it (BEP 3, 5, 12, 17, 19, 38, 52)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol import bencode
from wildbach.protocol.bencode import Value
from wildbach.protocol.layers import PieceHashes, check_layer
from wildbach.protocol.metainfo import info as info_module
from wildbach.protocol.metainfo.fields import Dict, bytes_or, int_or, strings, take_dict, wrong
from wildbach.protocol.metainfo.info import Info
from wildbach.protocol.metainfo.paths import printable

_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def clean_url(raw: bytes) -> str:
    """A URL as text, blanks around it removed; empty where it has controls inside or is longer than URL_CHARS."""
    text = raw.decode("utf-8", "replace").strip(" \t\r\n\0").replace(" ", "%20")
    if len(text) > limits.URL_CHARS or _NOT_IN_URLS.search(text) is not None:
        return ""
    return text


@dataclass(frozen=True, slots=True, eq=False)
class Metainfo:
    """A .torrent file that was checked; immutable. Made by `Metainfo.parse` or `Metainfo.from_info`."""

    info: Info
    trackers: tuple[tuple[str, ...], ...] = ()
    "Tiers of tracker URLs (BEP 12)."
    web_seeds: tuple[str, ...] = ()
    "URLs of `url-list` (BEP 19)."
    http_seeds: tuple[str, ...] = ()
    "URLs of `httpseeds` (BEP 17)."
    nodes: tuple[tuple[str, int], ...] = ()
    "DHT nodes (BEP 5): host or address, and port."
    comment: str = ""
    created_by: str = ""
    creation_date: int | None = None
    "Seconds since 1970."
    piece_layers: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)
    "The piece layer of each v2 file of more than one piece, by its root; each was checked against that root."
    similar: tuple[bytes, ...] = ()
    collections: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    "What was changed, ignored or is missing, in words for people."

    @classmethod
    def parse(cls, data: bytes) -> Metainfo:
        """Check a .torrent file. Raises FormatError that names the key, LimitError where a bound is passed."""
        if len(data) > limits.TORRENT_FILE_BYTES:
            reason = f"{len(data)} bytes are more than TORRENT_FILE_BYTES = {limits.TORRENT_FILE_BYTES}"
            raise LimitError(reason, where="torrent")
        notes: list[str] = []
        try:
            fields, spans = bencode.decode_dict_spans(data, rest=True)
            ordered = True
        except LimitError:
            raise
        except FormatError:
            fields, spans = bencode.decode_dict_spans(data, strict=False, rest=True)
            ordered = False
            notes.append("keys are out of order")
        raw_info = take_dict(fields, b"info", "")
        start, end = spans[b"info"]
        info = Info.build(data[start:end], raw_info, ordered or _in_order(data[start:end]))
        return cls(
            info=info,
            trackers=_trackers(fields, notes),
            web_seeds=_urls(fields.get(b"url-list"), "url-list", notes),
            http_seeds=_urls(fields.get(b"httpseeds"), "httpseeds", notes),
            nodes=_nodes(fields.get(b"nodes"), notes),
            comment=printable(bytes_or(fields, b"comment.utf-8") or bytes_or(fields, b"comment")),
            created_by=printable(bytes_or(fields, b"created by"), 1000),
            creation_date=_date(fields),
            piece_layers=_layers(fields, info, notes),
            similar=tuple(dict.fromkeys((*info.similar, *info_module.similar(fields)))),
            collections=tuple(dict.fromkeys((*info.collections, *info_module.collections(fields)))),
            warnings=(*notes, *_remarks(info)),
        )

    @classmethod
    def from_info(
        cls,
        info: Info,
        *,
        trackers: Iterable[Sequence[str]] = (),
        web_seeds: Iterable[str] = (),
        http_seeds: Iterable[str] = (),
        nodes: Iterable[tuple[str, int]] = (),
        comment: str = "",
        created_by: str = "",
        creation_date: int | None = None,
        piece_layers: Mapping[bytes, bytes] | None = None,
    ) -> Metainfo:
        """Put a torrent file together around an info dictionary, say one that peers sent.

        Raises FormatError where a piece layer does not match its root; layers may be missing, and more than needed.
        """
        notes: list[str] = []
        kept = _checked_layers({**(piece_layers or {})}, info, notes) if info.has_v2 else {}
        return cls(
            info=info,
            trackers=tuple(tuple(tier) for tier in trackers if tier),
            web_seeds=tuple(web_seeds),
            http_seeds=tuple(http_seeds),
            nodes=tuple(nodes),
            comment=comment,
            created_by=created_by,
            creation_date=creation_date,
            piece_layers=kept,
            similar=info.similar,
            collections=info.collections,
            warnings=(*notes, *_remarks(info)),
        )

    @property
    def missing_layers(self) -> list[bytes]:
        """The roots of files whose piece layer is not here: peers must send it (BEP 52 hash requests)."""
        return PieceHashes(self.info.geometry, self.info.roots, self.piece_layers).missing()

    def to_bytes(self) -> bytes:
        """The .torrent file, with the info dictionary exactly as it was received."""
        fields: Dict = {}
        urls = [[url.encode() for url in tier] for tier in self.trackers]
        if urls:
            fields[b"announce"] = urls[0][0]
        if len(urls) > 1 or (urls and len(urls[0]) > 1):
            fields[b"announce-list"] = [list[Value](tier) for tier in urls]
        if self.comment:
            fields[b"comment"] = self.comment.encode()
        if self.created_by:
            fields[b"created by"] = self.created_by.encode()
        if self.creation_date is not None:
            fields[b"creation date"] = self.creation_date
        if self.http_seeds:
            fields[b"httpseeds"] = [url.encode() for url in self.http_seeds]
        if self.nodes:
            fields[b"nodes"] = [[host.encode(), port] for host, port in self.nodes]
        if self.info.has_v2:
            fields[b"piece layers"] = dict[bytes, Value](self.piece_layers)
        if self.web_seeds:
            fields[b"url-list"] = [url.encode() for url in self.web_seeds]
        outside = [item for item in self.similar if item not in self.info.similar]
        if outside:
            fields[b"similar"] = list[Value](outside)
        named = [item.encode() for item in self.collections if item not in self.info.collections]
        if named:
            fields[b"collections"] = list[Value](named)
        parts = {key: bencode.encode(value) for key, value in fields.items()}
        parts[b"info"] = self.info.raw
        return b"d" + b"".join(bencode.encode(key) + parts[key] for key in sorted(parts)) + b"e"


def _in_order(raw: bytes) -> bool:
    try:
        bencode.decode(raw)
    except FormatError:
        return False
    return True


def _trackers(fields: Dict, notes: list[str]) -> tuple[tuple[str, ...], ...]:
    """The tiers of `announce-list`, or `announce` alone where that has no URL. Each URL once, the first place wins."""
    tiers: list[tuple[str, ...]] = []
    seen: set[str] = set()
    odd = 0
    listed = fields.get(b"announce-list")
    sources = [*listed, None] if isinstance(listed, list) else [listed, None]
    for source in sources:
        if source is None:
            if seen:
                break
            source = fields.get(b"announce")
        tier = []
        for raw in strings(source):
            url = clean_url(raw)
            if not url or url in seen:
                odd += not url and bool(raw)
            elif len(seen) < limits.TRACKERS_PER_TORRENT:
                seen.add(url)
                tier.append(url)
            else:
                odd += 1
        if tier:
            tiers.append(tuple(tier))
    if odd:
        notes.append(f"announce: {odd} trackers were ignored")
    return tuple(tiers)


def _urls(value: Value | None, key: str, notes: list[str]) -> tuple[str, ...]:
    items = strings(value)
    urls = list(dict.fromkeys(url for url in map(clean_url, items) if url))
    odd = len(value) - len(items) if isinstance(value, list) else int(value is not None and not items)
    odd += sum(1 for item in items if item and not clean_url(item))
    odd += max(0, len(urls) - limits.WEB_SEEDS_PER_TORRENT)
    if odd:
        notes.append(f"{key}: {odd} entries were ignored")
    return tuple(urls[: limits.WEB_SEEDS_PER_TORRENT])


def _nodes(value: Value | None, notes: list[str]) -> tuple[tuple[str, int], ...]:
    out: list[tuple[str, int]] = []
    items = value if isinstance(value, list) else []
    for item in items[: limits.DHT_NODES_PER_TORRENT]:
        if isinstance(item, list) and len(item) == 2:
            host, port = item
            if isinstance(host, bytes) and isinstance(port, int) and 0 < port < 65536 and 0 < len(host) < 256:
                text = clean_url(host)
                if text:
                    out.append((text, port))
    if len(out) != len(items):
        notes.append(f"nodes: {len(items) - len(out)} entries were ignored")
    return tuple(out)


def _date(fields: Dict) -> int | None:
    value = int_or(fields, b"creation date", -1)
    return value if 0 <= value < 1 << 40 else None


def _layers(fields: Dict, info: Info, notes: list[str]) -> dict[bytes, bytes]:
    if not info.has_v2:
        return {}
    value = fields.get(b"piece layers")
    if value is not None and not isinstance(value, dict):
        raise wrong("", b"piece layers", value, dict)
    kept = _checked_layers(value or {}, info, notes)
    for root in value or {}:
        if root not in kept:
            raise FormatError(f"the layer of {root[:32].hex()} belongs to no file that needs one", where="piece layers")
    return kept


def _checked_layers(value: Mapping[bytes, Value], info: Info, notes: list[str]) -> dict[bytes, bytes]:
    """The layers that the files need. Each is hashed once, however many files claim it."""
    kept: dict[bytes, bytes] = {}
    checked: set[tuple[bytes, int]] = set()  # root, pieces: all that a check depends on
    missing = 0
    for file in info.files:
        root, pieces = file.root, -(-file.length // info.piece_length)
        if root is None or pieces < 2 or (root, pieces) in checked:
            continue
        layer = value.get(root)
        if layer is None:
            missing += 1
            continue
        if not isinstance(layer, bytes):
            raise FormatError(f"the layer of {root.hex()} is not a string", where="piece layers")
        check_layer(layer, root, file.length, info.piece_length)
        checked.add((root, pieces))
        kept[root] = layer
    if missing:
        notes.append(f"piece layers: {missing} are missing and must come from peers")
    return kept


def _remarks(info: Info) -> list[str]:
    notes = []
    if not info.sorted:
        notes.append("info: keys are out of order")
    renamed = sum(1 for file in info.files if file.path.changed)
    if renamed:
        notes.append(f"{renamed} file names were made safe" if renamed > 1 else "1 file name was made safe")
    dropped = sum(1 for file in info.files if file.dropped)
    if dropped:
        notes.append(f"{dropped} symlinks lead outside the torrent or nowhere and were dropped")
    if info.ssl:
        notes.append("info.ssl-cert: peers with certificates are not supported, so this torrent may find none")
    return notes
