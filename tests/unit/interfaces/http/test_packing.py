"""Answers packed for who takes them so."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api_fakes import row, serving

from wildbach.base.ids import Endpoint
from wildbach.interfaces.http import packing
from wildbach.net.httpd import Request, Response, Stream


def asking(coding: str) -> Request:
    return Request("GET", "/", "", Endpoint("127.0.0.1", 1), {"accept-encoding": coding})


@pytest.mark.parametrize("coding, takes", [
    ("gzip", True), ("deflate, GZIP", True), ("gzip;q=0.001", True), ("*", True), ("br;q=1, *;q=0.1", True),
    ("", False), ("identity", False), ("gzip;q=0", False), ("gzip; q=0.000", False), ("*;q=0", False),
    ("*, gzip;q=0", False), ("x-gzipped", False),
])
def test_what_a_client_takes_is_what_it_says(coding: str, takes: bool) -> None:
    assert packing.takes(asking(coding)) is takes


@given(st.text(max_size=100))
def test_nonsense_about_codings_is_harmless(text: str) -> None:
    packing.takes(asking(text))


def test_long_lists_are_packed_while_they_are_sent_and_short_answers_are_not() -> None:
    async def main() -> None:
        async with serving() as there:
            for number in range(900):
                there.api.put(row(number))
            headers = {"Authorization": f"Bearer {there.key}"}
            async with aiohttp.ClientSession(there.url, headers=headers, auto_decompress=False) as session:
                for limit in (1000, 150, 20):
                    path = f"/api/v1/torrents?limit={limit}"
                    async with session.get(path, headers={"Accept-Encoding": "identity"}) as answer:
                        assert "Content-Encoding" not in answer.headers
                        plain = await answer.read()
                    async with session.get(path, headers={"Accept-Encoding": "gzip"}) as answer:
                        assert (answer.status, answer.content_type) == (200, "application/json")
                        assert answer.headers["Content-Encoding"] == "gzip"
                        body = await answer.read()
                        assert len(body) < len(plain) // 4 and gzip.decompress(body) == plain
                        assert len(json.loads(plain)["torrents"]) == min(limit, 900)
                async with session.get("/api/v1/session", headers={"Accept-Encoding": "gzip"}) as answer:
                    assert "Content-Encoding" not in answer.headers
                    json.loads(await answer.read())
                async with session.head(path, headers={"Accept-Encoding": "gzip"}) as answer:
                    assert (answer.status, await answer.read()) == (200, b"")
    asyncio.run(main())


def test_a_long_answer_is_packed_slice_by_slice_with_turns_of_the_loop_between() -> None:
    async def main() -> None:
        made = [0]

        async def chunks():
            for number in range(8):
                made[0] = number
                yield bytes([number]) * 300_000

        answer = packing.packed(Stream(chunks(), content_type="application/json", length=2_400_000), asking("gzip"))
        assert isinstance(answer, Stream) and answer.length is None
        turns = 0
        over = asyncio.Event()

        async def count() -> None:
            nonlocal turns
            while not over.is_set():
                turns += 1
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            group.create_task(count())
            body = b"".join([part async for part in answer.chunks])
            over.set()
        assert turns >= 8 * 300_000 // (64 * 1024)
        assert zlib.decompress(body, wbits=31) == b"".join(bytes([number]) * 300_000 for number in range(8))
    asyncio.run(main())


def test_who_goes_away_ends_what_made_the_answer() -> None:
    async def main() -> None:
        ended: list[bool] = []

        async def chunks():
            try:
                while True:
                    yield b"x" * 100_000
            finally:
                ended.append(True)

        answer = packing.packed(Stream(chunks(), content_type="application/json"), asking("gzip"))
        await anext(answer.chunks)
        await answer.chunks.aclose()
        assert ended == [True]
    asyncio.run(main())


@pytest.mark.parametrize("answer", [
    Response(b"x" * 5000, content_type="application/octet-stream"),
    Response(b"x" * 5000, content_type="application/x-bittorrent"),
    Response(b"x" * 100, content_type="application/json"),
    Response(b"x" * 5000, content_type="text/html", headers={"ETag": '"1"'}),
    Response(b"x" * 5000, content_type="application/json", headers={"content-encoding": "br"}),
    Response(status=204, content_type="application/json"),
])
def test_files_and_what_is_packed_or_short_is_left_as_it_is(answer: Response) -> None:
    assert packing.packed(answer, asking("gzip")) is answer
