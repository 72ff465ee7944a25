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
URL_CHARS = 4096
DHT_NODES_PER_TORRENT = 200
MAGNET_BYTES = 64 * KIB
MAGNET_PEERS = 200
MAGNET_RANGES = 10_000

# peers
MESSAGE_BYTES = 128 * KIB + 13
"A peer message other than a bitfield or an extension message."
EXTENSION_MESSAGE_BYTES = MIB
REQUEST_LENGTH = 16 * KIB
"A longer request closes the connection."
REQUESTS_QUEUED = 2000
REJECTS_IN_ROW = 50
NOISE = 4000
"Messages of one peer that change nothing, at once; it is sent away above this."
NOISE_PER_SECOND = 50
"So many of them are forgiven."
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
DIALS_HEARSAY_PER_MINUTE = 50
"Calls to endpoints that other peers or the DHT named, of the whole session."
DIALS_PER_NETWORK_PER_MINUTE = 20
"Calls into one /24 (IPv6: /48). This machine, private networks and whom the user names are exempt."
HALF_OPEN = 50
PEX_ENTRIES_PER_MINUTE = 50
PEX_INTERVAL_SECONDS = 60.0
PEX_STRIKES = 5
"Messages beyond what BEP 11 permits, of one peer, before it is dropped."
METADATA_REQUESTS_QUEUED = 64
METADATA_SERVED_TIMES = 3
"How often one peer may fetch our whole info dictionary."
METADATA_REQUEST_SECONDS = 10.0
HASH_REQUESTS_QUEUED = 64
HASH_REQUESTS_PER_SECOND = 16
HASH_REQUEST_SECONDS = 15.0
HASHES_PER_REQUEST = 512
HASH_TREE_CACHE_BYTES = 16 * MIB
LEAF_CACHE_BYTES = 2 * MIB
"Leaves of our pieces that were asked for lately, of one torrent."
LEAF_JOBS = 2
"Requests for leaves that are hashed from the disk at a time, of one torrent."
EXTENSIONS_PER_PEER = 64
EXTENSION_NAME_BYTES = 64
CLIENT_NAME_CHARS = 64
BLAME_BLOCKS = 1 << 16
"Digests of blocks of failed pieces that are remembered per torrent."
DOUBTFUL_PIECES = 100
"Bad pieces of which leaves are waited for, of one torrent (BEP 52)."
BANS = 10_000
BAN_SECONDS = 24 * 3600.0
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
TRACKER_PLACES = 10
"Ports that a host's TXT record names for its trackers (BEP 34)."
DNS_ANSWERS = 50
DNS_SECONDS = 2.0
"For each of two name servers."
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

# the DHT
KRPC_BYTES = 2048
"A longer datagram is no DHT message; BEP 32 allows 1,024."
KRPC_DEPTH = 8
KRPC_TOKENS = 500
KRPC_TRANSACTION_BYTES = 32
KRPC_TEXT_CHARS = 200
"What is kept of an error's text."
DHT_REPLY_BYTES = 1000
DHT_ITEM_REPLY_BYTES = 1400
"Where the reply has an item in it, which may have 1,000 bytes itself."
DHT_AMPLIFICATION = 5
"Bytes we answer for each byte of a query whose address is not proven."
DHT_WRITE_TOKEN_BYTES = 128
"Of other nodes; a longer one is as good as none."
DHT_TOKEN_SECONDS = 600.0
DHT_MESSAGES_PER_SECOND = 5
"Of one address (IPv6: one /64), over ten seconds; above it we are deaf to it for a while."
DHT_BLOCK_SECONDS = 300.0
DHT_WATCHED_ADDRESSES = 2000
DHT_BYTES_PER_SECOND = 8000
"Outgoing, headers counted."
DHT_QUEUED_QUERIES = 2000
DHT_SHORT_SECONDS = 1.0
"Without a reply for so long, a lookup asks another node too."
DHT_LONG_SECONDS = 8.0
DHT_BUCKETS = (128, 64, 32, 16, 8)
"Nodes of the first buckets; the last number holds for all that follow."
DHT_REPLACEMENTS = 8
DHT_GOOD_SECONDS = 900.0
DHT_FAILURES = 3
DHT_INTRODUCTIONS = 100
"Nodes somebody named that wait to be pinged."
DHT_VOTES = 50
"Nodes whose word on our address is remembered."
DHT_ALPHA = 5
DHT_K = 8
DHT_CANDIDATES = 200
DHT_LOOKUP_QUERIES = 100
DHT_LOOKUP_PEERS = 5000
DHT_HEARSAY = 24
"Nodes taken of one reply."
DHT_HASHES = 2000
DHT_PEERS_PER_HASH = 500
DHT_PEER_SECONDS = 1800.0
DHT_ITEMS = 700
DHT_ITEM_BYTES = 1000
DHT_ITEM_SECONDS = 7200.0
DHT_SALT_BYTES = 64
DHT_SAMPLES = 20
DHT_SAMPLE_SECONDS = 21600
"The longest interval that BEP 51 permits."
DHT_SAMPLED_NODES = 2000
"Nodes of which is remembered when they may be sampled again."
