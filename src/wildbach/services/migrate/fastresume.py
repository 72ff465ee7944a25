"""What libtorrent remembers of a torrent (`write_resume_data`): the part that qBittorrent and Deluge share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from wildbach.base import bitfield
from wildbach.base.errors import FormatError
from wildbach.base.ids import InfoHashes
from wildbach.protocol import bencode, layers
from wildbach.protocol.bencode import Value
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.fields import Dict, bytes_or, int_or
from wildbach.protocol.metainfo.info import Info
from wildbach.services.migrate import content
from wildbach.services.migrate.fields import count, flag, moment, path_text, rate, tiers, urls


@dataclass(frozen=True, slots=True)
class Resume:
    """One torrent's resume data, checked value by value; what does not fit the torrent is left out later."""

    fields: Dict = field(repr=False)
    "All as decoded, for keys of the client's own."
    hashes: InfoHashes | None
    save_path: str

    @property
    def packed(self) -> bool:
        """Whether sets have a bit for each member, as from libtorrent 2.1 on, and not a byte."""
        return int_or(self.fields, b"file-version", 1) > 1

    @property
    def trackers(self) -> tuple[tuple[str, ...], ...] | None:
        """As edited; None where it does not say."""
        return tiers(self.fields[b"trackers"]) if b"trackers" in self.fields else None

    @property
    def paused(self) -> bool:
        return flag(self.fields, b"paused")

    @property
    def auto_managed(self) -> bool:
        return flag(self.fields, b"auto_managed")

    @property
    def down(self) -> int:
        return rate(self.fields.get(b"download_rate_limit"))

    @property
    def up(self) -> int:
        return rate(self.fields.get(b"upload_rate_limit"))

    @property
    def added_at(self) -> float | None:
        return moment(self.fields.get(b"added_time"))

    @property
    def completed_at(self) -> float | None:
        return moment(self.fields.get(b"completed_time"))

    def seconds(self, key: bytes) -> int:
        return count(self.fields.get(key))

    @property
    def uploaded(self) -> int:
        return count(self.fields.get(b"total_uploaded"))

    @property
    def downloaded(self) -> int:
        return count(self.fields.get(b"total_downloaded"))

    @property
    def sequential(self) -> bool:
        return flag(self.fields, b"sequential_download")

    @property
    def super_seed(self) -> bool:
        return flag(self.fields, b"super_seeding")

    @property
    def priorities(self) -> list[int]:
        value = self.fields.get(b"file_priority")
        if isinstance(value, bytes):
            return list(value)
        return [item if isinstance(item, int) else content.NORMAL for item in value] if isinstance(value, list) else []

    @property
    def mapped(self) -> list[bytes]:
        """The names of files, as far as any was renamed."""
        value = self.fields.get(b"mapped_files")
        return [item if isinstance(item, bytes) else b"" for item in value] if isinstance(value, list) else []

    def have(self, info: Info) -> int:
        """The set of pieces that the client has checked (`base.bitfield`)."""
        total = info.geometry.piece_count
        if flag(self.fields, b"seed_mode"):
            return bitfield.full(total)
        raw = bytes_or(self.fields, b"pieces")
        if self.packed:
            try:
                return bitfield.from_wire(raw, total)
            except FormatError:
                return 0
        if len(raw) != total:
            return 0
        width = bitfield.width_of(total)
        return bitfield.of((index for index, byte in enumerate(raw) if byte & 1), width)

    def completed(self, metainfo: Metainfo) -> Metainfo:
        """The torrent file with what the resume data knows besides: edited trackers, web seeds, piece layers."""
        found = _layers(self.fields.get(b"trees"), metainfo, self.packed) if metainfo.missing_layers else {}
        trackers = self.trackers
        web = urls(self.fields.get(b"url-list"))
        scripts = urls(self.fields.get(b"httpseeds"))
        return replace(
            metainfo,
            trackers=metainfo.trackers if trackers is None else trackers,
            web_seeds=web if b"url-list" in self.fields else metainfo.web_seeds,
            http_seeds=scripts if b"httpseeds" in self.fields else metainfo.http_seeds,
            piece_layers={**metainfo.piece_layers, **found},
        )


