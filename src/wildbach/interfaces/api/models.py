"""What goes in and out of the Api: plain immutable values with a JSON form.

Times are seconds since 1970, lengths of time seconds, sizes bytes, rates bytes a second, shares 0 to 1; None is what is
not known or does not apply.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from wildbach.base import limits

Key = Annotated[str, Meta(pattern="^[0-9a-f]{40}$|^[0-9a-f]{64}$", description="A torrent's info hash in hex.")]
Keys = Annotated[tuple[str, ...], Meta(max_length=200_000)]
Name = Annotated[str, Meta(max_length=1000)]
Line = Annotated[str, Meta(max_length=4096)]
PathText = Annotated[str, Meta(max_length=4096)]
Amount = Annotated[int, Meta(ge=0, le=1 << 62)]
Rate = Annotated[int, Meta(ge=0, le=1 << 40)]

State = Literal["metadata", "checking", "moving", "downloading", "seeding", "queued", "stopped", "error"]
LimitAction = Literal["", "stop", "remove", "remove_files", "super_seed"]
Layout = Literal["original", "subfolder", "none"]


class Model(Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all: immutable, and fields that do not exist are refused."""


# -- torrents


class TorrentRow(Model, frozen=True, gc=False):
    """A torrent in the list. The garbage collector does not look at rows, which are many and refer to none."""

    key: str
    name: str
    state: State
    reason: str
    "Why nothing moves, or not faster, or what went wrong, in plain words."
    code: str
    "A stable name for what went wrong."
    complete: bool
    "All that is wanted is there and verified."
    forced: bool
    "Runs whatever the queue says."
    place: int
    "In the queue of downloads, from 1; 0 for none."
    size: int
    wanted: int
    done: int
    "Verified bytes of what is wanted."
    progress: float
    "Of the check while one runs, of the move while files are moved, else of the content."
    down_rate: float
    up_rate: float
    eta: int | None
    uploaded: int
    "In all runs."
    downloaded: int
    wasted: int
    session_uploaded: int
    session_downloaded: int
    ratio: float
    peers: int
    seeds: int
    "Connected ones."
    swarm_seeds: int | None
    "What trackers say."
    swarm_peers: int | None
    availability: float
    "Copies of the content that connected peers have together, ours not counted; -1 while that is not known."
    category: str
    tags: tuple[str, ...]
    tracker: str
    "The URL of the one that works, or the first; empty without any. Guests see its host only."
    added_at: int
    completed_at: int
    "0 while it is not complete."
    active_at: int
    "When content last came or went; 0 for never."
    active_seconds: int
    seeding_seconds: int
    save_path: str
    incomplete_path: str
    content_path: str
    "Its file, or its folder."
    infohash_v1: str
    infohash_v2: str
    private: bool
    has_metadata: bool
    auto: bool
    "Its folder follows its category."
    sequential: bool
    ends_first: bool
    "The first and the last piece of each file come first."
    super_seed: bool
    down_limit: int
    "0: none."
    up_limit: int
    ratio_limit: float
    "-2: as the settings say, -1: none."
    seeding_limit: int
    "Seconds of seeding; -2 and -1 as above."
    idle_limit: int
    "Seconds of seeding without anybody to give to."
    limit_action: LimitAction
    "At a limit; empty: as the settings say."
    cache: str = ""
    "Whose cache it is, `stream`, `site` or `channel`: it leaves when room is needed. Empty: it is a download."


class Listing(Model, frozen=True):
    """Which torrents, in which order, which part of the list. Several values of one field: any of them."""

    sort: Annotated[str, Meta(max_length=40)] = "added_at"
    "A field of TorrentRow."
    descending: bool = False
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    state: Annotated[tuple[str, ...], Meta(max_length=20)] = ()
    "States, or `active`, `stalled`, `complete`, `incomplete`, `running`, `cache`."
    category: Annotated[tuple[Name, ...], Meta(max_length=100)] = ()
    "With all below it; an empty one for those without."
    tag: Annotated[tuple[Name, ...], Meta(max_length=100)] = ()
    "An empty one for those without."
    tracker: Annotated[tuple[Name, ...], Meta(max_length=100)] = ()
    "Host names; an empty one for those without."
    search: Annotated[str, Meta(max_length=200)] = ""
    "Words that are all in the name, or an info hash or its beginning, from 4 characters on."
    keys: Keys = ()


