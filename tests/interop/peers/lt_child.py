"""A libtorrent session as a process of its own: commands come as JSON lines on stdin, events leave so on stdout.

Run by the interop tests and by the benches, as `python lt_child.py '{"settings": {...}}'`. Every event carries `t`,
seconds of the system-wide monotonic clock, so that the parent can compare processes.

Commands: `add` (id, torrent or magnet, save, peers), `add_many` (folder, save, count, first), `connect` and `start`
(id, peers), `flush` (id), `recheck` (id), `status` (id), `peers` (id), `scrape` (id), `announce` (id), `remove` (id),
`settings` (values), `create` (path, out, piece_length, kind, trackers, private), `dht_node` (host, port), `dht_nodes`,
`dht_peers` (info_hash), `dht_announce` (info_hash, port), `dht_get` (target), `dht_put` (value), `dht_get_mutable`
(key, salt), `dht_put_mutable` (secret, key, salt, value), `quit`. Hashes, keys and values are in hex.

With `"log": true` beside the settings each message that a peer sent (`way` is in) or was sent (out) is an event `log`;
with `"distant": true` upload slots and limits count for peers on loopback.
"""

from __future__ import annotations

import json
import os
import re
import select
import socket
import sys
import time
from pathlib import Path
from typing import Any

import libtorrent as lt

LOOPBACK = {
    "listen_interfaces": "127.0.0.1:0",
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_incoming_utp": False,
    "enable_outgoing_utp": False,
    "in_enc_policy": 2,
    "out_enc_policy": 2,
    "allow_multiple_connections_per_ip": True,
    "enable_ip_notifier": False,
    "active_limit": -1,
    "active_downloads": -1,
    "active_seeds": -1,
    "active_checking": 4,
    "min_reconnect_time": 1,
    "torrent_connect_boost": 255,
    "connection_speed": 500,
    "smooth_connects": False,
    "dht_bootstrap_nodes": "",
    "alert_queue_size": 100_000,
}
KINDS = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only, "hybrid": 0}


def emit(event: str, **facts: object) -> None:
    sys.stdout.write(json.dumps({"event": event, "t": time.monotonic(), **facts}) + "\n")
    sys.stdout.flush()