def parse(data: bytes) -> Resume:
    """Read resume data. Raises FormatError for what is none."""
    value = bencode.decode(data, strict=False)
    if not isinstance(value, dict):
        raise FormatError("is no dictionary", where="resume data")
    return Resume(value, _hashes(value), path_text(value.get(b"save_path")))


def _hashes(fields: Dict) -> InfoHashes | None:
    v1, v2 = bytes_or(fields, b"info-hash"), bytes_or(fields, b"info-hash2")
    first = v1 if len(v1) == 20 and any(v1) else None
    second = v2 if len(v2) == 32 and any(v2) else None
    return InfoHashes(first, second) if first or second else None


def torrent_of(resume: Resume, file: bytes | None) -> Metainfo | None:
    """The torrent from its file, or from the info dictionary in the resume data; None where neither has it.

    Raises FormatError where it is broken or is another torrent.
    """
    metainfo = None
    if file is not None:
        metainfo = Metainfo.parse(file)
    else:
        raw = resume.fields.get(b"info")
        if isinstance(raw, dict) and raw:
            metainfo = Metainfo.from_info(Info.parse(bencode.encode(raw)))
    if metainfo is None:
        return None
    if resume.hashes is not None and not resume.hashes.matches(metainfo.info.hashes):
        raise FormatError("the torrent file and the resume data are of two torrents")
    return resume.completed(metainfo)


def with_trackers(metainfo: Metainfo, trackers: tuple[tuple[str, ...], ...]) -> Metainfo:
    """The same torrent with other trackers."""
    return replace(metainfo, trackers=trackers)


def _layers(value: Value | None, metainfo: Metainfo, packed: bool) -> dict[bytes, bytes]:
    """The piece layers from the hash trees, each only where it hashes to its root."""
    info = metainfo.info
    trees = value if isinstance(value, list) else []
    missing = dict.fromkeys(metainfo.missing_layers)
    out: dict[bytes, bytes] = {}
    order = content.numbers(info)
    # libtorrent has left padding out of this list in some versions, and not in others.
    for numbers in (order, [number for number in order if number is not None]):
        for tree, number in zip(trees, numbers, strict=False):
            file = info.files[number] if number is not None and number < len(info.files) else None
            if file is None or file.root is None or file.root not in missing or file.root in out:
                continue
            layer = _layer(tree, file.length, info.piece_length, packed)
            if layer is None:
                continue
            try:
                layers.check_layer(layer, file.root, file.length, info.piece_length)
            except FormatError:
                continue
            out[file.root] = layer
    return out


def _layer(tree: Value, length: int, piece_length: int, packed: bool) -> bytes | None:
    """The piece layer of one tree: `hashes` are those nodes, level by level from the root, that `mask` has a 1 for:
    a digit for each node, or a bit where it is packed.
    """
    if not isinstance(tree, dict):
        return None
    hashes, mask = bytes_or(tree, b"hashes"), bytes_or(tree, b"mask")
    height = layers.height_of(length)
    total = (2 << height) - 1
    if packed and mask and len(mask) == (total + 7) >> 3:
        mask = f"{int.from_bytes(mask, 'big') >> (-total & 7):0{total}b}".encode()
    if not mask and len(hashes) == total * layers.HASH:
        mask = b"1" * total
    if len(mask) != total or len(hashes) != mask.count(b"1") * layers.HASH:
        return None
    wanted = layers.piece_level(piece_length)
    for level in range(wanted + 1):
        # The nodes of a level stand together: one that is whole gives all above it.
        first = (1 << (height - level)) - 1
        here = layers.level_count(length, level)
        if mask.count(b"1", first, first + here) == here:
            start = mask.count(b"1", 0, first) * layers.HASH
            found = hashes[start : start + here * layers.HASH]
            for step in range(level, wanted):
                found = layers.fold(found, step)
            return found
    return None