class TorrentPage(Model, frozen=True):
    revision: int
    "Ask for the changes since this one."
    total: int
    "Torrents that match, on all pages."
    offset: int
    torrents: tuple[TorrentRow, ...]
    loading: bool
    "Torrents of the last run are still being listed."


class Since(Model, frozen=True):
    revision: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 1000


class Changes(Model, frozen=True):
    """What is different since a revision."""

    revision: int
    "Ask for the changes since this one."
    full: bool
    "Nothing is known of that revision: forget all rows, ask for the list."
    more: bool
    "There were more than the limit: ask again at once."
    changed: tuple[TorrentRow, ...]
    removed: tuple[str, ...]


class Facets(Model, frozen=True):
    """How many torrents there are of each kind."""

    total: int
    states: dict[str, int]
    categories: dict[str, int]
    tags: dict[str, int]
    trackers: dict[str, int]
    "By host name; without any: the empty name."


class TorrentDetail(Model, frozen=True):
    row: TorrentRow
    magnet: str
    comment: str
    created_by: str
    created_at: int
    source: str
    piece_length: int
    pieces: int
    pieces_have: int
    files: int
    tracker_tiers: tuple[tuple[str, ...], ...]
    connections: int
    known_peers: int
    next_announce: float | None
    dht: bool
    moving: float | None


class FileRow(Model, frozen=True):
    index: int
    path: str
    "Below the torrent's `save_path`, the folder of its name included where it has one."
    size: int
    have: int
    priority: int
    "0: not wanted, 1: usual, up to 7: first."
    availability: float


class FileListing(Model, frozen=True):
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 1000
    under: PathText = ""
    "Only files in this folder of the torrent."


class FilePage(Model, frozen=True):
    total: int
    files: tuple[FileRow, ...]


Kind = Literal["", "video", "audio", "image", "text", "archive"]


class TreeQuery(Model, frozen=True):
    """A folder of a torrent, or what is found in it and below."""

    under: PathText = ""
    "The folder; empty: the top."
    search: Annotated[str, Meta(max_length=200)] = ""
    "Words that are all in the path: then files of all folders below come in one list."
    kind: Kind = ""
    "Only such files, by their endings; in one list, too."
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 200


class TreeEntry(Model, frozen=True, gc=False):
    path: str
    name: str
    folder: bool
    index: int
    "Of a file; -1 for folders."
    files: int
    size: int
    have: int
    "Verified bytes."
    wanted: int
    "Bytes that are wanted."
    priority: int
    "As of files; -1 where those of a folder's files differ."
    availability: float
    "The share of its pieces that connected peers have; -1 where that is not known."


class Tree(Model, frozen=True):
    """What is in a folder: its folders, then its files, by name."""

    under: str
    total: int
    "Entries, on all pages."
    size: int
    wanted: int
    "Bytes of all that is below it, and those that are wanted."
    files: int
    entries: tuple[TreeEntry, ...]


class PeerRow(Model, frozen=True):
    endpoint: str
    client: str
    source: str
    transport: str
    "tcp, utp, web …"
    encrypted: bool
    outgoing: bool
    seed: bool
    progress: float
    down_rate: float
    up_rate: float
    downloaded: int
    uploaded: int
    choked: bool
    choking: bool
    interested: bool
    interesting: bool
    snubbed: bool
    requests: int
    country: str
    "Two capital letters; empty where it is not known, and in private networks."


class PeerPage(Model, frozen=True):
    peers: tuple[PeerRow, ...]


