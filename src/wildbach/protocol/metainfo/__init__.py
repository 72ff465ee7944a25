"""Torrent files and magnet links, parsed, checked and made (BEP 3, 9, 12, 19, 38, 46, 47, 52, 53): bytes in, values
out."""

from __future__ import annotations

from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.info import File, Info
from wildbach.protocol.metainfo.magnet import Magnet, MutableLink
from wildbach.protocol.metainfo.paths import SafePath

__all__ = ["File", "Info", "Magnet", "Metainfo", "MutableLink", "SafePath"]
