"""The keys that sites, channels and torrents are published under: copies, recovery keys, and others in their place."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Protocol

from wildbach.base.errors import UsageError
from wildbach.base.ids import InfoHashes
from wildbach.disk.keys import KeyFacts, Keys
from wildbach.engine.mutable import Rotated
from wildbach.interfaces.api import keymodels as km
from wildbach.interfaces.api.core import Core
from wildbach.protocol import keyfile
from wildbach.protocol.dht import items
from wildbach.protocol.metainfo import Magnet
from wildbach.runtime.workers import Threads


class Rotates(Protocol):
    """Puts another key in the place of one; a session's `mutables`."""

    async def rotate(self, key: str, *, recovery: bytes, good: Mapping[bytes, InfoHashes]) -> Rotated: ...


class Keyring:
    """The keys of a data directory, with or without a daemon. `rotates` is None without one: it takes the DHT.
    `wall`: seconds since 1970.
    """

    def __init__(self, keys: Keys, threads: Threads, rotates: Rotates | None, wall: Callable[[], float]) -> None:
        self._keys = keys
        self._threads = threads
        self._rotates = rotates
        self._wall = wall

    async def publishing_keys(self) -> km.PublishingKeys:
        return km.PublishingKeys(tuple(map(_model, await self._threads.run(self._keys.all_facts))))

    async def make_publishing_key(self, request: km.PublishingKeyRequest) -> km.PublishingKey:
        return _model(await self._threads.run(self._keys.create, request.name))

    async def export_publishing_key(self, name: str, request: km.KeyExport) -> km.KeyFile:
        copy = await self._threads.run(self._keys.copy, name)
        sealed = await self._threads.run(
            keyfile.seal, copy, request.passphrase, secrets.token_bytes(16), secrets.token_bytes(12))
        await self._threads.run(self._keys.exported, name, int(self._wall()))
        return km.KeyFile(sealed)

    async def import_publishing_key(self, request: km.KeyImport) -> km.PublishingKey:
        copy = await self._threads.run(keyfile.unseal, request.text, request.passphrase)
        return _model(await self._threads.run(self._keys.add, copy, request.name))

    async def recovery_words(self, name: str, request: km.RecoveryWish) -> km.RecoveryWords:
        if request.make:
            return km.RecoveryWords(keyfile.to_words(await self._threads.run(self._keys.add_recovery, name)))
        facts = await self._threads.run(self._keys.facts, name)
        secret = await self._threads.run(self._keys.recovery, name)
        if secret is None:
            raise UsageError(
                f"the recovery key of {name} was erased from here" if facts.recovery else
                f"the key {name} has no recovery key yet", code="recovery_needed",
            )
        return km.RecoveryWords(keyfile.to_words(secret))

    async def erase_recovery(self, name: str, request: km.RecoveryWords) -> km.PublishingKey:
        facts = await self._threads.run(self._keys.facts, name)
        if items.public_key(keyfile.of_words(request.words)).hex() != facts.recovery:
            raise UsageError(f"this is not the recovery key of {name}, so nothing was erased", code="wrong_recovery")
        await self._threads.run(self._keys.erase_recovery, name)
        return _model(await self._threads.run(self._keys.facts, name))

    async def rotate_publishing_key(self, name: str, request: km.KeyRotation) -> km.KeyRotated:
        if self._rotates is None:
            raise UsageError("a key gives way to another through the DHT: that takes a daemon", code="no_daemon")
        recovery = keyfile.of_words(request.words) if request.words else b""
        good = {_salt(one.salt): Magnet.parse(one.infohash).hashes for one in request.good}
        done = await self._rotates.rotate(name, recovery=recovery, good=good)
        return km.KeyRotated(
            _model(await self._threads.run(self._keys.facts, name)), done.former.hex(),
            tuple(link.to_uri() for link in done.links),
            tuple(km.GoodHead(hashes.key, salt.hex()) for salt, hashes in done.good.items()), done.nodes,
            done.confirmed, tuple(salt.hex() for salt in done.unpublished),
        )


class Keeping:
    """A part of the Api."""

    core: Core
    keyring: Keyring

    async def publishing_keys(self) -> km.PublishingKeys:
        return await self.keyring.publishing_keys()

    async def make_publishing_key(self, request: km.PublishingKeyRequest) -> km.PublishingKey:
        return await self.keyring.make_publishing_key(request)

    async def export_publishing_key(self, name: str, request: km.KeyExport) -> km.KeyFile:
        return await self.keyring.export_publishing_key(name, request)

    async def import_publishing_key(self, request: km.KeyImport) -> km.PublishingKey:
        return await self.keyring.import_publishing_key(request)

    async def recovery_words(self, name: str, request: km.RecoveryWish) -> km.RecoveryWords:
        return await self.keyring.recovery_words(name, request)

    async def erase_recovery(self, name: str, request: km.RecoveryWords) -> km.PublishingKey:
        return await self.keyring.erase_recovery(name, request)

    async def rotate_publishing_key(self, name: str, request: km.KeyRotation) -> km.KeyRotated:
        if not self.core.settings.dht.enabled:
            raise UsageError("a key is replaced by way of the DHT, which is off: set dht.enabled", code="no_dht")
        return await self.keyring.rotate_publishing_key(name, request)


def _model(facts: KeyFacts) -> km.PublishingKey:
    return km.PublishingKey(**asdict(facts))


def _salt(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise UsageError("a salt is in hex digits") from None
