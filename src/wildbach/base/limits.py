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
MAGNET_SOURCES = 5
"URLs of torrent files in one link (`xs`)."
EXACT_SOURCE_SECONDS = 60.0
"For one of them to be fetched."

# state folders of other clients
IMPORT_ENTRIES = 1_000_000
"Entries of one folder."
IMPORT_FOLDERS = 5000
"Folders that are looked through."
IMPORT_DEPTH = 5
IMPORT_CONFIG_BYTES = 16 * MIB
"A file of settings, categories or labels."
IMPORT_RESUME_BYTES = 64 * MIB
"What a client knows of one torrent besides its torrent file."
IMPORT_LIST_BYTES = 512 * MIB
"A file with what it knows of all."
IMPORT_DATABASE_BYTES = 4096 * MIB
"A database that has to be copied because its program uses it."
IMPORT_CERTIFICATE_BYTES = 64 * KIB
IMPORT_TAGS = 200
IMPORT_IGNORES_BYTES = MIB
"Patterns of what another program leaves out of a folder."
IMPORT_INCLUDES = 20
"Files with such patterns."
IMPORT_ALTERNATIVES = 100
"Of one such pattern."
IMPORT_NAME_CHARS = 500
PICKLE_VALUES = 4_000_000
"Instructions of one pickle; a torrent of Deluge takes some hundred."

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
MSE_PADDING_BYTES = 512
"Each padding of an encrypted handshake; nothing is looked for behind more of it."
MSE_INITIAL_BYTES = 16 * KIB
"What a caller may say within its encrypted handshake; most say 68 bytes."
MSE_SECONDS = 5.0
"How long an encrypted handshake of ours may take, before a plain one is tried."
MSE_ANSWERS_PER_SECOND = 100
"Encrypted handshakes that are answered, of the whole session; each costs half a millisecond. More wait their turn."
ROADS_REMEMBERED = 5000
"Endpoints of which is remembered how they were reached."
SILENT_PEER_SECONDS = 15.0
"Evicted when slots are needed."
PEER_TIMEOUT_SECONDS = 120.0
DOUBT_SECONDS = 5.0
"Of a connection that was silent so long another one with the same peer may take the place, if it does not answer."
DOUBT_ANSWER_SECONDS = 3.0
"For its answer; a lost packet is sent again three times until then."
CONNECTIONS = 1000
CONNECTIONS_PER_TORRENT = 200
CONNECTIONS_PER_IP = 1
INBOUND_PER_SECOND_PER_IP = 5
KNOWN_PEERS = 1000
GIVEN_PEERS = 50
"Of an incomplete torrent: those that its user or its link named, which the next run calls again."
DIAL_TRIES = 3
DIALS_HEARSAY_PER_MINUTE = 50
"Calls to endpoints that other peers or the DHT named, of the whole session."
DIALS_PER_NETWORK_PER_MINUTE = 20
"Calls into one /24 (IPv6: /48). This machine, private networks and whom the user names are exempt."
RUMOURS_PER_MINUTE = 6
"Torrents that are woken because the DHT named somebody, of the whole session."
RUMOUR_PEERS = 16
"Whom a torrent is woken for at once, and so many it is not woken for again within the hour."
HALF_OPEN = 50
PEX_ENTRIES_PER_MINUTE = 50
PEX_INTERVAL_SECONDS = 60.0
PEX_KNOWN_PER_PEER = 200
"Endpoints that one peer may say it is connected to; more are not believed."
PEX_RECENT = 25
"Peers of one IP version that we left and still name once, while fewer than so many are connected (BEP 11)."
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
SEND_CONTROL_BYTES = 8 * MIB
"Of all that waits to leave for a peer, above which it is told nothing more but is dropped: one message may be long."

# addresses that nothing is exchanged with
FILTER_BYTES = 128 * MIB
"One list, unpacked; the longest that are published have some 40 MiB."
FILTER_RANGES = 2_000_000
"IPv4 ranges of one list; the longest that are published have half a million."
FILTER_RANGES6 = 200_000
"IPv6 ranges of one list, which take ten times the memory and time."
FILTER_BAD_LINES = 100_000
"Lines of one list that are not understood; above it the file is something else."
FILTER_SOURCES = 50
FILTER_SECONDS = 300.0
"For one list to be fetched: some servers are slow, and nobody waits for it."
FILTER_ANSWERS = 10_000
"Addresses of which is remembered whether they are blocked: looking one up costs two microseconds."
FILTER_VALIDATOR_CHARS = 512
"An ETag or a date of a server that is sent back to it."
PACKED_MEMBERS = 2000
"Parts of a gzip or zip file."

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
"Records of one reply that are read."
DNS_ALIASES = 16
"Names of one reply that lead from one to the next."
DNS_POINTERS = 32
"Pieces that the name of a record is put together of."
DNS_SECONDS = 2.0
"For each of two name servers, and once more where a reply has to come over TCP."
DNS_NAMES = 4096
"Questions of which the answer is remembered."
DNS_UNDER_WAY = 16
"Questions at once; more wait for their turn."
DNS_STRAYS = 32
"Datagrams that do not answer our question, until the next server is asked: each may be a guess of somebody else."
RESOLV_CONF_BYTES = 16 * KIB
HOSTS_FILE_BYTES = 256 * KIB
"What is read of /etc/hosts."
DATAGRAM_BYTES = 65_535

