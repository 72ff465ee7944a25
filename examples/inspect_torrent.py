"""Say what is in a torrent file: python inspect_torrent.py FILE"""

from __future__ import annotations

import sys
from pathlib import Path

import wildbach


def main(path: Path) -> None:
    try:
        torrent = wildbach.Metainfo.parse(path.read_bytes())
    except wildbach.FormatError as error:
        sys.exit(f"not a good torrent: {error}")
    info = torrent.info
    kind = "hybrid" if info.has_v1 and info.has_v2 else "v2" if info.has_v2 else "v1"
    print(f"{info.name}: {kind}, {info.size:,} bytes in {info.geometry.piece_count} pieces")
    print("info hash:", info.hashes.key)
    for file in info.files:
        if not file.pad:
            print(f"{file.length:>15,}  {file.path}{'  (name changed)' if file.path.changed else ''}")
    for tier in torrent.trackers:
        print("tracker:", ", ".join(tier))
    for warning in torrent.warnings:
        print("warning:", warning)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
