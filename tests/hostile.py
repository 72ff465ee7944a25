"""A member of a synced folder that has keys and secrets, and says what it likes to a real client. For tests.

Its Noise, channels and messages are the product's, over TCP on loopback; what is in the messages is up to the test.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

from wildbach.base.ids import DeviceId
from wildbach.engine.contents import ContentId, Contents, piece_length_for
from wildbach.interfaces.api.local import LocalApi
from wildbach.net.meeting import Meeting
from wildbach.net.mux import Channel, Mux
from wildbach.net.tcp import TcpTransport
from wildbach.protocol import bencode, layers
from wildbach.protocol.peer_id import new_peer_id
from wildbach.protocol.sync import messages, proofs, writing
from wildbach.protocol.sync.devices import DeviceKeys
from wildbach.protocol.sync.entries import Entry, EntryKind
from wildbach.protocol.sync.messages import Bundle, Bundled, Entries, Hello, Index, Message
from wildbach.protocol.sync.opening import Caller, Secrets
from wildbach.protocol.sync.roster import Role
from wildbach.protocol.sync.secrets import ReadSecret
from wildbach.protocol.sync.vectors import VersionVector
from wildbach.protocol.sync.writing import Changes, Newcomer
from wildbach.services.sync.folder import Folder
from wildbach.services.sync.session import BUNDLE, CONTENT


def root_of(content: bytes) -> bytes:
    return layers.file_root(layers.leaf_hashes(content))


class _Stream:
    """Whole messages on a channel of our own, or of theirs that asks for files of ours."""

    def __init__(self, member: Member, channel: Channel) -> None:
        self.missing = 0
        self.got: list[Message | None] = []
        self.over = False
        self._member = member
        self._channel = channel
        channel.start(self)

    def received(self, data: memoryview) -> int:
        used = 0
        while len(data) - used >= 4 and len(data) - used - 4 >= (
                size := int.from_bytes(data[used : used + 4], "big")):
            message = messages.decode(bytes(data[used + 4 : used + 4 + size]))
            self.got.append(message)
            if isinstance(message, Bundled):
                self._member.asked += 1
            if isinstance(message, Bundled) and not self._member.silent:
                self.say(self._member.answer(message))
            used += 4 + size
        return used

    def say(self, message: Message) -> None:
        self.raw(messages.encode(message))

    def raw(self, payload: bytes) -> None:
        self._channel.send(len(payload).to_bytes(4, "big") + payload)

    def drained(self) -> None:
        pass

    def closed(self, error: Exception | None) -> None:
        self.over = True


class Member:
    """See above. A `net.mux.MuxOwner`."""

    def __init__(self, name: str, api: LocalApi, folder: Folder) -> None:
        self.name = name
        self.keys = DeviceKeys(hashlib.sha256(name.encode()).digest())
        self.heard: list[Message] = []
        self.files: dict[bytes, bytes] = {}
        "Contents that it has, by root."
        self.mux: Mux
        self.tag = b""
        self.over = True
        self.silent = False
        "It does not answer."
        self.asked = 0
        self.rows = 0
        self.contents: Contents | None = None
        "Large contents that it has."
        self.index = hashlib.sha256(name.encode() + b"index").digest()[:8]
        self._api = api
        self._folder = folder
        self._random = Random(name)
        self._numbers = iter(range(1_800_000_000_000, 1 << 62))
        self.secret: ReadSecret

    @property
    def id(self) -> DeviceId:
        return self.keys.id

    async def listed(self, role: Role) -> Member:
        """The folder's owner takes it in."""
        folder, membership = self._folder, self._folder.membership

        def take() -> None:
            link = hashlib.sha256(self.name.encode() + b"link").digest()
            membership.amend(
                Changes(add=(Newcomer(self.keys.public, role, self.name, link),)), self._random.randbytes)
            folder.roster_changed()

        await folder.call(take)
        self.learn()
        return self

    def learn(self) -> None:
        """What it can open of the secrets in the rosters."""
        held = writing.held(self._folder.membership.rosters, self.keys)
        secret = held.reads.get(self._folder.membership.view.state.commit)
        if secret is not None:
            self.secret = secret

    async def met(self) -> Member:
        """Connected, by the secret that it knows; both speak of the folder where the other side lets it."""
        connection = await TcpTransport().dial(self._api.core.session.listening[0])
        keys = Secrets[str]().put("secret", self.secret.store.raw)
        meeting = Meeting(connection, Caller("secret", keys, self.keys.static, new_peer_id(self._random)))
        found = await meeting.over()
        self.heard.clear()
        self.rows, self.over = 0, False
        hash = found.opened.hash
        self.mux = Mux(found.connection, found.opened.initiator, self)
        self.tag = proofs.tag(self.secret.store.cfg, hash)
        said = [proofs.proof(key, hash, initiator=True) for key in (self.secret.store.cfg, self.secret.cfg)]
        self.say(Hello(proofs.padded(said, self._random.randbytes), self.name, "hostile"))
        return self

    async def ready(self) -> Member:
        """Connected, and the other side has said how far it knows our index."""
        await self.met()
        await until(lambda: self.over or any(isinstance(each, Index) for each in self.heard))
        assert not self.over
        return self

    def close(self) -> None:
        if not self.over:
            self.mux.close()

    # -- what it says

    def say(self, *said: Message) -> None:
        for each in said:
            self.raw(messages.encode(each))

    def raw(self, payload: bytes) -> None:
        self.mux.send(payload)

    def claim(self, rows: int, peer_last: int = 0, peer_index: bytes = bytes(8)) -> None:
        self.say(Index(self.tag, self.index, rows, peer_index, peer_last))

    def tell(self, *entries: Entry | bytes, whole: bool = True) -> None:
        """Rows of its index that follow those before."""
        raw = tuple(each if isinstance(each, bytes) else each.pack() for each in entries)
        known = 0 if self.rows else next((
            each.peer_last for each in self.heard if isinstance(each, Index) and each.peer_index == self.index), 0)
        after = max(self.rows, known)
        self.rows = after + max(1, len(raw))
        self.claim(self.rows)
        self.say(Entries(self.tag, after, self.rows, raw, whole))

    def entry(
        self, path: str, content: bytes = b"evil", *, author: DeviceId | None = None, signer: DeviceKeys | None = None,
        **other: object,
    ) -> Entry:
        """Signed; `other` are fields that are set to something."""
        number = next(self._numbers)
        who = author if author is not None else self.id
        made = Entry(
            path, EntryKind.FILE, len(content), number, False, root_of(content) if content else b"", "",
            hashlib.sha256(path.encode()).digest()[:16], VersionVector({who: number}), False, who,
            self._folder.membership.epoch, number)
        self.files[made.root] = content
        made = replace(made, **other)  # type: ignore[arg-type]  # fields of an entry
        return made.sign(self._folder.id, (signer or self.keys).signing)

    def bundles(self) -> _Stream:
        return _Stream(self, self.mux.open(bencode.encode({b"t": BUNDLE, b"f": self.tag})))

    def content(self, root: bytes, size: int) -> Channel:
        return self.mux.open(bencode.encode({b"t": CONTENT, b"f": self.tag, b"r": root, b"s": size}))

    def answer(self, asked: Bundled) -> Bundle:
        """To be replaced by worse."""
        found = (self.files.get(root, b"") for root, _ in asked.files)
        return Bundle(asked.number, tuple(
            raw if len(raw) == size else b"" for raw, (_, size) in zip(found, asked.files, strict=True)))

    # -- MuxOwner

    def message(self, payload: bytes) -> None:
        said = messages.decode(payload)
        if said is not None:
            self.heard.append(said)

    def opened(self, channel: Channel, request: bytes) -> bool:
        wanted = bencode.decode(request)
        if isinstance(wanted, dict) and wanted[b"t"] == BUNDLE:
            _Stream(self, channel)
            return True
        if isinstance(wanted, dict) and self.contents is not None:
            root, size = wanted[b"r"], wanted[b"s"]
            assert isinstance(root, bytes) and isinstance(size, int)
            return self.contents.attach(ContentId(root, size, piece_length_for(size)), channel)
        return False

    def drained(self) -> None:
        pass

    def closed(self, error: Exception | None) -> None:
        self.over = True


def inside(folder: Path) -> dict[str, bytes | str]:
    """All that lies in a directory, but for what wildbach keeps there; links as where they point."""
    return {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.relative_to(folder).parts[0] != ".wildbach" and (path.is_symlink() or path.is_file())}


async def until(ready: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not ready():
            await asyncio.sleep(0.02)