PROXY_SECONDS = 8.0
"For a proxy to answer, the connection to the far end included; less than a call may take."
PROXY_HEAD_BYTES = 8 * KIB
"The head of an HTTP proxy's answer."
PROXY_RETRY_SECONDS = 60.0
"The longest wait before a proxy that failed is asked again to pass on datagrams."

WEB_SEED_SKIP_BYTES = MIB
"A server that cannot give parts of files is sent away where more would have to be passed over."
WEB_SEED_RETRY_SECONDS = 3600
"The longest wait a web seed may ask for."
WEB_SEED_REQUEST_BYTES = 16 * MIB
"In one range."

# uTP
UTP_PACKET_BYTES = 1400
"The largest packet that is sent: what tunnels and PPPoE nearly always let through."
UTP_PACKET_BYTES_SURE = 1200
"What every path of today carries (IPv6 guarantees it): tried first."
UTP_PACKET_BYTES_LEAST = 548
"Where even that gets lost again and again."
UTP_EXTENSIONS = 8
UTP_SACK_BYTES = 128
"1024 packets behind a gap are told of in one ack."
UTP_RECEIVE_BYTES = 4 * MIB
"Bytes of one stream that may be on their way, unread or out of order."
UTP_RECEIVE_BYTES_ALL = 64 * MIB
"Bytes unread or out of order of all streams: beyond it their windows are small."
UTP_FLIGHT_BYTES = 8 * MIB
"Bytes of one stream that are sent and not yet acknowledged."
UTP_FLIGHT_PACKETS = 8192
UTP_REORDER_PACKETS = 4096
"How far a packet may be ahead of the next one in order."
UTP_STREAMS = 4000
UTP_LINGERING = 256
"Streams that were closed and wait for their last packets to be acknowledged."
UTP_LINGER_SECONDS = 10.0
UTP_UNCONFIRMED = 256
"Callers whose address is not proven."
UTP_UNCONFIRMED_SECONDS = 10.0
UTP_RESETS_PER_SECOND = 50
UTP_SYN_TRIES = 3
UTP_TIMEOUTS = 7
"Times-out in a row after which a stream is broken."

# the engine's part of the DHT
DHT_PORT_NODES_PER_MINUTE = 60
"Nodes that peers name with PORT messages and that are looked at (BEP 5)."
DHT_SAVED_NODES = 300
"Of each IP version, from one run to the next."
DHT_ITEMS_KEPT = 1000
"Items that are put again every hour."
DHT_FOLLOWED = 1000
"Mutable torrents that are followed (BEP 46)."
KEY_FILE_BYTES = 64 * 1024
"An exported key; it has less than one KiB."
KEY_SCRYPT_COST = 1 << 17
"How far a passphrase of a file is stretched at most: 128 MiB."
KEY_WORDS_CHARS = 1000
HEADS_KEPT = 5000
"Keys whose newest head is remembered; those that are followed or published under do not go."
HEAD_MESSAGE_BYTES = 8 * 1024
"One message of `wb_head`: some items of 1,000 bytes, and places."
HEAD_MESSAGE_TOKENS = 200
HEAD_PLACES = 16
"Keys of one torrent of which peers tell each other."
HEAD_ITEMS = 4
"In one message."
HEAD_MESSAGES_PER_MINUTE = 20
"Of one peer; more are passed over."
HEAD_COMPANY = 8
"Peers of a torrent that are kept for their heads alone."
HEADS_GIVEN_OUT = 100
"Torrents of which what was published here is remembered, for peers who ask."
HEAD_INBOX = 8
"Items from peers that wait until they are looked at, of one link."
HEAD_ROTATIONS = 16
"How often in a row a key may give way to another."

# paying
PAY_MESSAGE_BYTES = 1024
"One message of `wb_pay`: numbers, addresses and a signature."
PAY_SCHEMES = 16
PAY_SCHEME_BYTES = 16
PAY_PAYERS = 2000
"Payers whose books are in memory beside those who are connected."
PAY_LANES = 4000
"Lanes to others with vouchers that were not redeemed, of which the vault is asked."
PAY_MARKS = 100_000
"Torrents that may be bought and sold."
PAY_SIGNERS = 200
"Keys that our payer ever added to a vault, as far as they are looked at."
PROBE_BYTES = 16 * MIB
"Blocks that are fetched to see how well somebody seeds."
SPONSORED = 2000
"Agreements of a sponsor."
SPONSORED_PERIODS = 10_000
SPONSORED_PROBES = 100
"In one period of an agreement."

