"""The piece layers of a hybrid from its own content, where nobody could be asked for them (BEP 52).

A hybrid that came by a v1 magnet link, in a swarm without v2 peers, is checked by SHA-1 alone at first. It is complete
only when its files hash to their v2 roots as well; from then on this is the peer that others can ask.
"""

from __future__ import annotations

from collections.abc import Iterable

from wildbach.base.errors import FormatError, StorageError
from wildbach.disk.hasher import Hasher
from wildbach.disk.storage import Storage
from wildbach.protocol import layers
from wildbach.protocol.metainfo.info import Info


async def own_layers(
    hasher: Hasher, info: Info, storage: Storage, have: Iterable[int], missing: Iterable[bytes],
) -> dict[bytes, bytes]:
    """The layers of those files with a root in `missing` of which all pieces are in `have`.

    Raises StorageError `hybrid_conflict` where a file that is right by SHA-1 has another v2 root.
    """
    had = dict.fromkeys(have)
    wanted = dict.fromkeys(missing)
    out: dict[bytes, bytes] = {}
    for number, file in enumerate(info.files):
        pieces = info.geometry.file_pieces(number)
        if file.root is None or file.root not in wanted or file.root in out or any(p not in had for p in pieces):
            continue
        found = await hasher.digest(info.geometry, storage, v1=False, v2=True, pieces=pieces)
        try:
            layers.check_layer(found.v2, file.root, file.length, info.piece_length)
        except FormatError as error:
            raise StorageError(
                f"{file.path} is right by its v1 hashes and wrong by its v2 hash; the torrent is broken",
                code="hybrid_conflict",
            ) from error
        out[file.root] = found.v2
    return out
