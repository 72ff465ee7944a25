"""libtorrent as a peer."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.interop.peers.base import Address, Closing
from tests.interop.peers.process import lt_process

MISSING = None if importlib.util.find_spec("libtorrent") else "libtorrent has no wheel for this Python"


DHT: dict[str, object] = {
    "enable_dht": True, "dht_bootstrap_nodes": "", "dht_restrict_routing_ips": False, "dht_restrict_search_ips": False,
    "dht_ignore_dark_internet": False, "dht_prefer_verified_node_ids": False, "dht_enforce_node_id": False,
}
"""Settings with which libtorrent takes part in a DHT on loopback: many nodes at one address, with ids that do not fit
it."""


class Libtorrent(Closing):
    name = "libtorrent"
    makes_empty_files = True
    dials = True
    knows_udp_trackers = True

    def __init__(self, work: Path, settings: Mapping[str, object] | None = None) -> None:
        self.process = lt_process(settings)
        ready = self.process.wait("ready")
        self.endpoint: Address = ("127.0.0.1", int(ready["port"]))
        self.version: str = ready["version"]

    def seed(self, torrent: Path, parent: Path) -> None:
        self.process.send(cmd="add", id="t", torrent=str(torrent), save=str(parent))
        self.process.wait("finished", seconds=120)

    def leech(self, source: Path | str, out: Path, peers: Sequence[Address] = ()) -> None:
        what = {"torrent": str(source)} if isinstance(source, Path) else {"magnet": source}
        self.process.send(cmd="add", id="t", save=str(out), peers=[list(peer) for peer in peers], **what)

    def wait_complete(self, seconds: float = 60.0) -> None:
        self.process.wait("finished", seconds=seconds, fail=("error", "hash_failed"))
        self.process.send(cmd="flush", id="t")
        self.process.wait("flushed", seconds=30)

    def close(self) -> None:
        self.process.close()


def make_torrent(
    content: Path, out: Path, kind: str, *, piece_length: int = 64 * 1024, trackers: Sequence[str] = (),
) -> Path:
    """A torrent of a file or folder, made by libtorrent; `kind` is v1, v2 or hybrid."""
    with lt_process() as process:
        process.send(
            cmd="create", path=str(content), out=str(out), piece_length=piece_length, kind=kind,
            trackers=list(trackers),
        )
        process.wait("created", seconds=300)
    return out


def magnet_of(torrent: Path, select: Sequence[int] = ()) -> str:
    """libtorrent's magnet link of a torrent file, with its trackers and the files to select."""
    import libtorrent

    params = libtorrent.load_torrent_file(str(torrent))
    if select:
        params.file_priorities = [4 if i in select else 0 for i in range(params.ti.num_files())]
    link: str = libtorrent.make_magnet_uri(params)
    return link