# the embedded tracker
TRACKER_SERVER_TORRENTS = 200_000
TRACKER_SERVER_PEERS_PER_TORRENT = 20_000
TRACKER_SERVER_PEERS = 1_000_000
TRACKER_SERVER_SCRAPE = 70
TRACKER_SERVER_QUERY_BYTES = 8000
TRACKER_SERVER_NUMWANT = 200
"Peers in one reply; 50 where the peer does not say."
TRACKER_SERVER_CONNECTIONS = 1000
"HTTP connections at once. The one that was idle longest makes room for a new one."
TRACKER_SERVER_CONNECTIONS_PER_IP = 200
TRACKER_SERVER_REQUEST_BYTES = 8192
"Request line and headers of an HTTP request."
TRACKER_SERVER_UNREAD_BYTES = 256 * KIB
"Answers that an HTTP client did not fetch; it is dropped above this."
TRACKER_SERVER_DATAGRAM_BYTES = 4096
"A longer datagram is not answered, and no answer is longer."
TRACKER_SERVER_RATE = 3000
"Announces and scrapes a minute of one IPv4 address or IPv6 /64."
TRACKER_SERVER_SENDERS = 200_000
"Addresses whose requests of this minute are counted, and whose connection ids are remembered."
TRACKER_SERVER_BATCH_BYTES = 64 * KIB
"An entry of the log that processes of one tracker share."
TRACKER_SERVER_UNWRITTEN_BYTES = 8 * MIB
"Changes that wait for that log."
TRACKER_SERVER_LOG_BYTES = 256 * MIB
"What that log may take of the server's memory."
TRACKER_SERVER_MGET = 1000
TRACKER_SERVER_LIST_BYTES = 64 * MIB
"A file of allowed or denied torrents, or of users."

HISTORIES = 500
"Torrents of which is known how fast they were: those that moved last."

COUNTRIES_BYTES = 128 * MIB
"A database of the countries of addresses."
COUNTRIES_KNOWN = 20_000
"Addresses whose country is remembered."

# the API of the daemon
API_BODY_BYTES = 32 * MIB
API_START_BYTES = 64 * KIB
"A body of somebody who is not logged in."
API_LINE_BYTES = 64 * KIB
"A path of 4,096 characters, each of them escaped."
JSON_DEPTH = 32
QUERY_FIELDS = 1000
NOTICES_WAITING = 100
"For each URL of notifications."
PUSH_MESSAGE_BYTES = MIB
"What a web page says over its WebSocket."
PUSH_SOCKETS = 200
PUSH_SOCKETS_GUESTS = 150
"Of these, those of guests: who may do something finds room."

# finding and being found: local discovery, port mapping, hole punching, our own address
LAN_PACKET_BYTES = 1400
"A datagram of local discovery that we send (BEP 14)."
LAN_RECEIVED_BYTES = 4096
LAN_HASHES = 64
"Info hashes read of one datagram."
LAN_PACKETS_PER_MINUTE_PER_HOST = 20
LAN_PACKETS_PER_MINUTE = 600
LAN_HOSTS = 512
"Senders that are counted each on its own."
LAN_INTERFACES = 32
SSDP_BYTES = 4096
SSDP_DEVICES = 8
"Routers that are asked what they can, of those that answered."
IGD_XML_BYTES = 64 * KIB
IGD_XML_DEPTH = 32
IGD_XML_ELEMENTS = 4000
IGD_SECONDS = 5.0
"For one request to a router."
PORTMAP_TRIES = 5
"Other external ports that are tried where one is taken."
HOLEPUNCH_PER_MINUTE = 20
"Calls through a common peer that one session makes, and that one peer may have us relay."
HOLEPUNCH_RELAYS = 3
"Common peers that are remembered for one endpoint."
HOLEPUNCH_KNOWN = 500
EXTERNAL_VOTERS = 200
"Networks whose word of our own address counts, of one IP version."
MAGNET_NAMES = 20
"Host names of a magnet link that are looked up."
ADDRESSES_PER_NAME = 4