class Child:
    def __init__(self, config: dict[str, Any]) -> None:
        params = lt.session_params()
        categories = lt.alert.category_t
        mask = (
            categories.error_notification | categories.status_notification | categories.storage_notification
            | categories.connect_notification | categories.tracker_notification | categories.dht_notification
            | categories.dht_operation_notification
        )
        if config.get("log"):
            mask |= categories.peer_log_notification
        params.settings = {**LOOPBACK, "alert_mask": int(mask), **config.get("settings", {})}
        self.session = lt.session(params)
        if config.get("distant"):
            # Peers on loopback are of a class that no limit and no number of slots applies to.
            everybody = lt.ip_filter()
            everybody.add_rule("0.0.0.0", "255.255.255.255", 1 << self.session.global_peer_class_id)
            self.session.set_peer_class_filter(everybody)
        self.handles: dict[str, lt.torrent_handle] = {}
        self.names: dict[lt.torrent_handle, str] = {}
        self.started = False

    def command(self, line: str) -> None:
        words = json.loads(line)
        getattr(self, "do_" + words.pop("cmd"))(**words)

    def do_add(
        self, id: str, save: str, torrent: str = "", magnet: str = "", peers: list[list[Any]] | None = None,
        seed_mode: bool = False, pex: bool = False, lsd: bool = False, dht: bool = False,
        priorities: list[int] | None = None,
    ) -> None:
        if torrent:
            params = lt.load_torrent_file(torrent)
        else:
            params = lt.parse_magnet_uri(magnet)
        params.save_path = save
        flags = lt.torrent_flags
        params.flags &= ~(flags.auto_managed | flags.paused)
        if not dht:
            params.flags |= flags.disable_dht
        if not lsd:
            params.flags |= flags.disable_lsd
        if not pex:
            params.flags |= flags.disable_pex
        if priorities is not None:
            params.file_priorities = priorities
        if seed_mode:
            params.flags |= flags.seed_mode
        handle = self.session.add_torrent(params)
        self.handles[id] = handle
        self.names[handle] = id
        self.do_connect(id, peers or [])

    def do_add_many(self, folder: str, save: str, count: int, first: int = 0) -> None:
        """Torrents 0.torrent, 1.torrent, … as seeds that are not checked."""
        for number in range(first, first + count):
            self.do_add(str(number), save, f"{folder}/{number}.torrent", seed_mode=True)
        emit("added_many")

    def do_connect(self, id: str, peers: list[list[Any]]) -> None:
        for host, port in peers:
            self.handles[id].connect_peer((host, port))

    def do_start(self, id: str, peers: list[list[Any]]) -> None:
        emit("started", id=id)
        self.do_connect(id, peers)

    def do_flush(self, id: str) -> None:
        self.handles[id].flush_cache()

    def do_recheck(self, id: str) -> None:
        emit("rechecking", id=id)
        self.handles[id].force_recheck()

    def do_status(self, id: str) -> None:
        status = self.handles[id].status()
        emit(
            "status", id=id, state=str(status.state), done=status.total_wanted_done, wanted=status.total_wanted,
            peers=status.num_peers, down=status.total_payload_download, up=status.total_payload_upload,
            priorities=self.handles[id].get_file_priorities(),
        )

    def do_peers(self, id: str) -> None:
        """Who is connected, as libtorrent sees it."""
        emit("peers", id=id, peers=[
            {
                "host": peer.ip[0], "port": peer.ip[1], "client": bytes(peer.client).decode("utf-8", "replace"),
                "pid": peer.pid.to_bytes().hex(), "choked": bool(peer.flags & lt.peer_info.choked),
                "remote_choked": bool(peer.flags & lt.peer_info.remote_choked),
                "upload_only": bool(peer.flags & lt.peer_info.upload_only), "have": peer.num_pieces,
                "source": peer.source, "pieces": [bool(bit) for bit in peer.pieces],
            }
            for peer in self.handles[id].get_peer_info()
            if not peer.flags & (lt.peer_info.connecting | lt.peer_info.handshake)
        ])

    def do_settings(self, values: dict[str, Any]) -> None:
        self.session.apply_settings(values)

    def do_scrape(self, id: str) -> None:
        self.handles[id].scrape_tracker()

    def do_announce(self, id: str) -> None:
        self.handles[id].force_reannounce()

    def do_remove(self, id: str) -> None:
        self.session.remove_torrent(self.handles.pop(id))

    def do_create(
        self, path: str, out: str, piece_length: int, kind: str, trackers: list[str] | None = None,
        private: bool = False,
    ) -> None:
        start = time.monotonic()
        files = lt.list_files(path)
        creator = lt.create_torrent(files, piece_length, KINDS[kind])
        creator.set_priv(private)
        for tracker in trackers or []:
            creator.add_tracker(tracker)
        lt.set_piece_hashes(creator, str(Path(path).parent))
        Path(out).write_bytes(lt.bencode(creator.generate()))
        emit("created", seconds=time.monotonic() - start)

    # the DHT

    def do_dht_node(self, host: str, port: int) -> None:
        self.session.add_dht_node((host, port))

    def do_dht_nodes(self) -> None:
        self.session.post_dht_stats()

    def do_dht_peers(self, info_hash: str) -> None:
        self.session.dht_get_peers(lt.sha1_hash(bytes.fromhex(info_hash)))

    def do_dht_announce(self, info_hash: str, port: int) -> None:
        self.session.dht_announce(lt.sha1_hash(bytes.fromhex(info_hash)), port, 0)

    def do_dht_get(self, target: str) -> None:
        self.session.dht_get_immutable_item(lt.sha1_hash(bytes.fromhex(target)))

    def do_dht_put(self, value: str) -> None:
        target = self.session.dht_put_immutable_item(bytes.fromhex(value))
        emit("dht_target", target=target.to_bytes().hex())

    def do_dht_get_mutable(self, key: str, salt: str) -> None:
        self.session.dht_get_mutable_item(bytes.fromhex(key), bytes.fromhex(salt))

    def do_dht_put_mutable(self, secret: str, key: str, salt: str, value: str) -> None:
        """`secret`: the 64 bytes that Ed25519 makes of a seed."""
        self.session.dht_put_mutable_item(*(bytes.fromhex(text) for text in (secret, key, value, salt)))

    def dht_alert(self, alert: lt.alert) -> bool:
        if isinstance(alert, lt.dht_stats_alert):
            emit("dht_nodes", count=sum(bucket["num_nodes"] for bucket in alert.routing_table))
        elif isinstance(alert, lt.dht_bootstrap_alert):
            emit("dht_bootstrap")
        elif isinstance(alert, lt.dht_get_peers_reply_alert):
            found = [list(peer) for peer in alert.peers()]
            emit("dht_peers", info_hash=alert.info_hash.to_bytes().hex(), peers=found)
        elif isinstance(alert, lt.dht_immutable_item_alert):
            emit("dht_item", target=alert.target.to_bytes().hex(), value=lt.bencode(alert.item).hex())
        elif isinstance(alert, lt.dht_mutable_item_alert):
            emit(
                "dht_mutable", key=bytes(alert.key).hex(), seq=alert.seq, value=lt.bencode(alert.item).hex(),
                authoritative=alert.authoritative,
            )
        elif isinstance(alert, lt.dht_put_alert):
            emit("dht_put", text=str(alert), nodes=alert.num_success)
        else:
            return False
        return True

    def do_quit(self) -> None:
        emit("bye")
        sys.stdout.flush()
        # Leaving without the session's destructor: it waits for trackers, and nothing here is worth saving.
        os._exit(0)

    def alert(self, alert: lt.alert) -> None:
        if isinstance(alert, lt.listen_succeeded_alert):
            if not self.started:
                self.started = True
                emit("ready", port=self.session.listen_port(), program="libtorrent", version=lt.__version__)
            return
        if isinstance(alert, lt.peer_log_alert):
            said = re.search(r" (==>|<==) (\w+) \[ ?(.*?) ?\]", str(alert))
            if said is not None:
                emit(
                    "log", way="out" if said[1] == "==>" else "in", name=said[2], facts=said[3],
                    id=self.names.get(alert.handle, ""), peer=list(alert.endpoint),
                )
            return
        if self.dht_alert(alert):
            return
        if isinstance(alert, lt.external_ip_alert):
            emit("external_ip", address=str(alert.external_address))
            return
        if isinstance(alert, lt.listen_failed_alert):
            emit("error", text=str(alert))
            return
        id = self.names.get(getattr(alert, "handle", None), "") if hasattr(alert, "handle") else ""
        kinds: list[tuple[type, str]] = [
            (lt.torrent_checked_alert, "checked"), (lt.torrent_finished_alert, "finished"),
            (lt.metadata_received_alert, "metadata"), (lt.cache_flushed_alert, "flushed"),
            (lt.torrent_error_alert, "error"), (lt.file_error_alert, "error"), (lt.hash_failed_alert, "hash_failed"),
            (lt.metadata_failed_alert, "metadata_failed"), (lt.peer_connect_alert, "connected"),
            (lt.tracker_error_alert, "tracker_error"), (lt.tracker_reply_alert, "tracker_reply"),
            (lt.tracker_announce_alert, "tracker_announce"), (lt.scrape_reply_alert, "scrape_reply"),
            (lt.scrape_failed_alert, "scrape_failed"), (lt.peer_disconnected_alert, "disconnected"),
        ]
        for kind, name in kinds:
            if isinstance(alert, kind):
                emit(name, id=id, text=str(alert))

    def run(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.session.set_alert_fd(theirs.fileno())
        stdin = sys.stdin.buffer.raw  # type: ignore[attr-defined]  # unbuffered, so that select sees every line
        rest = b""
        while True:
            ready, _, _ = select.select([stdin, ours], [], [], 0.5)
            if ours in ready:
                ours.recv(4096)
            for alert in self.session.pop_alerts():
                self.alert(alert)
            if stdin in ready:
                data = stdin.read(65536)
                if not data:
                    os._exit(0)
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self.command(line.decode())


if __name__ == "__main__":
    Child(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}).run()
