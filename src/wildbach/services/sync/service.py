"""All folders that this device keeps the same with others: made, joined, shared, left; and the sessions with the other
devices.

One key pair is this device, in all folders. It lies in the data directory, and so does a data base for each folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import msgspec

from wildbach.base import limits
from wildbach.base.addresses import Reach, classify
from wildbach.base.errors import FormatError, NetworkError, RemoteError, StorageError, UsageError, WildbachError
from wildbach.base.ids import DeviceId, Endpoint, FolderId
from wildbach.disk.shelf import Shelf
from wildbach.engine.contents import Contents
from wildbach.engine.meeting import Meetings
from wildbach.net.meeting import Met
from wildbach.protocol.sync import joining as joins
from wildbach.protocol.sync import writing
from wildbach.protocol.sync.devices import DeviceKeys, check_name
from wildbach.protocol.sync.joining import Asking, Joined, LinkRefused, Links
from wildbach.protocol.sync.links import SyncLink
from wildbach.protocol.sync.recovery import RecoveryKey
from wildbach.protocol.sync.roster import Role, roster_hash
from wildbach.protocol.sync.secrets import Token
from wildbach.protocol.sync.writing import Changes, Newcomer
from wildbach.runtime.rng import Rng
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.sync import joining, sought
from wildbach.services.sync.beacons import Records
from wildbach.services.sync.finding import Dialer, Finder, Found
from wildbach.services.sync.folder import Folder
from wildbach.services.sync.membership import Membership
from wildbach.services.sync.neighbours import Neighbours
from wildbach.services.sync.place import first_patterns, folder_at, make_directory
from wildbach.services.sync.session import Offer, Port, Session
from wildbach.services.sync.sessions import Sessions
from wildbach.services.sync.store import FolderStore
from wildbach.services.sync.words import meant

AREA: Final = "sync"
_KEY: Final = "device.key"
_SELF: Final = "self"
_LINKS: Final = "links"
_TURNS: Final = 256
Name = tuple[str, bytes]
"Of a secret to be met by: `folder` and its id, `link` or `join` and the hash of a token."


class Keeper(Protocol):
    """The state database (`engine.session.Session`)."""

    async def kept(self, area: str) -> dict[str, bytes]: ...

    async def keep(self, area: str, changes: Mapping[str, bytes | None], *, durable: bool = False) -> None: ...


@dataclass(frozen=True, slots=True)
class Ways:
    """How devices are found and called: parts of the engine's session."""

    meetings: Callable[[Scope, DeviceKeys, Callable[[Met[Name]], None]], Meetings[Name]]
    dialer: Dialer
    records: Records | None
    contents: Contents
    neighbours: Neighbours
    announce: Callable[[str], None]
    forget: Callable[[str], None]
    listening: Callable[[], Sequence[Endpoint]]
    "Where calls are taken, also where only this machine gets there."
    on_moved: Callable[[Callable[[], None]], None]
    "Says whom to tell when the network is another one."
    relays: Callable[[], Sequence[Endpoint]] = tuple
    loopback: bool = False