# feeds
FEED_BYTES = 16 * MIB
"One document, unpacked; those of trackers have some 200 KiB."
FEED_ITEMS = 2000
"Items that are read of one document."
FEED_DEPTH = 64
FEED_TITLE_CHARS = 500
FEED_TEXT_CHARS = 8000
"A description; more of it is left out."
FEED_NAME_CHARS = 100
"An author or a category."
FEED_CATEGORIES = 20
FEED_URL_CHARS = 2000
FEED_MAGNET_CHARS = 8000
FEED_SECONDS = 60.0
"For one feed to be fetched."
FEEDS = 1000
"Feeds and folders."
FEED_ARTICLES = 5000
"Articles that are kept of one feed, at most."
FEED_TTL_SECONDS = 6 * 3600.0
"A feed that asks to be left alone for longer is asked all the same."
FEED_RETRY_SECONDS = 6 * 3600.0
"The longest wait before a feed that failed is asked again, unless its server asks for more."
FEED_RETRY_AFTER_SECONDS = 24 * 3600.0
"The longest wait that a server may ask for."
FEED_RULES = 1000
FEED_RULES_BYTES = 10 * MIB
"A file of rules."
FEED_PATTERN_CHARS = 20_000
"The longest pattern of a rule."
FEED_PATTERN_SECONDS = 0.1
"What one pattern may take with one title; its rule is then of no use for the rest of the feed."
FEED_RULE_SECONDS = 0.5
"Processor time that a rule may take with all articles of a fetch."
FEED_EPISODES = 5000
"Episodes that a rule remembers; the oldest are forgotten."
FEED_WANTED = 5000
"Articles that matched and wait to be downloaded."
FEED_WANTED_TRIES = 12
"Downloads of one torrent file that failed before it is given up."

# films and songs
MEDIA_READS = 96
"Ranges that are read of one file to find out what is where in it."
MEDIA_SCAN_BYTES = 40 * MIB
"In all of them."
MEDIA_INDEX_BYTES = 24 * MIB
"An index; a film of four hours has some 8 MiB."
MEDIA_BOXES = 5000
"Boxes of mp4, or elements of Matroska, that are looked at one by one."
MEDIA_DEPTH = 8
MEDIA_TRACKS = 64
MEDIA_RUNS = 3_000_000
"Entries of one table of an mp4 track."
MEDIA_CUES = 100_000
"Entries of the index of Matroska."
MEDIA_KEYFRAMES = 20_000
"Of one file that are remembered; of more, those in between are left out."
MEDIA_MARKS = 4000
"Of each track: places of which is remembered what time it is there."
MEDIA_FRAGMENTS = 24
"Fragments of an mp4 file without an index that are walked through; what follows is estimated."
MEDIA_SECONDS = 10_000_000
"The longest film, some four months."
MEDIA_TEXT_CHARS = 200
"A title, a codec or a language."
# playing
PLAY_FILES = 20_000
"Files of one torrent that are looked through for what can be played."
PLAY_NAME_CHARS = 400
"Characters of a file name in which an episode or a language is looked for."
PLAY_SUBTITLES = 100
"Of one video."
PLAY_POSITIONS = 5000
"Files of which is remembered how far they were played; the oldest are forgotten."
PLAY_TEXT_CHARS = 200
"A track or a subtitle, as it is remembered."
PLAY_SECONDS = 30 * 24 * 3600.0
"The longest that anything plays."
PLAY_TOKENS = 20_000
"Torrents that have an address on the media host; the oldest lose theirs."
PLAYS = 100
"Plays at a time; the one that nobody asked for longest ends."
MEDIA_CONNECTIONS = 300
MEDIA_READERS = 100
"Answers of the media host that are under way at once."
MEDIA_READERS_PER_TORRENT = 24
"One that its client does not fetch makes room for a new one."
MEDIA_READERS_REMOTE = 50
"Of these, those of callers from other machines."
MEDIA_CHUNK_BYTES = 512 * KIB
"What is read at once for one answer."
MEDIA_PAUSE_SECONDS = 900.0
"A player that is paused may leave an answer unread for so long."
MEDIA_LINE_BYTES = 16 * KIB
"A path of a web seed: 1,000 bytes, each of them escaped, with room for more."
MEDIA_TABLES = 64
"Torrents whose files are kept by name for web seeds."
RANGE_CHARS = 200
"Of a Range header; a longer one is passed over."

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

# the Transmission door
RPC_BYTES = 64 * MIB
"One request; a torrent file in it is a third longer than it is."
RPC_VALUES = 1_000_000
"Values in one request, roughly: its commas and opening brackets."
RPC_BATCH = 1000
"Calls in one request."
RPC_REMOVED = 100_000
"Torrents that went and are told to who asks for what happened lately."

# doors of other clients' programs
FORM_BYTES = 32 * MIB
"The body of a request with a form, files included."
FORM_FIELDS = 1000
"Fields and files of one form."
FORM_HEAD_BYTES = 4 * KIB
"Headers of one part of a form."
DOOR_VIEWERS = 200
"Programs of which is remembered what they were told of the list; the one that was away longest is forgotten."
DOOR_ANSWERS = 4
"Of each, the last answers, so that one that was lost can be asked for again."

