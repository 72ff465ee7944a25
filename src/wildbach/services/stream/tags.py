"""The name of a file's content: the same for the same bytes wherever they come from, as far as the torrent tells.

It is the ETag of the media host, and what positions are remembered by.
"""

from __future__ import annotations

from wildbach.protocol.metainfo.info import Info


def tag_of(info: Info, index: int) -> str:
    """The `pieces root` in hexadecimal; where there is none, the info hash and the number of the file."""
    root = info.files[index].root
    if root is not None:
        return root.hex()
    return f"{(info.hashes.v1 or info.hashes.v2 or b'').hex()}-{index}"
