"""The keys of publishers through the Api: copies, recovery keys, others in their place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from wildbach.base.errors import FormatError, UsageError
from wildbach.base.ids import InfoHashes
from wildbach.disk.keys import Keys
from wildbach.engine.mutable import Rotated
from wildbach.interfaces.api import keymodels as km
from wildbach.interfaces.api.keeping import Keyring
from wildbach.protocol import keyfile
from wildbach.protocol.dht.items import public_key
from wildbach.protocol.metainfo import MutableLink
from wildbach.runtime.workers import Threads

GOOD = InfoHashes(bytes(20))


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyfile, "_COST", 4)


class Session:
    """Rotates as a session does, without a DHT."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self.given: list[tuple[bytes, Mapping[bytes, InfoHashes]]] = []

    async def rotate(self, key: str, *, recovery: bytes, good: Mapping[bytes, InfoHashes]) -> Rotated:
        self.given.append((recovery, good))
        former = public_key(self.keys.get(key))
        now = self.keys.take_next(key)
        return Rotated(
            former, bytes.fromhex(now.public), bytes.fromhex(now.recovery),
            (MutableLink(bytes.fromhex(now.public), b"wb-ch"),), good, 5, True, (b"wb-ch",))


def tell(folder: Path, story: Callable[[Keyring, Session], Awaitable[None]], *, daemon: bool = True) -> None:
    keys, threads = Keys(folder), Threads(1)
    session = Session(keys)
    try:
        asyncio.run(_run(story, Keyring(keys, threads, session if daemon else None, lambda: 1_800_000_000.5), session))
    finally:
        threads.close()


async def _run(story: Callable[[Keyring, Session], Awaitable[None]], ring: Keyring, session: Session) -> None:
    await story(ring, session)


def test_a_key_is_made_copied_and_taken_on_elsewhere(tmp_path: Path) -> None:
    copies: list[tuple[km.PublishingKey, str]] = []

    async def here(ring: Keyring, _: Session) -> None:
        made = await ring.make_publishing_key(km.PublishingKeyRequest("blog"))
        file = await ring.export_publishing_key("blog", km.KeyExport("a passphrase"))
        (listed,) = (await ring.publishing_keys()).keys
        assert (listed.exported_at, made.exported_at, listed.public) == (1_800_000_000, 0, made.public)
        copies.append((made, file.text))

    async def there(ring: Keyring, _: Session) -> None:
        made, text = copies[0]
        with pytest.raises(UsageError) as caught:
            await ring.import_publishing_key(km.KeyImport(text, "another"))
        assert caught.value.code == "wrong_passphrase" and (await ring.publishing_keys()).keys == ()
        with pytest.raises(FormatError):
            await ring.import_publishing_key(km.KeyImport("nonsense", "x"))
        taken = await ring.import_publishing_key(km.KeyImport(text, "a passphrase", "weblog"))
        assert (taken.name, taken.public, taken.recovery, taken.recovery_here) == (
            "weblog", made.public, made.recovery, False)

    tell(tmp_path / "here", here)
    tell(tmp_path / "there", there, daemon=False)


def test_a_recovery_key_is_erased_only_by_who_has_written_it_down(tmp_path: Path) -> None:
    async def story(ring: Keyring, _: Session) -> None:
        await ring.make_publishing_key(km.PublishingKeyRequest("blog"))
        words = (await ring.recovery_words("blog", km.RecoveryWish())).words
        for wrong, code in ((keyfile.to_words(bytes(32)), "wrong_recovery"), (words[:-1], "wrong_words")):
            with pytest.raises(UsageError) as caught:
                await ring.erase_recovery("blog", km.RecoveryWords(wrong))
            assert caught.value.code == code
        assert (await ring.recovery_words("blog", km.RecoveryWish())).words == words
        assert not (await ring.erase_recovery("blog", km.RecoveryWords(words.upper()))).recovery_here
        with pytest.raises(UsageError) as caught:
            await ring.recovery_words("blog", km.RecoveryWish())
        assert caught.value.code == "recovery_needed"
        with pytest.raises(UsageError) as caught:
            await ring.recovery_words("blog", km.RecoveryWish(make=True))
        assert caught.value.code == "has_recovery"

    tell(tmp_path, story)


def test_a_rotation_takes_the_words_and_the_last_good_torrents(tmp_path: Path) -> None:
    async def story(ring: Keyring, session: Session) -> None:
        made = await ring.make_publishing_key(km.PublishingKeyRequest("blog"))
        done = await ring.rotate_publishing_key("blog", km.KeyRotation(
            keyfile.to_words(bytes(32)), (km.GoodHead("00" * 20, b"wb-ch".hex()),)))
        assert session.given == [(bytes(32), {b"wb-ch": GOOD})]
        assert (done.former, done.key.public != made.public, done.nodes) == (made.public, True, 5)
        assert done.good == (km.GoodHead("00" * 20, b"wb-ch".hex()),) and done.unpublished == (b"wb-ch".hex(),)
        assert [key.name for key in (await ring.publishing_keys()).keys] == ["blog", "blog.former-1"]
        for odd in (km.KeyRotation("nonsense"), km.KeyRotation(good=(km.GoodHead("00" * 20, "zz"),))):
            with pytest.raises(UsageError):
                await ring.rotate_publishing_key("blog", odd)
        with pytest.raises(FormatError):
            await ring.rotate_publishing_key("blog", km.KeyRotation(good=(km.GoodHead("nonsense"),)))
        assert len(session.given) == 1

    tell(tmp_path, story)


def test_without_a_daemon_nothing_is_rotated(tmp_path: Path) -> None:
    async def story(ring: Keyring, _: Session) -> None:
        await ring.make_publishing_key(km.PublishingKeyRequest("blog"))
        with pytest.raises(UsageError) as caught:
            await ring.rotate_publishing_key("blog", km.KeyRotation())
        assert caught.value.code == "no_daemon"

    tell(tmp_path, story, daemon=False)


@pytest.mark.parametrize("name", ["nobody", "../x", ""])
def test_a_key_that_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    async def story(ring: Keyring, _: Session) -> None:
        for work in (
            ring.export_publishing_key(name, km.KeyExport("x")), ring.recovery_words(name, km.RecoveryWish()),
            ring.recovery_words(name, km.RecoveryWish(make=True)),
        ):
            with pytest.raises(UsageError):
                await work

    tell(tmp_path, story)