class TrackerRow(Model, frozen=True):
    url: str
    tier: int
    "-1 for the DHT, peer exchange and local discovery."
    state: Literal["off", "waiting", "announcing", "working", "failing", "dead"]
    message: str
    next_announce: float | None
    seeds: int | None
    leeches: int | None
    completed: int | None
    peers: int
    fails: int


class TrackerPage(Model, frozen=True):
    trackers: tuple[TrackerRow, ...]


class WebSeedRow(Model, frozen=True):
    url: str
    state: str
    message: str
    down_rate: float


class WebSeedPage(Model, frozen=True):
    web_seeds: tuple[WebSeedRow, ...]


class PieceQuery(Model, frozen=True):
    buckets: Annotated[int, Meta(ge=0, le=10_000)] = 0
    "At most so many cells, each for a run of pieces. 0: one a piece."


class PieceMap(Model, frozen=True):
    """One character a cell: `-` missing, `1` to `9` tenths that are there, `#` there, `>` something of it is being
    fetched. `length` is of all pieces but the last.
    """

    length: int
    pieces: str
    availability: tuple[int, ...]
    "Of connected peers, of each cell's rarest piece; empty while that is not known."
    count: int = 0
    "Pieces of the torrent."
    per_cell: int = 1
    "Pieces that a cell stands for; the last may have fewer."


class AddRequest(Model, frozen=True):
    """Torrents to add, and how. All sources are tried; each has its own result."""

    urls: Annotated[tuple[Annotated[str, Meta(max_length=1 << 16)], ...], Meta(max_length=1000)] = ()
    "Magnet links, info hashes, or http(s) URLs of torrent files."
    files: Annotated[
        tuple[Annotated[bytes, Meta(max_length=limits.TORRENT_FILE_BYTES)], ...], Meta(max_length=1000)] = ()
    "Torrent files (base64)."
    save_path: PathText = ""
    "Empty: the category's, or the usual one."
    incomplete_path: PathText | None = None
    "None: as the settings say; empty: none."
    category: Name = ""
    tags: tuple[Name, ...] = ()
    stopped: bool | None = None
    "None: as the settings say."
    forced: bool = False
    top: bool = False
    "At the top of the queue."
    auto: bool | None = None
    name: Name = ""
    "Another name in the list."
    layout: Layout | None = None
    sequential: bool = False
    ends_first: bool = False
    skip_check: bool = False
    "Take the data as complete and good; each piece is checked before it is first sent."
    seed_only: bool = False
    super_seed: bool = False
    down_limit: Rate = 0
    up_limit: Rate = 0
    ratio_limit: Annotated[float, Meta(ge=-2, le=1e9)] = -2
    seeding_limit: Annotated[int, Meta(ge=-2, le=1 << 40)] = -2
    idle_limit: Annotated[int, Meta(ge=-2, le=1 << 40)] = -2
    limit_action: LimitAction = ""
    select: Annotated[tuple[int, ...], Meta(max_length=1_000_000)] | None = None
    "Indices of the wanted files; None: all."
    wanted: Annotated[tuple[Line, ...], Meta(max_length=1000)] = ()
    "Wanted files as people name them: numbers (`0-2,7`) or shell patterns, also of folders. None: all."
    priorities: dict[str, Annotated[int, Meta(ge=0, le=7)]] = {}
    "By file index."
    paths: dict[PathText, Annotated[int, Meta(ge=0, le=7)]] = {}
    "Priorities by path of a file or folder, the empty one for all; the longest that fits counts."
    exclude: tuple[Line, ...] = ()
    "Shell patterns of files that are not wanted."
    trackers: tuple[Line, ...] = ()
    web_seeds: tuple[Line, ...] = ()
    peers: tuple[Name, ...] = ()
    "HOST:PORT"
    existing: Literal["stop", "overwrite", "rename"] = "stop"
    metadata_only: bool = False
    "Stop once the files are known."
    preview: Annotated[str, Meta(max_length=40)] = ""
    "The id of a preview, whose torrent is added as it was found there."


