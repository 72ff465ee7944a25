"""What happens to files when a followed torrent changes (BEP 46): real sessions, files and sockets on loopback."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from tests.folders import make_folder, make_torrent, same
from tests.interop.engines import complete, settings, until

from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.settings import DhtSettings, Settings
from wildbach.engine.torrent import Torrent
from wildbach.protocol.dht.items import public_key, signed
from wildbach.protocol.heads import value_of
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.magnet import MutableLink

SECRET = bytes(range(32))
LINK = MutableLink(public_key(SECRET))
SECONDS = 40.0


def chosen(*hubs: Session) -> Settings:
    bootstrap = tuple(str(hub.dht.endpoints[0]) for hub in hubs)
    return replace(settings(), dht=DhtSettings(bootstrap=bootstrap, follow_seconds=1.0))


def versions(tmp_path: Path, name: str = "tunes") -> tuple[Metainfo, Metainfo]:
    """Two torrents that share a large file; `old/` and `new/` have their content."""
    made = []
    for folder, small in (("old", {"a.txt": 70_000}), ("new", {"a.txt": 90_000, "b.txt": 5})):
        make_folder(tmp_path / folder, name if folder == "new" else "tunes", {"same.bin": 400_000}, seed=1)
        at = make_folder(tmp_path / folder, name if folder == "new" else "tunes", small, seed=len(folder) + len(small))
        made.append(make_torrent(at, "v1"))
    return made[0], made[1]


class Stage:
    """A node in the middle, a publisher, and a follower that has the old torrent."""

    def __init__(self, publisher: Session, follower: Session, tmp_path: Path) -> None:
        self.publisher = publisher
        self.follower = follower
        self.folder = tmp_path

    async def give(self, metainfo: Metainfo, folder: str, seq: int) -> None:
        await complete(await self.publisher.add(
            metainfo, AddOptions(save_path=self.folder / folder, seed_only=True)
        ))
        await self.publisher.dht.put(signed(SECRET, value_of(metainfo.info.hashes), seq))

    async def follow(self, old: Metainfo, **options: object) -> Torrent:
        await self.give(old, "old", 1)
        peers = (self.publisher.listening[0],)
        asked = AddOptions(save_path=self.folder / "out", peers=peers, **options)  # type: ignore[arg-type]
        torrent = await self.follower.add(LINK, asked)
        await complete(torrent)
        return torrent


def run(tmp_path: Path, old: Metainfo, new: Metainfo, **options: object) -> list[Torrent]:
    """Follow, prepare with files of the follower's own, and publish the new one. The torrents of the follower then."""
    out: list[Torrent] = []

    async def main() -> None:
        async with (
            asyncio.timeout(SECONDS), Session(replace(settings(), dht=DhtSettings(bootstrap=()))) as hub,
            Session(chosen(hub)) as publisher, Session(chosen(hub), data_dir=tmp_path / "state") as follower,
        ):
            stage = Stage(publisher, follower, tmp_path)
            await stage.follow(old, **options)
            for name, raw in {"out/tunes/mine.txt": b"mine", **_foreign(tmp_path)}.items():
                (tmp_path / name).parent.mkdir(exist_ok=True)
                (tmp_path / name).write_bytes(raw)
            await stage.give(new, "new", 2)
            await until(lambda: follower.mutables.followed[0].seq == 2, SECONDS, lambda: follower.mutables.followed)
            for torrent in follower.torrents:
                if torrent.state != "stopped":
                    await complete(torrent)
            out.extend(follower.torrents)
            assert [session.internal_errors for session in (hub, publisher, follower)] == [0, 0, 0]

    asyncio.run(main())
    return out


def _foreign(tmp_path: Path) -> dict[str, bytes]:
    """Files that are written at the follower before the update, as a test has left them in `foreign/`."""
    folder = tmp_path / "foreign"
    return {f"out/{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_update_takes_over_the_files_in_place_and_leaves_those_of_others(tmp_path: Path) -> None:
    old, new = versions(tmp_path)
    (torrent,) = run(tmp_path, old, new)
    assert torrent.key == new.info.hashes.key
    assert same(tmp_path / "new" / "tunes", tmp_path / "out" / "tunes") == ["only in one: mine.txt"]
    assert torrent.view().downloaded < 300_000


def test_an_update_of_another_name_copies_what_it_can(tmp_path: Path) -> None:
    old, new = versions(tmp_path, "songs")
    (torrent,) = run(tmp_path, old, new)
    assert torrent.key == new.info.hashes.key
    assert same(tmp_path / "new" / "songs", tmp_path / "out" / "songs") == []
    assert torrent.view().downloaded < 300_000
    assert (tmp_path / "out" / "tunes" / "mine.txt").read_bytes() == b"mine"


def test_an_update_never_overwrites_a_file_that_was_not_the_publishers(tmp_path: Path) -> None:
    old, new = versions(tmp_path)
    (tmp_path / "foreign" / "tunes").mkdir(parents=True)
    (tmp_path / "foreign" / "tunes" / "b.txt").write_bytes(b"my own notes")
    first, second = run(tmp_path, old, new)
    assert (first.key, second.key) == (old.info.hashes.key, new.info.hashes.key)
    assert second.code == "target_exists" and "b.txt" in second.reason
    assert (tmp_path / "out" / "tunes" / "b.txt").read_bytes() == b"my own notes"
    assert (tmp_path / "out" / "tunes" / "a.txt").read_bytes() == (tmp_path / "old" / "tunes" / "a.txt").read_bytes()


def test_who_asked_for_it_has_files_overwritten(tmp_path: Path) -> None:
    old, new = versions(tmp_path)
    (tmp_path / "foreign" / "tunes").mkdir(parents=True)
    (tmp_path / "foreign" / "tunes" / "b.txt").write_bytes(b"my own notes")
    (torrent,) = run(tmp_path, old, new, existing="overwrite")
    assert torrent.key == new.info.hashes.key
    assert same(tmp_path / "new" / "tunes", tmp_path / "out" / "tunes") == ["only in one: mine.txt"]