# sites
SITE_PATH_BYTES = 2 * KIB
"The path of a URL, as sent."
SITES = 1000
"Sites that are known at a time."
SITE_FILES = 50_000
"Files of a version that is taken, and that is published."
SITE_VERSIONS = 200
"Versions of a site that are remembered; the oldest are forgotten."
SITE_NAME = 100
"Characters of the name that a reader gives to a site."
SITE_FACTS_BYTES = 16 * KIB
"What a site says of itself: /.well-known/wildbach.json."
SITE_ASKERS = 64
"Requests to sites under way that wait for content."
SITE_TICKETS = 200
"Questions whether to fetch a site that are open."
SITE_FORM_BYTES = 4 * KIB
"The answer to one."
SITE_CHUNK_BYTES = 256 * KIB
"What is read at once for one answer."
SITE_TREES = 32
"Versions whose files are kept by path."
SITE_LISTED = 2000
"Entries of a folder that its page shows, and changed files that a comparison names."
# channels
CHANNELS = 500
"That are followed at a time."
CHANNEL_BYTES = 64 * MIB
"All files of a version that are taken."
CHANNEL_DRAFTS = 20_000
"Items that wait to be published."
CHANNEL_TITLE = 300
"Characters of the title of a channel or item."
CHANNEL_TEXT = 10_000
"Characters of the text of a channel or item."
CHANNEL_GUID = 200
"Characters that tell an item from others of its channel."
CHANNEL_WORD = 100
"Characters of a tag, a licence, a MIME type, a list of codecs."
CHANNEL_TAGS = 30
CHANNEL_LINKS = 50
CHANNEL_URL = 1000
"Characters."
CHANNEL_RENDITIONS = 16
CHANNEL_CHAPTERS = 300
CHANNEL_SUBTITLES = 60
CHANNEL_WEB_SEEDS = 8
"Of one rendition."
CHANNEL_ITEM_BYTES = 32 * KIB
"One item as JSON."
CHANNEL_INFO_BYTES = 64 * KIB
"channel.json."
CHANNEL_HEAD_BYTES = 1 * MIB
"head.json of a channel that is followed."
CHANNEL_FULL_BYTES = 384 * KIB
"head.json as it is published: of a longer one the oldest items are sealed, so that an update stays below 1 MiB."
CHANNEL_HEAD_ITEMS = 400
"With so many items in head.json the oldest are sealed."
CHANNEL_SEALED = 200
"Items of an archive."
CHANNEL_ARCHIVE_BYTES = 1 * MIB
"An archive, packed as well as unpacked."
CHANNEL_ARCHIVES = 1000
CHANNEL_ART_BYTES = 256 * KIB
CHANNEL_FEED_BYTES = 256 * KIB
"feed.xml."
CHANNEL_FEED_ITEMS = 100
"The newest, as far as they have room."
# reading while it comes
READERS = 256
"Open readers of one torrent."
READ_BYTES = 4 * MIB
"What one read gives at most."
READ_AHEAD_PIECES = 512
"Pieces that have a deadline because of one reader."
READ_AHEAD_BYTES = 256 * MIB
"How far ahead of a reader pieces are fetched before others."
EARLY_PIECES = 64
"Pieces whose leaves are kept for readers."
# reading media, and the processes that do
MEDIA_CHAPTERS = 500
MEDIA_SEGMENTS = 30_000
"Pieces a film is cut into for a browser: 33 hours of them."
PLAYED_SECONDS = 400_000.0
"The longest film that has a playlist, and the longest time that is asked for."
MEDIA_WORKERS = 3
"Processes that read media at once; each holds one file open."
MEDIA_WAITING = 64
"Requests that wait for one of them."
MEDIA_WORK_SECONDS = 20.0
"What one request may take of a process, not counting the time it waits for bytes; then it is killed."
MEDIA_CPU_SECONDS = 60
"Processor time of one request, over all threads."
MEDIA_MEMORY = 2048 * MIB
"Address space of one process."
MEDIA_READ_BYTES = 256 * MIB
"What one request may read of the file."
MEDIA_SEGMENT_BYTES = 96 * MIB
"One segment; some hundred Mbit/s."
MEDIA_CACHE_BYTES = 64 * MIB
"Segments, pictures and subtitles that were asked for lately."
MEDIA_PROBES = 64
"Files of which is remembered what is in them."
MEDIA_INDEX_ENTRIES = 2_000_000
"Of one track; above that its index is not used."
STILL_WIDTH = 320
"Pictures of the seek bar, at most so many pixels wide."
STILL_BYTES = MIB
SUBTITLE_BYTES = 4 * MIB
"A file of subtitles."
SUBTITLE_CUES = 20_000
SUBTITLE_CUE_CHARS = 2000
"Text of one subtitle; what is longer is cut."
SUBTITLE_TEXT_BYTES = 8 * MIB
"All that is made of one file or track."
# wallets
WALLET_PHRASE_CHARS = 400
"The words of a wallet as they are typed."
WALLET_KEYSTORE_BYTES = 16 * KIB
WALLET_KDF_MEMORY = 512 * MIB
"What opening a keystore may take,"
WALLET_KDF_WORK = 1 << 23
"scrypt's n times r times p: four times as long as for our own,"
WALLET_KDF_ROUNDS = 10_000_000
"or rounds of PBKDF2."
WALLET_AMOUNT = 10**17
"SUN: a hundred billion TRX, about what there is."
WALLET_SHARES = 1000
"Torrents that one voucher pays for."
WALLET_VOUCHERS = 1000
"Vouchers that are signed in one step."
WALLET_LANES = 200_000
"Payees and epochs that were ever paid."
WALLET_SENDS_OPEN = 100
"Transactions that are neither confirmed nor given up."
WALLET_SENDS = 200_000
"Transactions that are remembered."
WALLET_MEMO_BYTES = 500
WALLET_NOTE_CHARS = 200
"Of an answer of a node, or of a label."
WALLET_BOOK = 5000
"Addresses in the book."
WALLET_ASKING = 4
"Questions at once that try a passphrase: each takes half a second and 256 MiB, one after the other."
WALLET_DRAFTS = 4
"Wallets whose words were shown and that are not made yet."
WALLET_QUOTES = 100
"Sends of which was shown what they cost."
WALLET_FEE_LIMIT = 1_000_000_000
"SUN that one transaction may burn: the hard cap, whatever a node says it needs."
VAULT_VOUCHERS = 20
"Vouchers that are redeemed by one call. TRON gives a transaction 80 ms, and one that takes longer pays all the same."
# nodes of a chain
CHAIN_ANSWER_BYTES = 4 * MIB
"Of a node, to a question about one account, block or contract."
CHAIN_BLOCK_BYTES = 16 * MIB
"What became of all transactions of a block."
CHAIN_SECONDS = 20.0
"For one answer."
CHAIN_TRIES = 4
"Times that one question is asked where a node is busy or does not answer."
CHAIN_AGREE_TRIES = 4
"Times that two nodes are asked for the same until they must have the same blocks."
CHAIN_LAG_BLOCKS = 200
"By which nodes may differ in what they hold for solid: ten minutes."
CHAIN_TRANSACTIONS = 10_000
"Of a block."
CHAIN_LOGS = 20_000
"Events of a transaction, and of all transactions of a block."
CHAIN_OUTPUT_BYTES = 128 * KIB
"What a call returns, the data of a log, the code of a contract."
CHAIN_PARAMETERS = 1000
"That a chain has: prices, times, switches."
CHAIN_MESSAGE_CHARS = 200
"Of what a node says in words."
CHAIN_EVENT_BLOCKS = 10_000
"Blocks that are looked through for a contract's events in one go."