class Added(Model, frozen=True):
    source: str
    "As it was given; of a file its name or number."
    key: str
    "Empty where it failed."
    name: str
    duplicate: bool
    "It was there already and learned the trackers."
    code: str
    error: str
    "Empty where it was added."


class AddResult(Model, frozen=True):
    added: tuple[Added, ...]


class PreviewRequest(Model, frozen=True):
    """One of both."""

    url: Annotated[str, Meta(max_length=1 << 16)] = ""
    "A magnet link, an info hash, or an http(s) URL of a torrent file."
    file: Annotated[bytes, Meta(max_length=limits.TORRENT_FILE_BYTES)] = b""
    "A torrent file (base64)."


class Preview(Model, frozen=True):
    """A torrent that is looked into and not yet in the list. Nobody else sees it; it fetches metadata and no content.

    It goes when it is added or removed, when nobody asked for it for half an hour, and at the end of the daemon.
    """

    id: str
    source: str
    state: Literal["metadata", "ready", "failed"]
    "`metadata`: the torrent file is being fetched, or the metadata of a magnet link from its swarm."
    key: str
    name: str
    size: int
    files: int
    piece_length: int
    private: bool
    comment: str
    created_by: str
    created_at: int
    infohash_v1: str
    infohash_v2: str
    trackers: tuple[str, ...]
    duplicate: bool
    "It is in the list already."
    peers: int
    seeds: int
    known_peers: int
    "Of the swarm that the metadata is fetched from."
    reason: str
    "Why the metadata is not here yet."
    code: str
    error: str
    "Empty but for `failed`."


class KeyListing(Model, frozen=True):
    """As Listing, for keys alone."""

    sort: Annotated[str, Meta(max_length=40)] = "added_at"
    descending: bool = False
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=200_000)] = 200_000
    state: Annotated[tuple[str, ...], Meta(max_length=20)] = ()
    category: Annotated[tuple[Name, ...], Meta(max_length=100)] = ()
    tag: Annotated[tuple[Name, ...], Meta(max_length=100)] = ()
    tracker: Annotated[tuple[Name, ...], Meta(max_length=100)] = ()
    search: Annotated[str, Meta(max_length=200)] = ""


class AllKeys(Model, frozen=True):
    keys: tuple[str, ...]


class Selection(Model, frozen=True):
    """Which torrents something is done to."""

    keys: Keys = ()
    all: bool = False


Act = Literal[
    "start", "stop", "force_start", "recheck", "reannounce", "scrape", "top", "bottom", "up", "down",
    "place",
]


class Action(Model, frozen=True):
    act: Act
    keys: Keys = ()
    all: bool = False
    place: Annotated[int, Meta(ge=1, le=1 << 40)] = 1
    "In the queue, for `place`: the first of them gets it, the others the next ones."


class Failure(Model, frozen=True):
    key: str
    code: str
    error: str


class Outcome(Model, frozen=True):
    """What came of something that was done to several torrents."""

    done: int
    failed: tuple[Failure, ...] = ()


class TorrentPatch(Model, frozen=True):
    """Changes; what is left out stays as it is."""

    name: Name | UnsetType = UNSET
    category: Name | UnsetType = UNSET
    tags: tuple[Name, ...] | UnsetType = UNSET
    add_tags: tuple[Name, ...] | UnsetType = UNSET
    remove_tags: tuple[Name, ...] | UnsetType = UNSET
    auto: bool | UnsetType = UNSET
    forced: bool | UnsetType = UNSET
    sequential: bool | UnsetType = UNSET
    ends_first: bool | UnsetType = UNSET
    super_seed: bool | UnsetType = UNSET
    down_limit: Rate | UnsetType = UNSET
    up_limit: Rate | UnsetType = UNSET
    ratio_limit: Annotated[float, Meta(ge=-2, le=1e9)] | UnsetType = UNSET
    seeding_limit: Annotated[int, Meta(ge=-2, le=1 << 40)] | UnsetType = UNSET
    idle_limit: Annotated[int, Meta(ge=-2, le=1 << 40)] | UnsetType = UNSET
    limit_action: LimitAction | UnsetType = UNSET


