"""Everything that can be asked of the client, once: the daemon's HTTP API, the doors of other clients, the command line
and the web UI all speak with an `Api`, in the same process (`local.LocalApi`) or over HTTP (`interfaces.client`).

Raises UsageError for what cannot be (`code` "not_found" where a torrent, category, ... is not there), StorageError and
NetworkError as the engine does.
"""

from __future__ import annotations

from typing import Protocol

from wildbach.interfaces.api import channelmodels as chm
from wildbach.interfaces.api import contentmodels as cm
from wildbach.interfaces.api import keymodels as km
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import paymodels as pay
from wildbach.interfaces.api import playmodels as pm
from wildbach.interfaces.api import sitemodels as sm
from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.api.operation import operation
from wildbach.interfaces.api.synccontract import SyncApi


class Api(SyncApi, Protocol):
    # -- torrents

    @operation("GET", "/torrents", role="guest")
    async def list_torrents(self, listing: m.Listing) -> m.TorrentPage:
        """A part of the list."""
        ...

    @operation("GET", "/keys", role="guest")
    async def keys(self, listing: m.KeyListing) -> m.AllKeys:
        """The keys of all torrents of a part of the list."""
        ...

    @operation("GET", "/changes", role="guest")
    async def changes(self, since: m.Since) -> m.Changes:
        """Rows that are different since a revision, and torrents that are gone."""
        ...

    @operation("GET", "/facets", role="guest")
    async def facets(self) -> m.Facets:
        """How many torrents there are of each state, category, tag and tracker."""
        ...

    @operation("POST", "/torrents")
    async def add_torrents(self, request: m.AddRequest) -> m.AddResult:
        """Add torrents. When this answers they are in the list, and stay there whatever happens."""
        ...

    @operation("POST", "/previews")
    async def preview(self, request: m.PreviewRequest) -> m.Preview:
        """Look into a torrent before it is added. Answers at once; metadata of magnet links takes a while."""
        ...

    @operation("GET", "/previews/{id}")
    async def previewed(self, id: str) -> m.Preview:
        """What is known of it by now."""
        ...

    @operation("DELETE", "/previews/{id}")
    async def end_preview(self, id: str) -> None:
        """It will not be added."""
        ...

    @operation("GET", "/previews/{id}/tree")
    async def preview_tree(self, id: str, query: m.TreeQuery) -> m.Tree:
        """What is in a folder of it."""
        ...

    @operation("GET", "/torrents/{key}", role="guest")
    async def torrent(self, key: str) -> m.TorrentDetail:
        """All about one torrent but its files, peers and trackers."""
        ...

    @operation("PATCH", "/torrents/{key}")
    async def change_torrent(self, key: str, patch: m.TorrentPatch) -> m.TorrentRow:
        """Change one torrent."""
        ...

    @operation("PATCH", "/torrents")
    async def change_torrents(self, change: m.TorrentsPatch) -> m.Outcome:
        """Change several torrents alike."""
        ...

    @operation("POST", "/actions")
    async def act(self, action: m.Action) -> m.Outcome:
        """Start, stop, check … torrents."""
        ...

    @operation("POST", "/removals")
    async def remove_torrents(self, removal: m.Removal) -> m.Outcome:
        """Take torrents out of the list: into the trash, from where they can be had back, or at once."""
        ...

    @operation("POST", "/moves")
    async def move_torrents(self, move: m.Move) -> m.Jobs:
        """Bring the files of torrents to another folder, while they are seeded and downloaded on. Survives a crash."""
        ...

    @operation("GET", "/torrents/{key}/files", role="guest")
    async def files(self, key: str, listing: m.FileListing) -> m.FilePage:
        """The files of a torrent."""
        ...

    @operation("GET", "/torrents/{key}/tree", role="guest")
    async def tree(self, key: str, query: m.TreeQuery) -> m.Tree:
        """What is in a folder of a torrent."""
        ...

    @operation("PATCH", "/torrents/{key}/files")
    async def set_priorities(self, key: str, priorities: m.FilePriorities) -> None:
        """Choose files, or which come first."""
        ...

    @operation("POST", "/torrents/{key}/renames")
    async def rename(self, key: str, rename: m.Rename) -> None:
        """Give a file or folder of a torrent another path."""
        ...

    @operation("GET", "/torrents/{key}/peers", role="guest")
    async def peers(self, key: str) -> m.PeerPage:
        """The connected peers."""
        ...

    @operation("POST", "/torrents/{key}/peers")
    async def add_peers(self, key: str, peers: m.PeerList) -> None:
        """Call these peers."""
        ...

    @operation("GET", "/torrents/{key}/trackers", role="guest")
    async def trackers(self, key: str) -> m.TrackerPage:
        """The trackers, and how they fare; first the DHT, peer exchange and local discovery."""
        ...

    @operation("PATCH", "/torrents/{key}/trackers")
    async def change_trackers(self, key: str, change: m.TrackerChange) -> None:
        """Other trackers."""
        ...

    @operation("GET", "/torrents/{key}/web-seeds", role="guest")
    async def web_seeds(self, key: str) -> m.WebSeedPage:
        """The web servers that have the content."""
        ...

    @operation("PATCH", "/torrents/{key}/web-seeds")
    async def change_web_seeds(self, key: str, change: m.WebSeedChange) -> None:
        """Other web servers."""
        ...

    @operation("GET", "/torrents/{key}/pieces", role="guest")
    async def pieces(self, key: str, query: m.PieceQuery) -> m.PieceMap:
        """What is there, piece by piece."""
        ...

    @operation("GET", "/torrents/{key}/file", content_type="application/x-bittorrent")
    async def export(self, key: str) -> bytes:
        """The torrent file."""
        ...

    @operation("GET", "/trash", role="guest")
    async def trash(self) -> m.Trash:
        """What was removed and can be had back."""
        ...

    @operation("POST", "/trash/restore")
    async def restore(self, selection: m.Selection) -> m.Outcome:
        """Have torrents back from the trash."""
        ...

    @operation("POST", "/trash/empty")
    async def empty_trash(self, selection: m.Selection) -> m.Outcome:
        """Remove what is in the trash for good, with the files where that was asked."""
        ...

    # -- categories and tags

    @operation("GET", "/categories", role="guest")
    async def categories(self) -> m.Categories:
        """All categories, with what was set for each."""
        ...

    @operation("PUT", "/categories")
    async def put_category(self, category: m.Category) -> m.Category:
        """Make a category, or change it. Torrents that are managed automatically move along."""
        ...

    @operation("POST", "/categories/remove")
    async def remove_categories(self, names: m.Names) -> None:
        """Remove categories with those below them; their torrents have none then."""
        ...

    @operation("GET", "/tags", role="guest")
    async def tags(self) -> m.Names:
        """All tags."""
        ...

    @operation("POST", "/tags")
    async def add_tags(self, names: m.Names) -> None:
        """Make tags that no torrent has yet."""
        ...

    @operation("POST", "/tags/remove")
    async def remove_tags(self, names: m.Names) -> None:
        """Remove tags, from their torrents too."""
        ...

    # -- the whole

    @operation("GET", "/transfer", role="guest")
    async def transfer(self) -> m.Transfer:
        """Speeds, limits, totals and whether peers can call."""
        ...

    @operation("PATCH", "/transfer/limits")
    async def set_limits(self, limits: m.RateLimits) -> None:
        """Change the speed limits that hold now."""
        ...

    @operation("POST", "/transfer/slow-mode")
    async def set_slow_mode(self, mode: m.SlowMode) -> m.SlowMode:
        """Turn the alternative speed limits on or off, until the schedule turns them next."""
        ...

    @operation("GET", "/statistics", role="guest")
    async def statistics(self) -> m.Statistics:
        """Totals of all runs."""
        ...

    @operation("GET", "/history", role="guest")
    async def history(self, query: m.HistoryQuery) -> m.History:
        """How fast it was, of all torrents or of one."""
        ...

    @operation("GET", "/health", role="guest")
    async def health(self) -> m.Health:
        """What this is, and whether it is ready."""
        ...

    @operation("GET", "/settings")
    async def settings(self) -> m.SettingsView:
        """All settings, and where their values come from."""
        ...

    @operation("PATCH", "/settings")
    async def change_settings(self, patch: m.SettingsPatch) -> m.SettingsView:
        """Save settings. All or none: a value that cannot be, or a key that a flag or the environment fixes (409),
        changes nothing.
        """
        ...

    @operation("GET", "/settings/schema")
    async def settings_schema(self) -> m.Schema:
        """JSON Schema of the settings."""
        ...

    @operation("GET", "/bans", role="guest")
    async def bans(self) -> m.Bans:
        """Peers that are banned by hand or for what they did."""
        ...

    @operation("POST", "/bans")
    async def change_bans(self, change: m.BanChange) -> m.Bans:
        """Ban peers, or take a ban back."""
        ...

    @operation("GET", "/log")
    async def log(self, query: m.LogQuery) -> m.Log:
        """What happened, oldest first."""
        ...

    @operation("GET", "/jobs", role="guest")
    async def jobs(self) -> m.Jobs:
        """What takes a while: moves, checks, torrents being made, imports."""
        ...

    @operation("DELETE", "/jobs/{id}")
    async def cancel_job(self, id: str) -> m.Job:
        """End a job, or forget one that has ended."""
        ...

    @operation("POST", "/creations")
    async def create_torrent(self, request: m.CreateRequest) -> m.Job:
        """Make a torrent of a file or folder of the daemon's machine. The job's `result` has its key."""
        ...

    @operation("GET", "/creations/{id}/file", content_type="application/x-bittorrent")
    async def created_file(self, id: str) -> bytes:
        """The torrent file that a job made."""
        ...

    @operation("POST", "/imports")
    async def import_client(self, request: m.ImportRequest) -> m.Job:
        """Take on the torrents of another client, without downloading anything again."""
        ...

    @operation("POST", "/demo")
    async def start_demo(self) -> m.Job:
        """Add a torrent of made-up files, and seed it slowly on this machine until it is complete and a minute more.
        The job's `result` has its key. One at a time (409).
        """
        ...

    @operation("GET", "/folders")
    async def folder(self, query: m.FolderQuery) -> m.Folder:
        """What is in a folder of the daemon's machine; only in the allowed ones."""
        ...

    @operation("GET", "/interfaces")
    async def interfaces(self) -> m.Interfaces:
        """The network interfaces of the daemon's machine, for the setting network.interface."""
        ...

    @operation("GET", "/doctor")
    async def doctor(self) -> m.Checkup:
        """Look for what could be wrong, and say what to do about it."""
        ...

    @operation("POST", "/notifications/test")
    async def test_notifications(self) -> m.NotificationTest:
        """Send a notification to all that the configuration file names, and say how it went."""
        ...

    # -- feeds

    @operation("GET", "/feeds", role="guest")
    async def feeds(self) -> m.Feeds:
        """RSS feeds and the folders they are in."""
        ...

    @operation("POST", "/feeds")
    async def add_feed(self, request: m.FeedRequest) -> None:
        """Follow a feed, or make a folder."""
        ...

    @operation("PATCH", "/feeds")
    async def change_feed(self, patch: m.FeedPatch) -> None:
        """Move a feed or a folder, or change its URL or pace."""
        ...

    @operation("POST", "/feeds/remove")
    async def remove_feed(self, feed: m.FeedPath) -> None:
        """Follow it no more; of a folder: with all that is in it."""
        ...

    @operation("POST", "/feeds/refresh")
    async def refresh_feed(self, feed: m.FeedPath) -> None:
        """Ask for it now."""
        ...

    @operation("GET", "/articles", role="guest")
    async def articles(self, query: m.ArticleQuery) -> m.Articles:
        """What the feeds have, newest first."""
        ...

    @operation("POST", "/articles/read")
    async def mark_read(self, mark: m.ReadMark) -> None:
        """It was read."""
        ...

    @operation("GET", "/rules")
    async def feed_rules(self) -> m.FeedRules:
        """The rules by which articles are downloaded."""
        ...

    @operation("PUT", "/rules")
    async def put_feed_rule(self, rule: m.FeedRule) -> None:
        """Make a rule, or change it."""
        ...

    @operation("POST", "/rules/rename")
    async def rename_feed_rule(self, name: m.RuleName) -> None:
        """Give a rule another name."""
        ...

    @operation("POST", "/rules/remove")
    async def remove_feed_rule(self, name: m.RuleName) -> None:
        """Remove a rule."""
        ...

    @operation("POST", "/rules/try")
    async def try_feed_rule(self, rule: m.FeedRule) -> m.RuleMatches:
        """Which of the articles there are a rule would take, and why not the others."""
        ...

    # -- the cache

    @operation("GET", "/storage", role="guest")
    async def storage(self) -> cm.Storage:
        """What is kept only for now: the quota, how full it is, and the torrents, the longest unused first."""
        ...

    @operation("POST", "/storage/pins")
    async def pin_storage(self, pins: cm.StoragePins) -> m.Outcome:
        """Let torrents of the cache stay, or go when room is needed."""
        ...

    @operation("POST", "/storage/keep")
    async def keep_storage(self, keeping: cm.StorageKeeping) -> cm.StorageKept:
        """Make downloads of torrents of the cache: they stay, and count for it no more."""
        ...

    @operation("POST", "/storage/free")
    async def free_storage(self, need: cm.StorageNeed) -> cm.StorageFreed:
        """Remove what was not used for longest, with its files, until so much is free."""
        ...

    @operation("POST", "/storage/evict")
    async def evict_storage(self, eviction: cm.StorageEviction) -> m.Outcome:
        """Remove these torrents of the cache now, with their files. What is pinned or in use stays."""
        ...

    # -- playing

    @operation("GET", "/torrents/{key}/playables")
    async def playables(self, key: str) -> pm.Playables:
        """What of a torrent plays: in order, with subtitles and how far somebody got. Its paths have the torrent's
        token in them: who has one reads the files.
        """
        ...

    @operation("POST", "/torrents/{key}/media-token")
    async def renew_media_token(self, key: str) -> pm.Playables:
        """Links to files of this torrent are worth nothing any more; here are new ones."""
        ...

    @operation("POST", "/torrents/{key}/forget-watched")
    async def forget_watched(self, key: str) -> None:
        """Nothing of it was ever played."""
        ...

    @operation("POST", "/plays")
    async def start_play(self, request: pm.PlayRequest) -> pm.Play:
        """Play something: of a torrent in the list, or of one that is added for it, of which then only what is played
        is fetched. The file is known once the metadata is here.
        """
        ...

    @operation("GET", "/plays/{id}")
    async def play(self, id: str) -> pm.Play:
        """How it comes, and why it waits."""
        ...

    @operation("DELETE", "/plays/{id}")
    async def end_play(self, id: str) -> pm.PlayEnd:
        """It is over. Where that was wished, a torrent of which all was seen is removed with its files."""
        ...

    @operation("PUT", "/watched")
    async def put_watched(self, watched: pm.Watched) -> pm.PlayPosition:
        """How far somebody got: kept when this answers. At 95 % of its length a file was seen."""
        ...

    @operation("GET", "/watching")
    async def watching(self, query: pm.WatchingQuery) -> pm.Watching:
        """What to go on with: what was begun, and what comes after what was seen; the latest first."""
        ...

    @operation("GET", "/media")
    async def media(self) -> pm.Media:
        """Where players fetch."""
        ...

    @operation("PATCH", "/media")
    async def change_media(self, patch: pm.MediaPatch) -> pm.Media:
        """Let other machines of the network fetch what they have a link to, or do not. Holds at once."""
        ...

    # -- sites

    @operation("GET", "/sites", role="guest")
    async def sites(self) -> sm.Sites:
        """Sites that were opened here or are published from here, what was used last first."""
        ...

    @operation("POST", "/sites")
    async def open_site(self, opening: sm.SiteOpening) -> sm.Site:
        """Open a site: it is looked up, fetched and given to others from now on."""
        ...

    @operation("GET", "/sites/{word}", role="guest")
    async def site(self, word: str) -> sm.SiteVersions:
        """A site by its name or the beginning of its key, with its versions."""
        ...

    @operation("PATCH", "/sites/{word}")
    async def change_site(self, word: str, patch: sm.SitePatch) -> sm.Site:
        """Rename a site, keep it, hold it at a version, or let it use other web sites."""
        ...

    @operation("DELETE", "/sites/{word}")
    async def forget_site(self, word: str) -> None:
        """Forget a site, with its files; a folder that it is published from stays."""
        ...

    @operation("GET", "/sites/{word}/difference", role="guest")
    async def site_difference(self, word: str, query: sm.SiteDifferenceQuery) -> sm.SiteDifference:
        """Which files are different in a version, by content."""
        ...

    @operation("POST", "/publications")
    async def publish_site(self, request: sm.SitePublication) -> m.Job:
        """Publish a folder as a site, or say what would change. The job's `result` has its key, number and link."""
        ...

    # -- keys that sites, channels and torrents are published under

    @operation("GET", "/publishing/keys")
    async def publishing_keys(self) -> km.PublishingKeys:
        """The keys there are, without their secrets."""
        ...

    @operation("POST", "/publishing/keys")
    async def make_publishing_key(self, request: km.PublishingKeyRequest) -> km.PublishingKey:
        """A new key, with a recovery key."""
        ...

    @operation("POST", "/publishing/keys/{name}/export")
    async def export_publishing_key(self, name: str, request: km.KeyExport) -> km.KeyFile:
        """A copy of a key, sealed with a passphrase."""
        ...

    @operation("POST", "/publishing/imports")
    async def import_publishing_key(self, request: km.KeyImport) -> km.PublishingKey:
        """Take a key on from a copy. The same again changes nothing."""
        ...

    @operation("POST", "/publishing/keys/{name}/recovery")
    async def recovery_words(self, name: str, request: km.RecoveryWish) -> km.RecoveryWords:
        """The recovery key, to be written down; while it was not erased."""
        ...

    @operation("POST", "/publishing/keys/{name}/recovery/erasure")
    async def erase_recovery(self, name: str, request: km.RecoveryWords) -> km.PublishingKey:
        """Erase the recovery key here. The words show that it was written down."""
        ...

    @operation("POST", "/publishing/keys/{name}/rotation")
    async def rotate_publishing_key(self, name: str, request: km.KeyRotation) -> km.KeyRotated:
        """Put a new key in the place of one that was stolen. Followers move; it cannot be undone."""
        ...

    # -- what is bought and sold, of which guests see nothing

    @operation("GET", "/payments")
    async def payments(self) -> pay.PayStatus:
        """What is bought and sold now, what that came to, and what lies in the vault."""
        ...

    @operation("PUT", "/torrents/{key}/payment")
    async def set_payment(self, key: str, mark: pay.PayMark) -> pay.PayTorrent:
        """Say whether a torrent may be bought and sold, and why that is right."""
        ...

    @operation("POST", "/payments/quotes")
    async def quote_payment(self, wanted: pay.PayOrder) -> wm.WalletQuote:
        """What something at the vault costs. It is sent as any quote of the wallet is."""
        ...

    @operation("GET", "/payments/rows")
    async def payment_rows(self, query: pay.PayRowsQuery) -> pay.PayRows:
        """Rows of the ledger, the newest first, and what is in its accounts."""
        ...

    @operation("GET", "/payments/table", content_type="text/csv")
    async def payment_table(self) -> bytes:
        """All rows of the ledger, as CSV."""
        ...

    @operation("GET", "/payments/sponsored")
    async def sponsored(self) -> pay.PaySponsoredList:
        """Seeders who are paid by the period, and how far each is."""
        ...

    @operation("POST", "/payments/sponsored")
    async def sponsor(self, wanted: pay.PaySponsoring) -> pay.PaySponsored:
        """Pay a seeder for each period in which he serves whoever comes, as seen by probes. What all periods cost has
        to be reserved for him in the vault.
        """
        ...

    @operation("DELETE", "/payments/sponsored/{id}")
    async def stop_sponsoring(self, id: str) -> None:
        """Look no more. What is earned is paid; the period that runs is not."""
        ...

    @operation("GET", "/payments/sponsored/{id}/probes")
    async def sponsored_probes(self, id: str) -> pay.PayProbes:
        """What the last hundred probes of a seeder found."""
        ...

    @operation("GET", "/payments/sponsored/{id}/periods")
    async def sponsored_periods(self, id: str) -> pay.PayPeriods:
        """What came of the last periods of a seeder: passed, failed or not seen, and which were paid."""
        ...

    @operation("GET", "/payments/seeding")
    async def seeded_for(self) -> pay.PaySeedings:
        """Torrents that others pay us to seed, and whether the vault has what they promised."""
        ...

    @operation("PUT", "/payments/seeding/{key}")
    async def seed_for(self, key: str, wanted: pay.PaySeedingWanted) -> pay.PaySeeding:
        """Note down that somebody pays us to seed a torrent, from now on, and take his vouchers once the vault has
        reserved for us what all periods cost, also where nothing is sold.
        """
        ...

    @operation("DELETE", "/payments/seeding/{key}")
    async def stop_seeding_for(self, key: str) -> None:
        """It is not counted on any more. Vouchers that are held stay good."""
        ...

    # -- the wallet, of which guests see nothing

    @operation("GET", "/wallet")
    async def wallet(self) -> wm.WalletStatus:
        """What there is: address, network, and the money that cannot be undone any more."""
        ...

    @operation("PUT", "/wallet/consent")
    async def agree_to_wallet(self, consent: wm.WalletConsent) -> wm.WalletStatus:
        """Confirm that real money may be used, where the settings allow it."""
        ...

    @operation("POST", "/wallet/words")
    async def draft_wallet(self, request: wm.WalletWordsRequest) -> wm.WalletWords:
        """Words for a new wallet, to be written down: this is the only time they are shown. Nothing is made yet."""
        ...

    @operation("POST", "/wallet")
    async def create_wallet(self, making: wm.WalletMaking) -> wm.WalletStatus:
        """Make the wallet whose words were shown, after some of them were read from the paper."""
        ...

    @operation("POST", "/wallet/import")
    async def import_wallet(self, request: wm.WalletImport) -> wm.WalletStatus:
        """Take a wallet on from its words, its key or its keystore, or only look at an address."""
        ...

    @operation("PUT", "/wallet/passphrase")
    async def change_wallet_passphrase(self, change: wm.WalletPassphraseChange) -> None:
        """Seal the key with another passphrase."""
        ...

    @operation("POST", "/wallet/keystore")
    async def export_wallet_keystore(self, request: wm.WalletPassphrase) -> wm.WalletKeystore:
        """A copy of the sealed key. Nobody opens it without the passphrase."""
        ...

    @operation("POST", "/wallet/paper")
    async def check_wallet_words(self, paper: wm.WalletPaper) -> wm.WalletStatus:
        """See whether the words on a paper are those of this wallet."""
        ...

    @operation("POST", "/wallet/quotes")
    async def quote_wallet_send(self, request: wm.WalletQuoteRequest) -> wm.WalletQuote:
        """What a transfer costs, and what to look out for. Nothing is signed."""
        ...

    @operation("GET", "/wallet/sends")
    async def wallet_sends(self, query: wm.WalletSendsQuery) -> wm.WalletSends:
        """What was sent, the newest first."""
        ...

    @operation("POST", "/wallet/sends")
    async def send_from_wallet(self, request: wm.WalletSendRequest) -> wm.WalletSend:
        """Sign and send what was shown. Asking twice for one quote sends once."""
        ...

    @operation("GET", "/wallet/table", content_type="text/csv")
    async def wallet_table(self) -> bytes:
        """All that was sent, as a table (CSV)."""
        ...

    @operation("GET", "/wallet/book")
    async def wallet_book(self) -> wm.WalletBook:
        """Addresses by name."""
        ...

    @operation("PUT", "/wallet/book")
    async def put_wallet_address(self, known: wm.WalletKnown) -> wm.WalletKnown:
        """Write an address into the book, or give it another name."""
        ...

    @operation("POST", "/wallet/book/remove")
    async def remove_wallet_address(self, known: wm.WalletKnownAddress) -> None:
        """Take an address out of the book."""
        ...

    @operation("POST", "/wallet/fee-key")
    async def make_fee_key(self) -> wm.WalletStatus:
        """Make a key that redeems by itself, within a daily limit of fees. It needs a few TRX, and can pay nobody."""
        ...

    @operation("POST", "/wallet/signer")
    async def renew_signer(self, request: wm.WalletPassphrase) -> wm.WalletStatus:
        """Sign payments with a new key from now on, where the old one may have been stolen; its secret is gone. The
        vault has to learn of both: `add_signer` and `remove_signer`.
        """
        ...

    @operation("POST", "/wallet/adrift")
    async def forget_adrift(self, request: wm.WalletPassphrase) -> wm.WalletBounds:
        """Keep nothing free any more for what a lost state of the wallet signed: it was redeemed, or its key has ended.
        """
        ...

    @operation("POST", "/wallet/day")
    async def reopen_wallet_day(self, request: wm.WalletPassphrase) -> wm.WalletBounds:
        """Let a wallet that was restored pay today: what it may spend then does not count as spent any more."""
        ...

    @operation("GET", "/wallet/limits")
    async def wallet_limits(self) -> wm.WalletBounds:
        """What may be spent without the passphrase, and what of it is used."""
        ...

    @operation("PUT", "/wallet/limits")
    async def set_wallet_limits(self, change: wm.WalletLimitsChange) -> wm.WalletBounds:
        """Other limits. To loosen one takes the passphrase, to tighten it does not."""
        ...

    # -- channels

    @operation("GET", "/channels", role="guest")
    async def channels(self) -> chm.Channels:
        """Channels that are followed here or published from here, by title."""
        ...

    @operation("POST", "/channels")
    async def follow_channel(self, following: chm.ChannelFollowing) -> chm.Channel:
        """Follow a channel: it is looked up, fetched and given to others from now on. Nothing that its items lead to is
        fetched.
        """
        ...

    @operation("POST", "/channels/own")
    async def create_channel(self, making: chm.ChannelMaking) -> chm.Channel:
        """Begin a channel under a secret key of the data directory. Nobody hears of it before it is published."""
        ...

    @operation("GET", "/channels/{word}", role="guest")
    async def channel(self, word: str) -> chm.Channel:
        """A channel by its title, the name of its secret key, or the beginning of its key."""
        ...

    @operation("PATCH", "/channels/{word}")
    async def change_channel(self, word: str, patch: chm.ChannelPatch) -> chm.Channel:
        """Rename a channel, have what is new downloaded, accept its address for tips; of an own one change what it says
        of itself.
        """
        ...

    @operation("DELETE", "/channels/{word}")
    async def unfollow_channel(self, word: str) -> None:
        """Forget a channel, with its files. What was downloaded stays, and so does the key of an own one."""
        ...

    @operation("GET", "/items", role="guest")
    async def channel_items(self, query: chm.ItemQuery) -> chm.ChannelItems:
        """Search the items of all channels, or of one."""
        ...

    @operation("POST", "/channels/{word}/look")
    async def look_at_channel(self, word: str) -> chm.Channel:
        """What is there now is new no longer."""
        ...

    @operation("POST", "/channels/{word}/download")
    async def download_item(self, word: str, item: chm.ItemWord) -> chm.Download:
        """Download an item's best rendition, like any torrent."""
        ...

    @operation("POST", "/channels/{word}/tip")
    async def quote_tip(self, word: str, tip: wm.WalletTip) -> wm.WalletQuote:
        """What a tip to the address costs that a channel's key has signed. It is sent as any quote of the wallet is."""
        ...

    @operation("POST", "/sites/{word}/tip")
    async def quote_site_tip(self, word: str, tip: wm.WalletTip) -> wm.WalletQuote:
        """What a tip to the address costs that a site names in /.well-known/wildbach.json. It is sent as any quote of
        the wallet is.
        """
        ...

    @operation("GET", "/torrents/{key}/tips")
    async def tip_targets(self, key: str) -> wm.WalletTipTargets:
        """Who can be tipped for a torrent: the channel of which it is an item, sites that it is a version of."""
        ...

    @operation("GET", "/channels/{word}/feed", role="guest", content_type="application/rss+xml")
    async def channel_feed(self, word: str) -> bytes:
        """The newest items as RSS, with what Podcasting 2.0 says of torrents."""
        ...

    @operation("GET", "/channels/{word}/drafts", role="guest")
    async def channel_drafts(self, word: str) -> chm.ChannelItems:
        """The items of an own channel that wait to be published, in order."""
        ...

    @operation("POST", "/channels/{word}/items")
    async def add_channel_items(self, word: str, making: chm.ItemMaking) -> m.Job:
        """Have files or torrents wait to be published. The job's `result` has the `items` that were made of them."""
        ...

    @operation("POST", "/channels/{word}/items/edit")
    async def change_channel_item(self, word: str, change: chm.ItemChange) -> chm.ChannelItem:
        """Change the words of an item, from the next version on."""
        ...

    @operation("POST", "/channels/{word}/items/remove")
    async def remove_channel_item(self, word: str, item: chm.ItemWord) -> None:
        """Remove an item, from the next version on."""
        ...

    @operation("POST", "/channels/{word}/publish")
    async def publish_channel(self, word: str, publishing: chm.Publishing) -> m.Job:
        """Publish what waits. The job's `result` has the number and the link."""
        ...

    # -- who may

    @operation("GET", "/access")
    async def access(self) -> m.AccessView:
        """How one gets in."""
        ...

    @operation("PATCH", "/access")
    async def change_access(self, patch: m.AccessPatch) -> m.AccessView:
        """Who gets in without a password."""
        ...

    @operation("POST", "/access/password")
    async def set_password(self, password: m.Password) -> None:
        """Set the user and password; ends all other sessions. The current one is asked for where there is one."""
        ...

    @operation("GET", "/access/keys")
    async def api_keys(self) -> m.ApiKeys:
        """The keys for programs, without their secrets."""
        ...

    @operation("POST", "/access/keys")
    async def make_api_key(self, request: m.KeyRequest) -> m.ApiKey:
        """A key for a program; this is the only time its secret is shown."""
        ...

    @operation("DELETE", "/access/keys/{id}")
    async def remove_api_key(self, id: str) -> None:
        """A key that is good no more."""
        ...

    @operation("POST", "/start-links")
    async def make_start_link(self) -> m.StartLink:
        """A link that lets one in without a password, once, within the next hour."""
        ...

    @operation("GET", "/access/sessions")
    async def login_sessions(self) -> m.LoginSessions:
        """Who is logged in."""
        ...

    @operation("DELETE", "/access/sessions/{id}")
    async def end_login_session(self, id: str) -> None:
        """Log somebody out."""
        ...
