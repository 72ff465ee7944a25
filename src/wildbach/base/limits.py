"""Every bound on what the network, a file or a person may make us hold, in one place.

A limit that a user may have reason to change is a setting whose default stands here; the error text names it.
"""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB

# metainfo and bencode
TORRENT_FILE_BYTES = 160 * MIB
"A .torrent file the user gave us."
METADATA_BYTES = 64 * MIB
"An info dictionary that peers sent (BEP 9)."
METADATA_TRIES = 2
BENCODE_DEPTH = 64
BENCODE_TOKENS = 12_000_000
BENCODE_INT_DIGITS = 20
PIECE_LENGTH = 512 * MIB
PIECES = 1 << 21
FILES = 1_000_000
SAME_NAME = 500
PATH_DEPTH = 64
PATH_ELEMENT_BYTES = 240
PATH_BYTES = 1000
TRACKERS_PER_TORRENT = 1000
WEB_SEEDS_PER_TORRENT = 200
MAGNET_BYTES = 64 * KIB

# peers
MESSAGE_BYTES = 128 * KIB + 13
"A peer message other than a bitfield or an extension message."
EXTENSION_MESSAGE_BYTES = MIB
REQUEST_LENGTH = 16 * KIB
"A longer request closes the connection."
REQUESTS_QUEUED = 2000
REJECTS_IN_ROW = 50
HANDSHAKE_SECONDS = 10.0
SILENT_PEER_SECONDS = 15.0
"Evicted when slots are needed."
PEER_TIMEOUT_SECONDS = 120.0
CONNECTIONS = 1000
CONNECTIONS_PER_TORRENT = 200
CONNECTIONS_PER_IP = 1
INBOUND_PER_SECOND_PER_IP = 5
KNOWN_PEERS = 1000
DIAL_TRIES = 3
HALF_OPEN = 50
PEX_ENTRIES_PER_MINUTE = 50
METADATA_REQUESTS_QUEUED = 64
HASH_REQUESTS_QUEUED = 64
HASHES_PER_REQUEST = 512
ALLOWED_FAST = 5
SEND_QUEUE_BYTES = 4 * MIB
"A peer that does not read its replies is dropped above this."

# trackers, web seeds
TRACKER_BODY_BYTES = MIB
TRACKER_REDIRECTS = 5
TRACKER_SECONDS = 15.0
TRACKER_PEERS = 5000
TRACKER_MESSAGE_CHARS = 1000
TRACKER_INTERVAL_MIN = 30
TRACKER_INTERVAL_MAX = 6 * 3600
TRACKER_RETRY_MINUTES_MAX = 7 * 24 * 60
TRACKER_ID_BYTES = 256
TRACKER_URL_BYTES = 2000
UDP_TRACKER_TRIES = 3
"Each waits twice as long as the one before: 15, 30, 60 s (BEP 15)."
UDP_TRACKER_PENDING = 10_000
"Requests to UDP trackers that wait for a reply at once."
DATAGRAM_BYTES = 65_535

# the embedded tracker
TRACKER_SERVER_TORRENTS = 200_000
TRACKER_SERVER_PEERS_PER_TORRENT = 20_000
TRACKER_SERVER_PEERS = 1_000_000
TRACKER_SERVER_SCRAPE = 70
TRACKER_SERVER_QUERY_BYTES = 8000
TRACKER_SERVER_NUMWANT = 200
"Peers in one reply; 50 where the peer does not say."
TRACKER_SERVER_CONNECTIONS = 1000
