"""What a client says on the line of changes (`/api/v1/push`) that it shows, and what follows from the news it gets."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from wildbach.base.errors import RemoteError, UsageError, WildbachError
from wildbach.interfaces.api import models as m

Part = Literal["files", "peers", "trackers", "web_seeds", "pieces"]
_WHOLE: Final[dict[str, Any]] = {"transfer": m.Transfer, "facets": m.Facets, "jobs": m.Jobs}


class Detail(Struct, frozen=True, forbid_unknown_fields=True):
    """One torrent, and what of it."""

    key: str
    parts: tuple[Part, ...] = ()
    files: m.FileListing = m.FileListing()
    trees: Annotated[tuple[m.TreeQuery, ...], Meta(max_length=64)] = ()
    'Folders that are open. News of them: `trees`, a list of `{"query": place in this list, "tree": …}`.'
    buckets: Annotated[int, Meta(ge=0, le=10_000)] = 0
    "Cells of `pieces`; 0: one a piece."


class Subscription(Struct, frozen=True, forbid_unknown_fields=True):
    """What a page shows; what is left out is not sent."""

    torrents: m.Listing | None = None
    facets: bool = False
    detail: Detail | None = None
    transfer: bool = False
    jobs: bool = False
    trash: bool = False
    'How many torrents are in it: `{"count": 3}`.'
    sync: bool = False
    "All folders that are kept the same, as `GET /sync` has them."
    previews: Annotated[tuple[str, ...], Meta(max_length=100)] = ()
    "Ids; news of them by id, null for one that is not there any more."
    log: Literal["debug", "info", "warning", "error"] | None = None


class Message(Struct, frozen=True, forbid_unknown_fields=True):
    """What a client says."""

    subscribe: Subscription


class Shown:
    """What is shown now, from the news up to now: the list, its totals, and what comes whole.

    What comes in parts and nobody here shows (`detail`, `previews`) is left to who subscribes to it.
    """

    def __init__(self) -> None:
        self.rows: tuple[m.TorrentRow, ...] = ()
        self.changed: tuple[m.TorrentRow, ...] = ()
        "Those of the list that are new or different since the news before."
        self.total = 0
        self.offset = 0
        self.loading = False
        self.transfer: m.Transfer | None = None
        self.facets: m.Facets | None = None
        self.jobs: m.Jobs | None = None
        self.log: tuple[m.LogLine, ...] = ()
        "Lines that came with the last news."
        self.errors: dict[str, WildbachError] = {}
        "Of parts that cannot be shown, such as a list by a field that no torrent has."
        self._fields: dict[str, dict[str, Any]] = {}
        self._by_key: dict[str, m.TorrentRow] = {}
        self._keys: tuple[str, ...] = ()

    def take(self, news: dict[str, Any]) -> None:
        """Raises RemoteError for news of another version of the daemon."""
        self.changed, self.log = (), ()
        for name, value in news.items():
            self.errors.pop(name, None)
            if isinstance(value, dict) and "error" in value:
                self.errors[name] = error_of(value["error"])
                if name == "torrents":
                    self._fields, self._by_key, self._keys, self.rows = {}, {}, (), ()
        try:
            for name, kind in _WHOLE.items():
                if name in news and name not in self.errors:
                    setattr(self, name, msgspec.convert(news[name], kind))
            if "log" in news and "log" not in self.errors:
                self.log = msgspec.convert(news["log"], tuple[m.LogLine, ...])
            if "torrents" in news and "torrents" not in self.errors:
                self._list(msgspec.convert(news["torrents"], _ListNews))
        except (msgspec.ValidationError, KeyError) as error:
            raise RemoteError(f"the daemon speaks another version of the API: {error}") from None

    def _list(self, news: _ListNews) -> None:
        for fields in news.rows:
            key = str(fields["key"])
            self._fields[key] = self._fields.get(key, {}) | fields
            self._by_key[key] = msgspec.convert(self._fields[key], m.TorrentRow)
        if news.keys is not None:
            self._keys = news.keys
            self._fields = {key: self._fields[key] for key in news.keys}
            self._by_key = {key: self._by_key[key] for key in news.keys}
        if news.total is not None:
            self.total, self.offset, self.loading = news.total, news.offset, news.loading
        self.rows = tuple(self._by_key[key] for key in self._keys)
        self.changed = tuple(self._by_key[str(fields["key"])] for fields in news.rows)


class _ListNews(Struct, frozen=True):
    rows: tuple[dict[str, Any], ...] = ()
    keys: tuple[str, ...] | None = None
    total: int | None = None
    offset: int = 0
    loading: bool = False


def error_of(problem: object) -> WildbachError:
    """Of one part, or of what was said."""
    facts = problem if isinstance(problem, dict) else {}
    return UsageError(str(facts.get("detail", "the daemon refused")), code=str(facts.get("code", "bad_request")))
