"""Torrent files at the URLs of a magnet link: which are asked again, which are not, and what is believed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tests.folders import make_torrent

from wildbach.base.addresses import Reach
from wildbach.base.errors import LimitError, NetworkError
from wildbach.base.ids import InfoHashes
from wildbach.engine import exactsource
from wildbach.net.http import Response
from wildbach.net.resolve import ForbiddenURL, Purpose
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.runtime.workers import Threads

Answer = bytes | int | Exception


class Web:
    """Answers in order for each URL; the last one for ever."""

    def __init__(self, **answers: list[Answer]) -> None:
        self._answers = {name: iter(given) for name, given in answers.items()}
        self.asked: list[str] = []

    async def fetch(self, url: str, *, purpose: Purpose, limit: int, seconds: float) -> Response:
        self.asked.append(url)
        assert purpose is Purpose.WEB_SEED
        answer = next(self._answers[url], NetworkError("no more"))
        if isinstance(answer, Exception):
            raise answer
        status, body = (answer, b"") if isinstance(answer, int) else (200, answer)
        return Response(status, url, {}, body, Reach.GLOBAL)


class Torrent:
    def __init__(self, hashes: InfoHashes, rounds: int = 3) -> None:
        self.hashes = hashes
        self.open_to_peers = True
        self.found: Metainfo | None = None
        self.waited: list[float] = []
        self._rounds = rounds

    async def metadata_within(self, seconds: float) -> bool:
        """Peers have given it after some rounds."""
        self.waited.append(seconds)
        return len(self.waited) >= self._rounds

    def torrent_file_found(self, found: Metainfo) -> None:
        self.found = found


def got(torrent: Torrent, wanted: Metainfo) -> bool:
    return torrent.found is not None and torrent.found.info.raw == wanted.info.raw


@pytest.fixture
def threads() -> Iterator[Threads]:
    made = Threads(1)
    yield made
    made.close()


@pytest.fixture
def wanted(tmp_path: Any) -> Metainfo:
    (tmp_path / "a").write_bytes(b"a" * 100_000)
    return make_torrent(tmp_path, "hybrid")


def look(torrent: Torrent, web: Web, threads: Threads, *urls: str) -> None:
    asyncio.run(exactsource.look(torrent, urls, web, threads))  # type: ignore[arg-type]  # the little that is used


def test_the_first_file_with_our_hash_is_taken(wanted: Metainfo, threads: Threads, tmp_path: Any) -> None:
    (tmp_path / "a").write_bytes(b"b" * 100_000)
    other = make_torrent(tmp_path, "hybrid")
    torrent = Torrent(wanted.info.hashes)
    web = Web(one=[other.to_bytes()], two=[wanted.to_bytes()], three=[500])
    look(torrent, web, threads, "one", "two", "two", "three")
    assert got(torrent, wanted) and web.asked == ["one", "two"] and not torrent.waited


@pytest.mark.parametrize("answer", [404, b"<html>", LimitError("long"), ForbiddenURL("no"), b"d4:infod4:name1:aee"])
def test_what_cannot_become_a_torrent_file_is_not_asked_again(
    wanted: Metainfo, threads: Threads, answer: Answer,
) -> None:
    torrent, web = Torrent(wanted.info.hashes), Web(one=[answer, wanted.to_bytes()])
    look(torrent, web, threads, "one")
    assert torrent.found is None and web.asked == ["one"]


@pytest.mark.parametrize("answer", [500, 429, NetworkError("away")])
def test_what_failed_for_the_moment_is_asked_again_after_a_growing_while(
    wanted: Metainfo, threads: Threads, answer: Answer,
) -> None:
    torrent, web = Torrent(wanted.info.hashes), Web(one=[answer, answer, wanted.to_bytes()])
    look(torrent, web, threads, "one")
    assert got(torrent, wanted) and torrent.waited == [30.0, 60.0]


def test_nothing_is_asked_once_peers_have_given_the_metadata_or_while_it_is_paused(
    wanted: Metainfo, threads: Threads,
) -> None:
    torrent, web = Torrent(wanted.info.hashes), Web(one=[wanted.to_bytes()])
    torrent.open_to_peers = False
    look(torrent, web, threads, "one")
    assert torrent.found is None and web.asked == [] and len(torrent.waited) == 3