class TorrentsPatch(Model, frozen=True):
    patch: TorrentPatch
    keys: Keys = ()
    all: bool = False


class Removal(Model, frozen=True):
    keys: Keys = ()
    all: bool = False
    files: bool = False
    "Delete the content too."
    now: bool = False
    "At once, not by way of the trash."


class Trashed(Model, frozen=True):
    key: str
    name: str
    size: int
    files: bool
    removed_at: int
    gone_at: int
    "When it is removed for good; 0: when the trash is emptied."


class Trash(Model, frozen=True):
    torrents: tuple[Trashed, ...]


class Move(Model, frozen=True):
    path: PathText
    keys: Keys = ()
    all: bool = False
    incomplete: bool = False
    "Change where the files are until they are complete."
    look: bool = False
    "The files are there already: nothing is moved, what is there is checked."


class FilePriorities(Model, frozen=True):
    priorities: dict[str, Annotated[int, Meta(ge=0, le=7)]] = {}
    "By file index."
    paths: dict[PathText, Annotated[int, Meta(ge=0, le=7)]] = {}
    "By path of a file or folder, the empty one for all; the longest that fits counts, and an index before it."


class Rename(Model, frozen=True):
    path: PathText
    "A file or folder of the torrent below its save_path, components parted by `/`; its own folder too."
    to: PathText


class TrackerChange(Model, frozen=True):
    """What is done to the trackers of a torrent, in this order."""

    remove: tuple[Line, ...] = ()
    replace: dict[str, Line] = {}
    "A URL by another."
    add: tuple[tuple[Line, ...], ...] = ()
    "More tiers."
    tiers: tuple[tuple[Line, ...], ...] | UnsetType = UNSET
    "All of them anew."


class WebSeedChange(Model, frozen=True):
    remove: tuple[Line, ...] = ()
    add: tuple[Line, ...] = ()


class PeerList(Model, frozen=True):
    peers: Annotated[tuple[Name, ...], Meta(max_length=1000)]
    "HOST:PORT"


# -- categories and tags


class Category(Model, frozen=True):
    name: Name
    "`a/b` is below `a`."
    save_path: PathText = ""
    "Empty: a folder of its name in that of the category above it, or in the usual one."
    incomplete_path: PathText | None = None
    ratio_limit: Annotated[float, Meta(ge=-2, le=1e9)] = -2
    seeding_limit: Annotated[int, Meta(ge=-2, le=1 << 40)] = -2
    idle_limit: Annotated[int, Meta(ge=-2, le=1 << 40)] = -2
    limit_action: LimitAction = ""


class Categories(Model, frozen=True):
    categories: tuple[Category, ...]


class Names(Model, frozen=True):
    names: Annotated[tuple[Name, ...], Meta(max_length=10_000)]


# -- the whole


class Transfer(Model, frozen=True):
    """The whole at a glance."""

    down_rate: float
    up_rate: float
    session_downloaded: int
    session_uploaded: int
    downloaded: int
    "In all runs."
    uploaded: int
    down_limit: int
    "Now, whatever set it; 0: none."
    up_limit: int
    slow_mode: bool
    "The alternative limits hold."
    peers: int
    dht_nodes: int
    reachable: Literal["unknown", "yes", "no", "offline"]
    "Whether peers can call: `yes` once some did or the router let them in."
    listening: tuple[str, ...]
    external_ips: tuple[str, ...]
    free_space: int | None
    torrents: int
    revision: int


class SlowMode(Model, frozen=True):
    on: bool | None = None
    "None: the other one."


class RateLimits(Model, frozen=True):
    """The limits that hold now: the usual ones, or the alternative ones in slow mode."""

    down: Rate | UnsetType = UNSET
    up: Rate | UnsetType = UNSET