DEVCHAIN_BODY_BYTES = 2 * MIB
"What is asked of the chain for development, with a transaction in hex."
DEVCHAIN_PENDING = 5000
"Transactions that wait for its next block."
DEVCHAIN_ENERGY = 100_000_000
"Energy of a call that is only tried there."
DEVCHAIN_SECONDS = 1.0
"Time of one call of a contract there."
DEVCHAIN_BLOCK_SECONDS = 2.0
"Time of one block there; what it has no time for waits for the next one."
DEVCHAIN_CALLS = 16
"Calls that are only tried and wait there at a time: each may take all of its time."
DEVCHAIN_LOGS = 10_000
"Events of one transaction there."
DEVCHAIN_PENDING_BYTES = 8 * MIB
"Of all transactions that wait for its next block."
DEVCHAIN_QUEUE = 256
"Questions that wait there for the one thread that answers."
DEVCHAIN_BLOCKS = 100
"Blocks that are given in one answer."
DEVCHAIN_EVENTS = 200
"Events that are given in one answer."
DEVCHAIN_PAIRS = 4
"Pairs of points that one call of the built-in contract checks."
DEVCHAIN_LAG = 1000
"Blocks that may still be undone."
DEVCHAIN_CACHE = 200_000
"Values of its state that are held in memory."
DEVCHAIN_FED = 10_000
"Addresses of which the faucet remembers what they got today."

