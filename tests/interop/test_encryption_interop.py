"""Encrypted connections with programs that were not written here, whose settings permit nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.interop.engines import address, running, settings
from tests.interop.peers import aria2, lt, transmission, wb
from tests.interop.peers.content import PIECE, digest_tree, make_tree

from wildbach.base.ids import Endpoint
from wildbach.engine.options import AddOptions

pytestmark = pytest.mark.skipif(lt.MISSING is not None, reason=str(lt.MISSING))
LEVELS = {"rc4": 2, "plain": 1}
"libtorrent's `allowed_enc_level` for what follows the handshake."


def forced(level: str) -> dict[str, object]:
    return {"in_enc_policy": 0, "out_enc_policy": 0, "allowed_enc_level": LEVELS[level], "prefer_rc4": level == "rc4"}


CASES = [(level, kind) for level in LEVELS for kind in ("v1", "v2")]


@pytest.mark.foreign("libtorrent")
@pytest.mark.parametrize(("level", "kind"), CASES)
def test_an_encrypted_libtorrent_seed_is_fetched_from(level: str, kind: str, tmp_path: Path) -> None:
    content = make_tree(tmp_path / "seed" / "content")
    torrent = lt.make_torrent(content, tmp_path / "t.torrent", kind, piece_length=PIECE)

    async def main() -> None:
        with lt.Libtorrent(tmp_path / "lt", forced(level)) as other:
            other.seed(torrent, content.parent)
            async with running(settings(encryption="require", close_redundant=False)) as session:
                ours = await session.add(torrent, AddOptions(
                    save_path=tmp_path / "out", peers=(Endpoint(*other.endpoint),)))
                async with asyncio.timeout(60):
                    await ours.complete()
                kinds = {peer.kind for peer in ours.peers()}
                assert kinds <= {"tcp+rc4" if level == "rc4" else "tcp+handshake"}
        assert digest_tree(tmp_path / "out" / "content") == digest_tree(content)

    asyncio.run(main())


@pytest.mark.foreign("libtorrent")
@pytest.mark.parametrize(("level", "kind"), CASES)
def test_an_encrypted_libtorrent_fetches_from_us(level: str, kind: str, tmp_path: Path) -> None:
    content = make_tree(tmp_path / "seed" / "content")
    torrent = lt.make_torrent(content, tmp_path / "t.torrent", kind, piece_length=PIECE)

    async def main() -> None:
        with lt.Libtorrent(tmp_path / "lt", forced(level)) as other:
            async with running(settings(encryption="require")) as session:
                ours = await session.add(torrent, AddOptions(save_path=content.parent))
                await ours.complete()
                (tmp_path / "out").mkdir()
                at = address(session)
                other.leech(torrent, tmp_path / "out", [(at.host, at.port)])
                await asyncio.to_thread(other.wait_complete)
        assert digest_tree(tmp_path / "out" / "content") == digest_tree(content)

    asyncio.run(main())


@pytest.mark.foreign("libtorrent")
def test_who_is_not_encrypted_is_called_again_in_plain_words(tmp_path: Path) -> None:
    content = make_tree(tmp_path / "seed" / "content")
    torrent = lt.make_torrent(content, tmp_path / "t.torrent", "v1", piece_length=PIECE)

    async def main() -> None:
        for policy in ({"in_enc_policy": 2, "out_enc_policy": 2}, forced("rc4")):
            with lt.Libtorrent(tmp_path / "lt", policy) as other:
                other.seed(torrent, content.parent)
                async with running(settings(encryption="prefer")) as session:
                    out = tmp_path / str(policy["in_enc_policy"])
                    ours = await session.add(torrent, AddOptions(save_path=out, peers=(Endpoint(*other.endpoint),)))
                    async with asyncio.timeout(60):
                        await ours.complete()
            assert digest_tree(out / "content") == digest_tree(content)

    asyncio.run(main())


@pytest.mark.foreign("transmission")
@pytest.mark.skipif(transmission.MISSING is not None, reason=str(transmission.MISSING))
def test_a_transmission_that_requires_encryption_is_fetched_from(tmp_path: Path) -> None:
    content = make_tree(tmp_path / "seed" / "content")
    torrent = lt.make_torrent(content, tmp_path / "t.torrent", "v1", piece_length=PIECE)

    async def main() -> None:
        with transmission.Transmission(tmp_path / "tr", {"encryption": 2}) as other:
            other.seed(torrent, content.parent)
            async with running(settings(encryption="require")) as session:
                ours = await session.add(torrent, AddOptions(
                    save_path=tmp_path / "out", peers=(Endpoint(*other.endpoint),)))
                async with asyncio.timeout(60):
                    await ours.complete()
        assert digest_tree(tmp_path / "out" / "content", empty=False) == digest_tree(content, empty=False)

    asyncio.run(main())


@pytest.mark.foreign("transmission")
@pytest.mark.slow
@pytest.mark.skipif(transmission.MISSING is not None, reason=str(transmission.MISSING))
def test_a_transmission_that_requires_encryption_fetches_from_us(tmp_path: Path) -> None:
    """It never dials loopback addresses: we call it."""
    content = make_tree(tmp_path / "seed" / "content")
    torrent = lt.make_torrent(content, tmp_path / "t.torrent", "v1", piece_length=PIECE)

    async def main() -> None:
        with transmission.Transmission(tmp_path / "tr", {"encryption": 2}) as other:
            (tmp_path / "out").mkdir()
            other.leech(torrent, tmp_path / "out")
            async with running(settings(encryption="require")) as session:
                ours = await session.add(torrent, AddOptions(
                    save_path=content.parent, peers=(Endpoint(*other.endpoint),)))
                await ours.complete()
                await asyncio.to_thread(other.wait_complete)
        assert digest_tree(tmp_path / "out" / "content", empty=False) == digest_tree(content, empty=False)

    asyncio.run(main())


ARC4 = ("--bt-require-crypto=true", "--bt-min-crypto-level=arc4", "--bt-force-encryption=true")


@pytest.mark.foreign("aria2")
@pytest.mark.skipif(aria2.MISSING is not None, reason=str(aria2.MISSING))
@pytest.mark.parametrize("way", ["from", "to"])
def test_an_aria2_that_requires_rc4(way: str, tmp_path: Path) -> None:
    content = make_tree(tmp_path / "seed" / "content")
    with wb.Tracker() as tracker, aria2.Aria2(tmp_path / "aria2", ARC4) as other:
        torrent = lt.make_torrent(
            content, tmp_path / "t.torrent", "v1", piece_length=PIECE, trackers=[tracker.http])
        out = tmp_path / "out"
        out.mkdir()

        async def main() -> None:
            async with running(settings(encryption="require")) as session:
                if way == "from":
                    other.seed(torrent, content.parent)
                    ours = await session.add(torrent, AddOptions(
                        save_path=out, peers=(Endpoint(*other.endpoint),)))
                    async with asyncio.timeout(60):
                        await ours.complete()
                    return
                ours = await session.add(torrent, AddOptions(save_path=content.parent))
                await ours.complete()
                await asyncio.to_thread(tracker.wait_for, 1)
                other.leech(torrent, out)
                await asyncio.to_thread(other.wait_complete)

        asyncio.run(main())
        assert digest_tree(out / "content") == digest_tree(content)