class Saved(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is remembered of a folder beside its data base."""

    path: str
    name: str = ""
    mode: str = "both"
    excluded: tuple[str, ...] = ()
    paused: bool = False
    endpoints: dict[str, tuple[tuple[str, int], ...]] = {}
    "Device id in hex → where it was met."
    seen: dict[str, int] = {}
    "Device id in hex → when it was last connected."
    record: int = 0
    "The time in the last record that said where this device is."


@dataclass(slots=True)
class Kept:
    """A folder with what this device does about it."""

    folder: Folder
    saved: Saved
    finder: Finder | None = None
    links: Links = field(default_factory=Links)
    owed: tuple[bytes, ...] = ()
    "Names of secrets of before by which it is met."

    @property
    def name(self) -> str:
        return self.saved.name or self.folder.membership.view.state.name or self.folder.path.name


class SyncService:
    """A `session.Hub`. `changed` is told of folders that are to be shown anew."""

    def __init__(
        self, data_dir: Path, keeper: Keeper, ways: Ways, scope: Scope, rng: Rng, *,
        changed: Callable[[FolderId], None], report: Callable[[Exception], None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._shelf = Shelf(data_dir / "sync")
        self._keeper = keeper
        self._ways = ways
        self._scope = scope.child("sync")
        self._rng = rng
        self._changed = changed
        self._report = report
        self.wall = wall
        self._threads = Threads(1, "sync-files")
        self._folders: dict[FolderId, Kept] = {}
        self._link_finders: dict[bytes, Finder] = {}
        self._join_finders: list[Finder] = []
        self._joiners: dict[bytes, _Joiner] = {}
        self._admissions = joining.Admissions(self._scope, self._admit, report)
        self._open_tokens: dict[bytes, FolderId] = {}
        self._closed = False
        self.name = ""
        self.keys: DeviceKeys
        self._meetings: Meetings[Name]
        self._sessions: Sessions

    # -- from the start to the end

    async def begin(self, name: str) -> None:
        """Load all folders and go to work. `name`: what this device calls itself where nobody has said. Raises
        StorageError.
        """
        self.keys = await self._threads.run(self._load_keys)
        self._sessions = Sessions(
            self.keys.public.exchange, self, self._scope, self.listed, self._begun, self._report)
        self._meetings = self._ways.meetings(self._scope, self.keys, self._met)
        self._ways.on_moved(self._moved)
        kept = await self._keeper.kept(AREA)
        self.name = kept.pop(_SELF, b"").decode("utf-8", "replace") or check_name(name[:60])
        for key, raw in kept.items():
            try:
                saved = msgspec.json.decode(raw, type=Saved)
                await self._start(FolderId(bytes.fromhex(key)), saved)
            except (msgspec.MsgspecError, ValueError, WildbachError) as error:
                self._report(error if isinstance(error, WildbachError) else FormatError(
                    f"what is remembered of a synced folder cannot be read: {error}", where=key[:16]))

    def _load_keys(self) -> DeviceKeys:
        kept = self._shelf.get(_KEY, 32)
        if kept is None:
            seed = secrets.token_bytes(32)
            self._shelf.put(_KEY, seed, self.wall())
            return DeviceKeys(seed)
        if len(kept.data) != 32:
            raise StorageError("the key of this device is damaged: sync/device.key", code="damaged")
        return DeviceKeys(kept.data)

    async def close(self) -> None:
        """Idempotent."""
        if self._closed:
            return
        self._closed = True
        for one in self.folders:
            # What is open now is where they are looked for first in the next run.
            if one.finder is not None:
                with contextlib.suppress(WildbachError):
                    await self._save(one, self._remembered(one, one.folder.links))
        if hasattr(self, "_sessions"):
            self._sessions.close()
        for one in list(self._folders.values()):
            await self._stop(one)
        for finder in list(self._link_finders.values()):
            await finder.close()
        if hasattr(self, "_meetings"):
            self._meetings.close()
        self._scope.cancel()
        self._threads.close()

    async def _start(self, id: FolderId, saved: Saved, *, new: bool = False) -> Kept:
        store = await self._threads.run(lambda: FolderStore(self._shelf.folder / f"{id.hex()}.db"))
        try:
            folder = await self._threads.run(lambda: Folder(
                Path(saved.path), store, self.keys, self._ways.contents, self._scope, self._rng, self._shown,
                self._renewed, self._report))
        except BaseException:
            store.close()
            raise
        one = Kept(folder, saved)
        raw = await self._threads.run(lambda: store.fact(_LINKS))
        if raw is not None:
            with contextlib.suppress(FormatError):
                one.links = Links.unpack(raw)
        self._folders[id] = one
        folder.paused = saved.paused
        folder.mode, folder.excluded = saved.mode, saved.excluded
        await folder.begin(new=new)
        self._open(one)
        return one

    async def _stop(self, one: Kept) -> None:
        self._folders.pop(one.folder.id, None)
        self._meetings.drop(("folder", bytes(one.folder.id)))
        for name in one.owed:
            self._meetings.drop(("folder", name))
        key = one.folder.id.hex()
        self._ways.neighbours.remove(key)
        self._ways.forget(key)
        for token, id in list(self._open_tokens.items()):
            if id == one.folder.id:
                await self._close_token(token)
        if one.finder is not None:
            await one.finder.close()
            await self._keep_record(one, one.finder.record_time)
        # The others hear of it at once, and meet us again by the folders that are left, or where this one is then.
        for link in list(one.folder.links.values()):
            link.session.bye("left")
        await one.folder.close()

    # -- being found

    def _open(self, one: Kept) -> None:
        """Let members in by the folder's secret, and look for them."""
        membership = one.folder.membership
        secret = membership.secret
        if secret is None or membership.role is None:
            self._meetings.drop(("folder", bytes(one.folder.id)))
            finder, one.finder = one.finder, None
            if finder is not None:
                self._scope.spawn("end finding", finder.close(), contain=self._report)
            return
        store = secret.store.raw
        key = one.folder.id.hex()
        self._meetings.put(("folder", bytes(one.folder.id)), store)
        owed = {bytes(one.folder.id) + each.commit: each.store.raw for each in one.folder.owing.secrets}
        for name in one.owed:
            if name not in owed:
                self._meetings.drop(("folder", name))
        for name, raw in owed.items():
            if name not in one.owed:
                self._meetings.put(("folder", name), raw)
        # Who was away when the secrets changed, or has others of the same time, is found by those of before.
        stores = (store, *owed.values())[: limits.SYNC_MET_BY]
        if one.finder is None or tuple(owed) != one.owed:
            beacon = sought.of_member(self.keys.public.signing, self.keys.sign, stores, self.keys.id)
            if one.finder is not None:
                one.finder.speak_as(beacon)
        one.owed = tuple(owed)
        if one.finder is None:
            one.finder = self._finder(_Members(self, one.folder.id), beacon, one.saved.record)
            one.folder.passing.records, one.folder.passing.take = one.finder.passing, one.finder.passed
            one.finder.start()
        for member in membership.view.state.members.values():
            if member.id != self.keys.id:
                known = [Endpoint(*each) for each in one.saved.endpoints.get(member.id.hex(), ())]
                one.finder.seek(
                    sought.member(stores, self.keys.id, member.id, member.device.signing), known=known)
        finder = one.finder
        self._ways.neighbours.add(key, stores, finder.near)
        self._ways.announce(key)
        for given in one.links.open(membership.view, self.wall()):
            self._open_token(one, given.token)
        for token_hash in membership.view.state.links:
            token = writing.open_token(membership.rosters, self.keys, token_hash)
            if token is not None:
                self._open_token(one, token)

    def _moved(self) -> None:
        """This device is in another network, or back in one."""
        finders = [one.finder for one in self._folders.values() if one.finder is not None]
        for finder in (*finders, *self._link_finders.values(), *self._join_finders):
            finder.moved()

    def _finder(self, owner: _Members | _Joiner | _Inviter, beacon: sought.Beacon, last: int = 0) -> Finder:
        loop = asyncio.get_running_loop()
        return Finder(
            self._scope, owner, self._ways.dialer, self._ways.records, beacon, clock=loop.time, wall=self.wall,
            rng=self._rng, chance=secrets.token_bytes, relays=self._ways.relays, report=self._report,
            loopback=self._ways.loopback, last=last, places=self._places)

    def _places(self) -> tuple[Endpoint, ...]:
        """Where others may call this device; where it listens to this machine alone, that."""
        return self._ways.dialer.places() or tuple(
            each for each in self._ways.listening() if classify(each.host) is Reach.LOCAL)

    def _open_token(self, one: Kept, token: Token) -> None:
        if token.hash in self._open_tokens:
            return
        self._open_tokens[token.hash] = one.folder.id
        self._meetings.put(("link", token.hash), token.raw)
        beacon = sought.of_inviter(self.keys.public.signing, self.keys.sign, token.raw)
        finder = self._link_finders[token.hash] = self._finder(_Inviter(self, token.hash), beacon)
        finder.seek(sought.joiner(token.raw, token.hash))
        finder.start()
        key = "link " + token.hash.hex()
        self._ways.neighbours.add(key, (token.raw,), lambda at: None)
        self._ways.announce(key)

    async def _close_token(self, token_hash: bytes) -> None:
        self._open_tokens.pop(token_hash, None)
        self._meetings.drop(("link", token_hash))
        key = "link " + token_hash.hex()
        self._ways.neighbours.remove(key)
        self._ways.forget(key)
        finder = self._link_finders.pop(token_hash, None)
        if finder is not None:
            await finder.close()

    # -- session.Hub

    def offers(self) -> Iterable[Offer]:
        return [offer for one in self._folders.values() for offer in one.folder.offers()]

    def port(self, folder: FolderId) -> Port | None:
        one = self._folders.get(folder)
        return one.folder if one is not None else None

    def listed(self, exchange: bytes) -> bool:
        return any(one.folder.member(exchange) is not None for one in self._folders.values())

    def ended(self, session: Session, error: Exception | None) -> None:
        self._sessions.ended(session)
        for one in self._folders.values():
            device = one.folder.membership.by_exchange(session.exchange)
            if device is None or device in one.folder.links:
                continue
            if one.finder is not None:
                one.finder.lost(device)
            self._remember(one, device)

    def chance(self, count: int) -> bytes:
        return secrets.token_bytes(count)

    def _met(self, met: Met[Name]) -> None:
        """Somebody called us, or was called, by one of the secrets."""
        kind, name = met.opened.name
        if self._closed:
            met.connection.close()
        elif kind == "link":
            self._admissions.begin(met, name)
        elif kind == "folder":
            self._scope.spawn("settle", self._called(met), contain=self._report)
        elif name in self._joiners:
            self._scope.spawn("join", self._called_back(self._joiners[name], met), contain=self._report)
        else:
            met.connection.close()

    async def shaken(self, found: Found, name: Name, *, calls: bool) -> Met[Name]:
        """A handshake on a connection that a finder made. At a relay (`found.endpoint` None) both sides came by
        themselves: the one that `calls` begins. Raises NetworkError, RemoteError.
        """
        if found.endpoint is not None or calls:
            return await self._meetings.over(found.connection, name)
        return await self._meetings.under(found.connection)

    async def _called_back(self, joiner: _Joiner, met: Met[Name]) -> None:
        """Who gave the link was faster than we."""
        with contextlib.suppress(NetworkError, RemoteError, TimeoutError):
            await joiner.met(met, None)

    async def _called(self, met: Met[Name]) -> None:
        await self._sessions.settle(met)

    def _begun(self, session: Session) -> None:
        for one in self._folders.values():
            device = one.folder.membership.by_exchange(session.exchange)
            if device is not None and one.finder is not None:
                one.finder.met(device, relayed=session.relayed)

    def _shown(self, folder: Folder) -> None:
        one = self._folders.get(folder.id)
        if one is not None and one.finder is not None:
            for device, link in folder.links.items():
                one.finder.met(device, relayed=link.session.relayed)
        self._changed(folder.id)

    def _renewed(self, folder: Folder) -> None:
        """Another roster of a folder counts."""
        one = self._folders.get(folder.id)
        if one is None:
            return
        self._open(one)
        for session in self._sessions.all():
            session.renew()
        self._changed(folder.id)

    # -- folders

    @property
    def folders(self) -> list[Kept]:
        """By name."""
        return sorted(self._folders.values(), key=lambda one: (one.name.casefold(), one.folder.id))

    def find(self, word: str) -> Kept:
        """By its name, its path, or the beginning of its id. Raises UsageError, code `not_found`."""
        for one in self.folders:
            if word == str(one.folder.path):
                return one
        return meant(
            word, ((one, one.folder.id.hex(), (one.name,)) for one in self.folders),
            f"no folder {word!r} is kept the same here", f"{word!r} is several folders: name one by its path or id")

    def _check_path(self, path: Path) -> Path:
        """Raises UsageError where another folder is there, or in it, or it in the folder."""
        place = Path(os.path.realpath(path))
        for one in self._folders.values():
            other = Path(os.path.realpath(one.folder.path))
            if place == other or place.is_relative_to(other) or other.is_relative_to(place):
                raise UsageError(
                    f"{path} and {one.folder.path} are one in the other: {one.name!r} is kept there", code="nested")
        return place

    async def create(self, path: Path, name: str, patterns: str = "") -> Kept:
        """`patterns`: what it leaves out, where it says nothing of that yet. Raises UsageError, StorageError."""
        place = await self._threads.run(self._check_path, path)
        await self._threads.run(make_directory, place)
        if patterns:
            await self._threads.run(first_patterns, place, patterns)
        recovery = RecoveryKey(secrets.token_bytes(32))
        first, _ = writing.create(
            self.keys, check_name(name or place.name[:60]), recovery.public, secrets.token_bytes,
            device_name=self.name)
        return await self._adopt((first,), place, recovery=" ".join(recovery.words()))

    async def _adopt(
        self, chain: tuple[bytes, ...], path: Path, *, mode: str = "both", recovery: str = "",
        endpoints: dict[str, tuple[tuple[str, int], ...]] | None = None,
    ) -> Kept:
        id = FolderId(joins_id(chain))

        def make() -> None:
            store = FolderStore(self._shelf.folder / f"{id.hex()}.db")
            try:
                membership = Membership.begin(self.keys, store, chain)
                if recovery:
                    membership.keep_recovery(recovery)
            finally:
                store.close()

        await self._threads.run(self._shelf.put, "made", b"", self.wall())
        await self._threads.run(make)
        saved = Saved(str(path), mode=mode, endpoints=endpoints or {})
        await self._keeper.keep(AREA, {id.hex(): msgspec.json.encode(saved)}, durable=True)
        one = await self._start(id, saved, new=True)
        for session in self._sessions.all():
            session.renew()
        self._changed(id)
        return one

    async def change(
        self, one: Kept, *, name: str | None = None, mode: str | None = None, paused: bool | None = None,
        excluded: tuple[str, ...] | None = None,
    ) -> None:
        saved = msgspec.structs.replace(
            one.saved, name=one.saved.name if name is None else check_name(name),
            mode=one.saved.mode if mode is None else mode, paused=one.saved.paused if paused is None else paused,
            excluded=one.saved.excluded if excluded is None else excluded)
        await self._save(one, saved)
        folder = one.folder
        if paused is not None:
            folder.pause(paused)
        if mode is not None or excluded is not None:
            folder.mode, folder.excluded = saved.mode, saved.excluded
            await folder.call(folder.renew_policy)
        self._changed(folder.id)

    async def move(self, one: Kept, path: Path) -> Kept:
        """To another place: it was moved there already, or is moved now. Raises UsageError, StorageError."""
        id = one.folder.id
        await self._stop(one)
        try:
            place = await self._threads.run(self._check_path, path)
            await self._threads.run(_moved, Path(one.saved.path), place, id)
        except WildbachError:
            await self._start(id, one.saved)
            raise
        saved = msgspec.structs.replace(one.saved, path=str(place))
        await self._keeper.keep(AREA, {id.hex(): msgspec.json.encode(saved)}, durable=True)
        made = await self._start(id, saved)
        for session in self._sessions.all():
            session.renew()
        return made

    async def leave(self, one: Kept) -> None:
        """Keep it the same no longer. Files stay."""
        id = one.folder.id
        await self._stop(one)
        await self._keeper.keep(AREA, {id.hex(): None}, durable=True)

        def remove() -> None:
            for end in (".db", ".db-wal", ".db-shm"):
                self._shelf.remove(id.hex() + end)
            with contextlib.suppress(OSError):
                os.unlink(Path(one.saved.path) / ".wildbach" / "id")

        await self._threads.run(remove)
        for session in self._sessions.all():
            session.renew()
        self._changed(id)

    async def rename_device(self, name: str) -> None:
        self.name = check_name(name)
        await self._keeper.keep(AREA, {_SELF: self.name.encode()})

    async def _save(self, one: Kept, saved: Saved) -> None:
        one.saved = saved
        await self._keeper.keep(AREA, {one.folder.id.hex(): msgspec.json.encode(saved)})

    async def _keep_record(self, one: Kept, time: int) -> None:
        """For the next run. Where it cannot be written, whoever has seen the last record finds us a little later."""
        if time > one.saved.record:
            with contextlib.suppress(StorageError):
                await self._save(one, msgspec.structs.replace(one.saved, record=time))

    def _remember(self, one: Kept, parted: DeviceId) -> None:
        """Where devices were met, for the next start, and when: with one of them it was until now."""
        if one.finder is None or one.folder.id not in self._folders:
            return
        saved = self._remembered(one, (parted, *one.folder.links))
        if saved != one.saved and not self._scope.closed:
            self._scope.spawn("remember", self._save(one, saved), contain=self._report)

    def _remembered(self, one: Kept, met: Iterable[DeviceId]) -> Saved:
        found = one.finder.remembered() if one.finder is not None else {}
        return msgspec.structs.replace(
            one.saved,
            endpoints={name.hex(): tuple((at.host, at.port) for at in places)
                       for name, places in found.items() if places},
            seen={**one.saved.seen, **{device.hex(): int(self.wall()) for device in met}},
            record=max(one.saved.record, one.finder.record_time if one.finder is not None else 0))

    # -- links

    async def share(self, one: Kept, role: Role, seconds: float, *, reusable: bool) -> SyncLink:
        """Raises UsageError where this device is no owner."""
        membership = one.folder.membership
        if membership.role is not Role.OWNER:
            raise UsageError("only an owner's device makes links", code="not_owner")
        token = joins.new_token(secrets.token_bytes)
        now = self.wall()

        def make() -> Links:
            if reusable:
                membership.amend(Changes(open_links=((token, role),)), secrets.token_bytes)
                return one.links
            links = one.links.give(membership.view, role, token, now, seconds)
            one.folder.store.put_fact(_LINKS, links.pack())
            one.folder.store.commit()
            return links

        one.links = await one.folder.call(make)
        if reusable:
            await one.folder.call(one.folder.roster_changed)
        self._open_token(one, token)
        head = membership.view.heads[0]
        return SyncLink(
            one.folder.id, head, role, token, self.keys.public,
            tuple(self._ways.dialer.places() or self._ways.listening())[:4],
            0 if reusable else int(now + seconds))

    async def unshare(self, one: Kept, token_hash: bytes) -> None:
        membership = one.folder.membership

        def close() -> Links:
            if token_hash in membership.view.state.links:
                membership.amend(Changes(close_links=(token_hash,)), secrets.token_bytes)
                one.folder.roster_changed()
                return one.links
            links = one.links.withdraw(token_hash)
            one.folder.store.put_fact(_LINKS, links.pack())
            one.folder.store.commit()
            return links

        one.links = await one.folder.call(close)
        await self._close_token(token_hash)

    async def _admit(self, asking: Asking, token_hash: bytes) -> tuple[bytes, ...]:
        """Somebody came by a link: what it is given. Raises LinkRefused."""
        one = self._folders.get(self._open_tokens.get(token_hash, FolderId(bytes(32))))
        if one is None:
            raise LinkRefused(joins.Reason.UNKNOWN)
        membership = one.folder.membership

        def take() -> tuple[Links, Newcomer | None, tuple[bytes, ...]]:
            links, newcomer = one.links.redeem(
                membership.view, self.keys.id, asking, token_hash, self.wall())
            one.folder.store.put_fact(_LINKS, links.pack())
            one.folder.store.commit()
            if newcomer is not None:
                membership.amend(Changes(add=(newcomer,)), secrets.token_bytes)
                one.folder.roster_changed()
            return links, newcomer, membership.rosters.chain()

        one.links, newcomer, chain = await one.folder.call(take)
        if newcomer is not None:
            one.folder.happened("joined", asking.name)
        if token_hash not in membership.view.state.links:
            self._scope.spawn("close token", self._close_token(token_hash), contain=self._report)
        return chain

    async def join(self, text: str, path: Path, mode: str, told: Callable[[str], None]) -> Kept:
        """Wait for the device that gave the link, and join. `told`: what is going on, in words. Raises UsageError,
        FormatError where the link is refused, StorageError.
        """
        link = SyncLink.parse(text)
        if link.folder in self._folders:
            raise UsageError("this device has the folder already", code="joined")
        place = await self._threads.run(self._check_path, path)
        await self._threads.run(make_directory, place)
        token = link.token
        joiner = self._joiners[token.hash] = _Joiner(self, link)
        self._meetings.put(("join", token.hash), token.raw)
        beacon = sought.of_joiner(self.keys.public.signing, self.keys.sign, token.raw)
        finder = self._finder(joiner, beacon)
        self._join_finders.append(finder)
        key = "join " + token.hash.hex()
        try:
            finder.seek(sought.inviter(token.raw, token.hash, (link.inviter.signing,)), given=link.endpoints)
            self._ways.neighbours.add(key, (token.raw,), finder.near)
            finder.start()
            told("looking for the device that gave the link")
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(5.0):
                        await joiner.over.wait()
                    break
                told(finder.view()[0].reason)
        finally:
            self._joiners.pop(token.hash, None)
            self._meetings.drop(("join", token.hash))
            self._ways.neighbours.remove(key)
            self._join_finders.remove(finder)
            await finder.close()
        if joiner.error is not None:
            raise joiner.error
        joined = joiner.joined
        if joined is None:
            raise NetworkError("the device that gave the link was not met")
        # Where it was met first; where it was not, as through a relay, its own words may hold later.
        places = dict.fromkeys((*joiner.endpoints, *link.endpoints))
        endpoints = {link.inviter.id.hex(): tuple((at.host, at.port) for at in places)}
        return await self._adopt(joined.rosters.chain(), place, mode=mode, endpoints=endpoints)

    # -- members

    def device(self, one: Kept, word: str) -> DeviceId:
        """By its name or the beginning of its id. Raises UsageError."""
        members = one.folder.membership.view.state.members.values()
        return meant(
            word, ((each.id, each.id.hex(), (each.name,)) for each in members), f"{word!r} is no device of the folder",
            f"{word!r} is several devices of the folder: name one by its id")

    async def revoke(self, one: Kept, device: DeviceId) -> None:
        membership = one.folder.membership

        def take_out() -> None:
            cuts = membership.accepted_of((device,))
            membership.amend(Changes(remove=(device,), cuts=cuts), secrets.token_bytes)
            one.folder.roster_changed()

        await one.folder.call(take_out)

    async def set_role(self, one: Kept, device: DeviceId, role: Role) -> None:
        membership = one.folder.membership
        before = membership.view.member(device)

        def change() -> None:
            loses = before is not None and before.role.writes and not role.writes
            cuts = membership.accepted_of((device,)) if loses else {}
            membership.amend(Changes(roles={device: role}, cuts=cuts), secrets.token_bytes)
            one.folder.roster_changed()

        await one.folder.call(change)

    async def recover(self, one: Kept, words: str) -> None:
        """Become an owner with the recovery key. Raises UsageError."""
        recovery = RecoveryKey.of_words(words)
        successor = RecoveryKey(secrets.token_bytes(32))
        membership = one.folder.membership

        def take_over() -> None:
            membership.take_over(recovery, secrets.token_bytes, successor, self.name)
            membership.keep_recovery(" ".join(successor.words()))
            one.folder.roster_changed()

        await one.folder.call(take_over)


def joins_id(chain: Sequence[bytes]) -> bytes:
    """The id of the folder whose first roster a chain begins with."""
    return roster_hash(chain[0])


def _moved(old: Path, new: Path, id: FolderId) -> None:
    """Raises UsageError, StorageError."""
    try:
        there = folder_at(new)
        if there == id:
            return
        if there is not None:
            raise UsageError(f"{new} is another folder that is or was kept the same", code="other_folder")
        if new.exists() and any(new.iterdir()):
            raise UsageError(f"{new} is not empty, and is not the folder", code="not_empty")
        if not old.exists():
            raise UsageError(f"the folder is neither at {old} nor at {new}", code="not_found")
        new.parent.mkdir(parents=True, exist_ok=True)
        if new.exists():
            new.rmdir()
        os.rename(old, new)
    except OSError as error:
        raise StorageError(
            f"{new}: {error.strerror}; to another disk, move it yourself and say then where it is", path=str(new),
            errno=error.errno or 0) from error


@dataclass(slots=True)
class _Members:
    """Takes connections that a folder's finder made."""

    service: SyncService
    folder: FolderId
    turns: dict[object, int] = field(default_factory=dict)
    "Calls to an endpoint, or by a relay to a device, since it was met: it may know older secrets only."

    async def take(self, found: Found) -> bool:
        service = self.service
        one = service._folders.get(self.folder)
        if one is None:
            found.connection.close()
            return False
        calls = found.name is None or service.keys.id < found.name
        names = (bytes(self.folder), *one.owed)
        if len(self.turns) > _TURNS:
            self.turns.clear()
        turn = self.turns[found.endpoint or found.name] = self.turns.get(found.endpoint or found.name, -1) + 1
        met = await service.shaken(found, ("folder", names[turn % len(names)]), calls=calls)
        # Two calls may be under way at once, as by a meeting and where it was met before.
        self.turns.pop(found.endpoint or found.name, None)
        session = await service._sessions.settle(met)
        if session is None:
            return False
        return found.name is None or one.folder.membership.by_exchange(session.exchange) == found.name


@dataclass(slots=True)
class _Inviter:
    """Takes connections to who knocks by a link: they call us by it, or we them."""

    service: SyncService
    token_hash: bytes

    async def take(self, found: Found) -> bool:
        met = await self.service.shaken(found, ("link", self.token_hash), calls=False)
        self.service._admissions.begin(met, self.token_hash)
        return True


class _Joiner:
    """Asks whoever is met by a link to be let in."""

    def __init__(self, service: SyncService, link: SyncLink) -> None:
        self._service = service
        self._link = link
        self._busy = asyncio.Lock()
        self.over = asyncio.Event()
        self.joined: Joined | None = None
        self.endpoints: list[Endpoint] = []
        self.error: WildbachError | None = None

    async def take(self, found: Found) -> bool:
        met = await self._service.shaken(found, ("join", self._link.token.hash), calls=True)
        return await self.met(met, found.endpoint)

    async def met(self, met: Met[Name], endpoint: Endpoint | None) -> bool:
        """Ask who is at the other end; one at a time. Raises NetworkError, RemoteError."""
        service = self._service
        async with self._busy:
            if self.over.is_set():
                met.connection.close()
                return True
            if met.opened.device != self._link.inviter.exchange:
                met.connection.close()
                raise RemoteError("another device than the one that gave the link")
            try:
                self.joined = await joining.ask(
                    met, self._link, service.keys, service.name, service._threads)
            except FormatError as error:
                self.error = error
            if endpoint is not None:
                self.endpoints.append(endpoint)
            self.over.set()
            return True