# folders that are kept the same
SYNC_COUNTER = (1 << 62) - 1
"The greatest counter of a version vector, and the greatest sequence of an author."
SYNC_DEVICES = 1000
"Of a folder."
SYNC_ENTRY_BYTES = 32 * KIB
"One entry, with its vector and its signature."
SYNC_ENTRY_TOKENS = 256
SYNC_EPOCHS = 1 << 32
"Times that a folder's secrets are changed."
SYNC_FILE_BYTES = 1 << 60
"Of one file."
SYNC_HEADS = 8
"Entries of one author for one path, none of which knew of another."
SYNC_MTIME_NS = (1 << 63) - 1
"Of the time of a file, before and after 1970."
SYNC_NAME_BYTES = 255
"Of one name of a path, in UTF-8: what file systems take."
SYNC_PATH_BYTES = 4096
"Of a path within a folder, and of the target of a link."
SYNC_PATH_DEPTH = 100
"Names of a path."
SYNC_MESSAGE_BYTES = MIB + 64 * KIB
"One message between two devices: a whole bundle fits."
SYNC_MESSAGE_TOKENS = 16 * 1024
SYNC_INDEX_BYTES = 32 * KIB
"Entries that are sent in one message, unless one alone is longer."
SYNC_INDEX_ROWS = 1024
"Entries of one message."
SYNC_PROOFS = 2048
"Folders that a device proves to have in one session, with those that are made up."
SYNC_FOLDERS = 1000
"That one device keeps the same with others."
SYNC_PROBE_SECONDS = 5.0
"In which a device answers on a session, when it is called anew; else that one has died unnoticed."
SYNC_SESSIONS_UNGREETED = 4
"With one device, before it has said which folders it has."
SYNC_SESSIONS_UNLISTED = 16
"With devices that no roster lists here so far: whoever has a secret may make any number of keys."
SYNC_WORDS = 2000
"Messages on one connection that a device says at once beside those that folders take in; a greeting counts for 50."
SYNC_WORDS_PER_SECOND = 200.0
"After these; who says more is read more slowly."
SYNC_RECORDS = 4096
"Records of members that one connection brings at once."
SYNC_RECORDS_PER_SECOND = 4.0
"After these; others are dropped."
SYNC_HASHES = 1024
"Rosters that are named or sent in one message."
SYNC_NAME_CHARS = 64
"What a device calls itself."
SYNC_BUNDLE_BYTES = MIB
"Whole small files that are sent in one answer."
SYNC_BUNDLE_FILES = 2048
"Of one answer."
SYNC_FETCH_SECONDS = 60.0
"Without a byte of a large file, after which another one that waits has its turn."
SYNC_BUNDLE_SECONDS = 120.0
"For one answer; then the other side is taken for one that does not give any."
SYNC_LINK_CHARS = 2000
"A link that lets a device join."
SYNC_EXCLUDED = 1000
"Folders in a folder that are not kept on one device."
SYNC_IGNORE_BYTES = 256 * KIB
"Of a file of patterns of what is not kept the same."
"The patterns of what is left out of a folder."
SYNC_IGNORE_RULES = 2000
"Patterns of a folder."
PICTURE_BYTES = 32 * MIB
"Of a picture that a QR code is read from."
PICTURE_PIXELS = 64 * 1024 * 1024
"Of it, when it is unpacked."
SYNC_DIRTY_PATHS = 10_000
"Paths of a folder that changed and wait to be looked at; with more of them all of it is."
SYNC_WATCHES = 500_000
"Directories of a folder that are watched; the system may permit fewer."

# folders that are kept the same: how devices meet
SYNC_SECRETS = 4096
"By which one may be called: each is tried on the handshake of a stranger, at three microseconds."
SYNC_TRIES_PER_SECOND = 30_000
"Of secrets on handshakes of strangers that come from the Internet; who comes then is not known here."
SYNC_SEEN = 4096
"Handshakes that are remembered, so that none is taken twice."
SYNC_OPENING_BYTES = 2 * KIB
"One message before a connection is encrypted."
SYNC_HELLO_BYTES = KIB
"What a device says within the encrypted handshake."
SYNC_OPENING_SECONDS = 10.0
"For all of it, from the first handshake to the first record."
SYNC_OPENINGS = 50
"Of those who call, at a time; above that, the oldest one of the address that has most of them gives way."

# many streams in one
MUX_CHANNELS = 256
"Open at a time in one connection, those that both sides opened."
MUX_SLICE_BYTES = 32 * KIB
"Of one channel, before the next one has its turn."
MUX_MESSAGE_BYTES = MIB + 64 * KIB
"One message of the control channel."
MUX_REQUEST_BYTES = 4 * KIB
"What is said with the opening of a channel."
MUX_CONTROL_BYTES = 2 * MIB
"On their way to a reader of the control channel that does not keep up; the largest message fits in."
MUX_WINDOW_BYTES = 4 * MIB
"On their way to a reader of a channel, at first; less where many channels are open."
MUX_WINDOW_LEAST_BYTES = 64 * KIB
MUX_WINDOW_MOST_BYTES = 16 * MIB
"Where a fast sender waits for its reader's word."
MUX_BUFFERED_BYTES = 64 * MIB
"That all channels of a connection together may have to hold, besides the least of each."
MUX_QUEUE_BYTES = 16 * MIB
"Of messages for the control channel that the other side does not read; it is dropped above this."
MUX_FRAMES = 10_000
"Small frames that wait to be sent, as the other side asks for more than it reads."
MUX_STRAYS = 64
"Frames for a channel that was closed, beyond those that may have been on their way."
MUX_REFUSALS = 1000
"Channels in a row that the other side opens and nobody wants."
MUX_PING_SECONDS = 60.0
"Of silence, before the other side is asked whether it is there."
MUX_SILENT_SECONDS = 150.0
"Without an answer, or without reading what it is sent: then it is dropped."