class SettingsView(Model, frozen=True):
    values: dict[str, Any]
    "By key, dotted. A secret is null."
    sources: dict[str, str]
    "Where each value comes from, but for defaults: file, saved, environment, flag."
    restart: tuple[str, ...]
    "Keys that were changed and take effect at the next start."


class SettingsPatch(Model, frozen=True):
    values: dict[str, Any]
    "By key, dotted; null: as it was before it was saved."


class Schema(Model, frozen=True):
    schema: dict[str, Any]


class Ban(Model, frozen=True):
    address: Name
    "An address or a network."
    reason: str = ""
    at: int = 0


class Bans(Model, frozen=True):
    bans: tuple[Ban, ...]


class BanChange(Model, frozen=True):
    add: Annotated[tuple[Name, ...], Meta(max_length=10_000)] = ()
    "Addresses, networks, or HOST:PORT of a peer."
    remove: Annotated[tuple[Name, ...], Meta(max_length=10_000)] = ()


class LogLine(Model, frozen=True):
    id: int
    at: float
    level: Literal["debug", "info", "warning", "error"]
    text: str
    torrent: str = ""


class HistoryQuery(Model, frozen=True):
    key: str = ""
    "A torrent; empty for all of them together."
    span: Literal[60, 300, 1800, 10800, 86400] = 300
    "The last so many seconds."


class History(Model, frozen=True):
    """Speeds in bytes a second, oldest first, each the average of `step` seconds. Of all torrents it goes on over
    restarts; of one it is known while it moves, and of the 500 that moved last.
    """

    step: float
    until: float
    "Unix time at which the last value ends."
    down: tuple[int, ...]
    up: tuple[int, ...]


class LogQuery(Model, frozen=True):
    after: int = -1
    limit: Annotated[int, Meta(ge=1, le=5000)] = 500
    level: Literal["debug", "info", "warning", "error"] = "info"
    "This and what is worse."


class Log(Model, frozen=True):
    lines: tuple[LogLine, ...]


class Job(Model, frozen=True):
    """Something that takes a while."""

    id: str
    kind: str
    title: str
    state: Literal["running", "done", "failed", "cancelled"]
    progress: float | None
    message: str
    started_at: int
    result: dict[str, Any] = {}


class Jobs(Model, frozen=True):
    jobs: tuple[Job, ...]


class CreateRequest(Model, frozen=True):
    """Make a torrent of a file or folder of the daemon's machine."""

    path: PathText
    kind: Literal["v1", "v2", "hybrid"] = "hybrid"
    piece_length: Amount = 0
    "0: chosen."
    private: bool = False
    trackers: tuple[tuple[Line, ...], ...] = ()
    web_seeds: tuple[Line, ...] = ()
    comment: Line = ""
    source: Line = ""
    exclude: tuple[Line, ...] = ()
    save_to: PathText = ""
    "Also write the torrent file here."
    seed: bool = False
    "Add it, too."


class ImportRequest(Model, frozen=True):
    """Take on the torrents of another client."""

    path: PathText = ""
    "Its state folder; empty: where such folders usually are."
    mapping: dict[str, PathText] = {}
    "Beginnings of paths there by what they are here."
    stopped: bool = False
    dry_run: bool = False


class FolderQuery(Model, frozen=True):
    path: PathText = ""
    folders_only: bool = True


class Folder(Model, frozen=True):
    path: str
    parent: str
    entries: Annotated[tuple[str, ...], Meta(max_length=10_000)]
    "Folders end with `/`."
    free_space: int | None
    total_space: int | None
    "Of its file system."


class Interface(Model, frozen=True):
    name: str
    addresses: tuple[str, ...]


class Interfaces(Model, frozen=True):
    interfaces: tuple[Interface, ...]


class Finding(Model, frozen=True):
    """Something that the doctor looked at."""

    area: str
    mark: Literal["good", "warning", "bad", "note"]
    text: str
    advice: str


class Checkup(Model, frozen=True):
    findings: tuple[Finding, ...]


class Notified(Model, frozen=True):
    """How a notification went with one URL of `notify.urls`."""

    target: str
    "Its number and its scheme; the rest is secret."
    error: str
    "Empty where it was taken."


