"""What each piece of a torrent must hash to, as far as that is known yet (BEP 3, BEP 52).

The v2 hashes of a torrent that came by a magnet link are fetched piece by piece. A hybrid whose peers cannot give them
is checked by its v1 hashes alone after a while, until somebody can.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from wildbach.disk.hasher import Expected
from wildbach.disk.piecework import PieceSpec
from wildbach.protocol import layers
from wildbach.protocol.metainfo.document import Metainfo

_V2_SECONDS: Final = 15.0
"How long a hybrid without piece layers waits for a v2 peer before its v1 hashes have to do."


class PieceSpecs:
    __slots__ = ("_metainfo", "_v1_alone", "_v2_seen", "hashes", "layers")

    def __init__(self, metainfo: Metainfo) -> None:
        info = metainfo.info
        self._metainfo = metainfo
        self.layers = dict(metainfo.piece_layers)
        "By `pieces root`."
        self.hashes = layers.PieceHashes(info.geometry, info.roots, self.layers) if info.has_v2 else None
        self._v1_alone = False
        "The pieces of a hybrid are checked by SHA-1 only, as there is nobody to ask for the piece layers."
        self._v2_seen = 0.0

    @property
    def missing(self) -> list[bytes]:
        """The roots of the files whose piece layers are not known."""
        return self.hashes.missing() if self.hashes is not None else []

    @property
    def expected(self) -> Expected:
        return Expected(self._metainfo.info.pieces, self.hashes.get if self.hashes is not None else None)

    @property
    def metainfo(self) -> Metainfo:
        """The torrent file with all piece layers that were found."""
        return replace(self._metainfo, piece_layers=dict(self.layers))

    def get(self, piece: int) -> PieceSpec | None:
        """None while a hash of the piece is still being fetched."""
        info = self._metainfo.info
        geometry = info.geometry
        v1 = info.pieces[20 * piece : 20 * piece + 20] if info.pieces is not None else None
        v2, height = None, 0
        if self.hashes is not None:
            v2 = self.hashes.get(piece)
            if v2 is None and (v1 is None or not self._v1_alone):
                return None
            height = self.hashes.height(piece)
        return PieceSpec(geometry.piece_size(piece), v1, geometry.v1_tail(piece), v2, height, info.has_v2)

    def begin(self, now: float) -> None:
        """From now on somebody may come who knows the v2 hashes."""
        self._v2_seen = now

    def v1_must_do(self, now: float, *, v2_peers: bool) -> bool:
        """True once, where nobody could be asked for so long that the v1 hashes have to do."""
        if v2_peers:
            self._v1_alone = False
            self._v2_seen = now
        elif not self._v1_alone and now - self._v2_seen > _V2_SECONDS:
            self._v1_alone = True
            return True
        return False