# finding the devices of a folder
SYNC_ENDPOINTS = 4
"In a record, of relays and of the device itself together."
SYNC_CANDIDATES = 16
"Endpoints of one device that are remembered."
SYNC_CALLS_PER_NAMING = 3
"Times that an endpoint is called which others named and at which nobody was met, until it is named anew."
SYNC_CALLS_AT_ONCE = 8
"For one folder."
SYNC_LOOKUPS_AT_ONCE = 4
"Questions to the DHT for one folder."
SYNC_MEETINGS_AT_ONCE = 16
"Devices of one folder that are called again and again, while they do the same."
SYNC_RELAYS_AT_ONCE = 4
"Devices of one folder that are waited for at relays."
SYNC_MET_BY = 8
"Secrets by which a folder is found: that of the epoch, and those of before by which somebody is still met."
SYNC_TAGS = 256
"Secrets by which announces of neighbours are recognised."
SYNC_TAG_CALLS_PER_MINUTE = 30
"Calls that announces of neighbours lead to: anybody there can repeat one that was heard."

# a relay
RELAY_CONNECTIONS = 512
RELAY_PER_ADDRESS = 32
"Connections of one IPv4 address or IPv6 /64."
RELAY_CALLS_PER_MINUTE = 60
"That one address begins."
RELAY_ADDRESSES = 20_000
"That are counted; above that, new ones are turned away."
RELAY_RATE = 8 * MIB
"Bytes a second, of all pairs."
RELAY_PAIR_RATE = 2 * MIB
RELAY_PAIR_BYTES = 64 * 1024 * MIB
"That one pair may send in both directions, until it has to call again."
RELAY_HELLO_SECONDS = 10.0
RELAY_WAIT_SECONDS = 300.0
"That somebody waits for the other side."
RELAY_IDLE_SECONDS = 180.0
"Without a byte in either direction, until a pair is ended."
RELAY_STALL_SECONDS = 60.0
"Without taking a byte of what waits for it, until a pair is ended."
RELAY_QUEUED_BYTES = 256 * KIB
"For one side, above which nothing more is read for it."
RELAY_QUEUED_ALL = 64 * MIB
"For all; above that, the pair that has most waiting is ended."
SYNC_EXCHANGE_BYTES = 512 * MIB
"Entries of one device that are held, on the disk, until they are all there."
SYNC_EXCHANGES_BYTES = 1024 * MIB
"Of all devices that are connected for a folder; above that, who has more than its share is left."
SYNC_ROSTER_BYTES = 768 * KIB
"Who has a folder, with what is sealed to each."
SYNC_ROSTER_TOKENS = 32 * 1024
SYNC_ROSTER_HEADS = 64
"Rosters of a folder that nobody merged yet."
SYNC_ROSTERS = 4096
"Rosters of a folder, from the first to the newest."
SYNC_MERGES = 16
"Rosters that a device signs by itself within a day, for new keys after owners changed who has a folder at one time."
SYNC_ROSTERS_WAITING = 256
"Rosters that were sent before those that they follow."
SYNC_ROSTERS_WAITING_BYTES = 4 * MIB
SYNC_OPEN_LINKS = 16
"Links to a folder by which any number of devices may come."
SYNC_OPEN_LINK_DEVICES = 200
"So any number is this many: each who comes is one more roster, and who has the link can make up devices."
SYNC_ADMISSIONS = 16
"Connections of those who come by links, at a time; above that, the oldest of the address that has most gives way."
SYNC_CUT_ENTRIES = 4_000_000
"Entries that were accepted of a device that may not write any more."
SYNC_LISTS_BYTES = 512 * MIB
"Lists of such entries that are fetched for a folder, on the disk."
SYNC_LISTS_MEMORY = 64 * MIB
"Of their pages, what is held in memory."
SYNC_WAITING_BYTES = 256 * MIB
"Entries of a folder that wait on the disk for a list that says whether they count."
SYNC_LINK_ENDPOINTS = 4
SYNC_LINKS = 256
"Links that a device gave and that nobody came by yet."
SYNC_LINK_SECONDS = 24 * 3600.0
"How long a link holds that says nothing else."
SYNC_REKEY_SECONDS = 180 * 24 * 3600.0
"How long a device that was away is met by the secrets that it has, to be given the new ones."
SYNC_ROSTERS_MOST = 6144
"With those that the first owner and the recovery key may sign beyond, to remove who filled it."
SYNC_ROSTERS_BYTES = 128 * MIB
"All of them; the second half is kept for these, too."
SYNC_ROSTERS_SIGNER = 1024
"Rosters of a folder that one owner signed."
CONTENTS_OPEN = 1024
"Contents that are sent or fetched at a time."
CONTENT_PEERS = 64
"Connections of one content."
CONTENT_HASH_REQUESTS = 16384
"Requests for hashes that one device gets answered at once, of one content."
CONTENT_HASH_REQUESTS_PER_SECOND = 16384
CONTENT_HASHES_WAITING = 4096
"Requests for leaves that wait until they are hashed, of one content."