class NotificationTest(Model, frozen=True):
    targets: tuple[Notified, ...]


class Statistics(Model, frozen=True):
    """Totals of all runs."""

    uploaded: int
    downloaded: int
    wasted: int
    active_seconds: int
    completed: int
    started: int
    "How often the daemon was."


class Health(Model, frozen=True):
    version: str
    api: int
    loading: bool
    torrents: int


# -- feeds


class Feed(Model, frozen=True):
    path: str
    "Folders and name, parted by `/`."
    url: str
    title: str
    refresh_seconds: int
    refreshed_at: int
    next_refresh: float | None
    "Seconds from now."
    busy: bool
    error: str
    unread: int
    articles: int


class Feeds(Model, frozen=True):
    feeds: tuple[Feed, ...]
    folders: tuple[str, ...]


class FeedRequest(Model, frozen=True):
    path: PathText
    url: Line = ""
    "Empty: a folder."
    refresh_seconds: Annotated[int, Meta(ge=0, le=1 << 31)] = 0
    "0: as the settings say."
    parents: bool = True
    "Make the folders it is in, where they are not there."


class FeedPatch(Model, frozen=True):
    path: PathText
    to: PathText | UnsetType = UNSET
    url: Line | UnsetType = UNSET
    refresh_seconds: Annotated[int, Meta(ge=0, le=1 << 31)] | UnsetType = UNSET


class FeedPath(Model, frozen=True):
    path: PathText
    "A feed or a folder; empty: all."


class ArticleQuery(Model, frozen=True):
    path: PathText = ""
    unread: bool = False
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class Article(Model, frozen=True):
    feed: str
    id: str
    title: str
    url: str
    "Of the torrent: a magnet link or a URL."
    page: str
    description: str
    author: str
    published_at: int
    size: int
    read: bool


class Articles(Model, frozen=True):
    total: int
    articles: tuple[Article, ...]


class ReadMark(Model, frozen=True):
    path: PathText
    id: Line = ""
    "Empty: all of the feed or folder."


class FeedRules(Model, frozen=True):
    rules: dict[str, dict[str, Any]]
    "By name; the fields are those of docs/guide-rss.md."


class FeedRule(Model, frozen=True):
    name: Name
    rule: dict[str, Any]


class RuleName(Model, frozen=True):
    name: Name
    to: Name = ""


class RuleMatch(Model, frozen=True):
    feed: str
    id: str
    title: str
    matches: bool
    reason: str


class RuleMatches(Model, frozen=True):
    matches: tuple[RuleMatch, ...]


# -- who may


class Password(Model, frozen=True):
    password: Annotated[str, Meta(min_length=1, max_length=1000)]
    current: Annotated[str, Meta(max_length=1000)] = ""
    user: Annotated[str, Meta(max_length=100)] = "admin"


class AccessView(Model, frozen=True):
    """How one gets in."""

    password_set: bool
    user: str
    trust_local: bool
    guest: bool


class AccessPatch(Model, frozen=True):
    trust_local: bool | UnsetType = UNSET
    "Programs and people of this machine need no password."
    guest: bool | UnsetType = UNSET
    "Who is not logged in may look, and change nothing."


class ApiKey(Model, frozen=True):
    id: str
    name: str
    role: str
    made_at: int
    used_at: int
    secret: str = ""
    "Shown once, when it is made."


class ApiKeys(Model, frozen=True):
    keys: tuple[ApiKey, ...]


class KeyRequest(Model, frozen=True):
    name: Name
    role: Literal["guest", "user"] = "user"


class StartLink(Model, frozen=True):
    """A link that lets one in without a password, once, within the next hour."""

    path: str
    "Below the server's root."


class LoginSession(Model, frozen=True):
    id: str
    agent: str
    address: str
    made_at: int
    used_at: int
    role: str
    current: bool


class LoginSessions(Model, frozen=True):
    sessions: tuple[LoginSession, ...]
