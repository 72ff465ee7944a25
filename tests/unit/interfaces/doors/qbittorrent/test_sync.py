"""What sync/maindata tells, and what that costs."""

from __future__ import annotations

import asyncio
import time
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests import pace
from tests.api_fakes import row
from tests.doors import Caller, ListApi, at_door

from wildbach.base.ids import Endpoint
from wildbach.interfaces.api import models as m
from wildbach.net.httpd import Request, Stream


def merge(state: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """What a program makes of an answer."""
    if answer.get("full_update"):
        return {name: answer[name] for name in ("torrents", "categories", "tags", "trackers", "server_state")}
    for name in ("torrents", "categories"):
        for key, value in answer.get(name, {}).items():
            state[name].setdefault(key, {}).update(value)
    state["trackers"].update(answer.get("trackers", {}))
    state["server_state"].update(answer.get("server_state", {}))
    for name in ("torrents", "categories", "trackers"):
        for key in answer.get(f"{name}_removed", []):
            state[name].pop(key, None)
    state["tags"] = sorted({*state["tags"], *answer.get("tags", [])} - set(answer.get("tags_removed", [])))
    return state


def comparable(state: dict[str, Any]) -> dict[str, Any]:
    return state | {"trackers": {url: sorted(hashes) for url, hashes in state["trackers"].items()}}


CHANGES = st.lists(st.one_of(
    st.tuples(st.just("put"), st.integers(1, 6), st.integers(0, 3)),
    st.tuples(st.just("drop"), st.integers(1, 6), st.just(0)),
    st.tuples(st.just("tag"), st.integers(1, 3), st.just(0)),
    st.tuples(st.just("category"), st.integers(1, 3), st.integers(0, 2)),
    st.tuples(st.just("ratio"), st.integers(1, 3), st.just(0)),
    st.tuples(st.just("ask"), st.just(0), st.just(0)),
    st.tuples(st.just("lose"), st.just(0), st.just(0)),
), max_size=25)


def change(api: ListApi, what: str, number: int, value: int) -> None:
    key = f"{number:040x}"
    match what:
        case "put":
            api.put(row(number, up_rate=float(value), tracker=f"http://t{value}.example/a" if value else "",
                        tags=("x",) * value))
        case "drop" if key in api.rows:
            api.drop(key)
        case "tag":
            api.marks = {} if f"t{number}" in api.marks else {f"t{number}": None}
        case "category" if value:
            api.cats[f"c{number}"] = m.Category(f"c{number}", f"/{value}")
        case "category":
            api.cats.pop(f"c{number}", None)
        case "ratio":
            api.values["seeding.ratio"] = float(number)


@settings(max_examples=60, deadline=None)
@given(CHANGES)
def test_a_program_that_follows_differences_knows_what_one_knows_that_asks_for_all(
    changes: list[tuple[str, int, int]],
) -> None:
    async def run() -> None:
        api = ListApi(3)
        async with at_door(api) as caller:
            state: dict[str, Any] = {}
            rid = 0
            for what, number, value in changes:
                if what in ("ask", "lose"):
                    answer = (await caller.get("sync/maindata", rid=rid)).json
                    if what == "ask":
                        state, rid = merge(state, answer), answer["rid"]
                else:
                    change(api, what, number, value)
            # Of answers that were lost, so many as are remembered.
            answer = (await caller.get("sync/maindata", rid=rid)).json
            state = merge(state, answer)
            everything = merge({}, (await caller.get("sync/maindata")).json)
            assert comparable(state) == comparable(everything)

    asyncio.run(run())


def test_only_the_fields_that_changed_are_told_and_nothing_where_nothing_did() -> None:
    async def run() -> None:
        api = ListApi(1000)
        async with at_door(api) as caller:
            rid = (await caller.get("sync/maindata", rid=0)).json["rid"]
            told = api.rows_told
            answer = (await caller.get("sync/maindata", rid=rid)).json
            assert answer == {"rid": answer["rid"]}
            key = f"{7:040x}"
            api.put(structs.replace(api.rows[key], up_rate=1000.0))
            answer = (await caller.get("sync/maindata", rid=answer["rid"])).json
            assert answer["torrents"] == {key: {"state": "uploading", "upspeed": 1000}}
            api.drop(key)
            answer = (await caller.get("sync/maindata", rid=answer["rid"])).json
            assert answer["torrents_removed"] == [key] and "torrents" not in answer
            assert api.rows_told - told == 1

    asyncio.run(run())


@pytest.mark.parametrize("rid", [1, 99_999_999, -5])
def test_a_number_that_was_never_given_gets_everything(rid: int) -> None:
    async def run() -> None:
        async with at_door(ListApi(2)) as caller:
            answer = (await caller.get("sync/maindata", rid=rid)).json
            assert answer["full_update"] is True and len(answer["torrents"]) == 2

    asyncio.run(run())


def test_two_programs_do_not_take_from_each_other() -> None:
    async def run() -> None:
        api = ListApi(2)
        async with at_door(api) as one:
            other = Caller(one.door, one.access)
            await other.login()
            first = (await one.get("sync/maindata")).json["rid"]
            second = (await other.get("sync/maindata")).json["rid"]
            api.put(row(3))
            for caller, rid in ((one, first), (other, second)):
                assert list((await caller.get("sync/maindata", rid=rid)).json["torrents"]) == [f"{3:040x}"]

    asyncio.run(run())


def test_peers_of_a_torrent_are_told_once() -> None:
    async def run() -> None:
        api = ListApi(1)
        async with at_door(api) as caller:
            first = (await caller.get("sync/torrentPeers", hash=f"{1:040x}")).json
            assert first["full_update"] is True and first["show_flags"] is True
            second = (await caller.get("sync/torrentPeers", hash=f"{1:040x}", rid=first["rid"])).json
            assert "peers" not in second and "full_update" not in second
            assert (await caller.get("sync/torrentPeers", hash=f"{2:040x}")).status == 404

    asyncio.run(run())


async def consume(caller: Caller, name: str, query: str = "") -> tuple[int, bytes]:
    """What came, and its first chunk; like a client that takes it as it comes."""
    answer = await caller.door(
        Request("GET", f"/api/v2/{name}", query, Endpoint("127.0.0.1", 4000), dict(caller.headers)), caller.access)
    assert isinstance(answer, Stream)
    size, first = 0, b""
    async for chunk in answer.chunks:
        first = first or chunk
        size += len(chunk)
    return size, first


@pytest.mark.slow
def test_a_list_of_a_hundred_thousand_holds_up_nobody() -> None:
    api = ListApi(100_000)

    async def run(rate: float) -> dict[str, float]:
        async with at_door(api) as caller:
            turns = pace.Turns()
            watch = asyncio.ensure_future(turns.watch())  # noqa: TID251  (a test has no scope)
            _, first = await consume(caller, "sync/maindata", "rid=0")
            await consume(caller, "torrents/info")
            for number in range(1, 101):
                api.put(structs.replace(api.rows[f"{number:040x}"], up_rate=rate))
            start = time.thread_time()
            told = api.rows_told
            rid = int(first.removeprefix(b'{"rid":').split(b",", 1)[0])
            size, _ = await consume(caller, "sync/maindata", f"rid={rid}")
            cost = time.thread_time() - start
            turns.over.set()
            await watch
            assert 100 * 40 < size < 100 * 200
            assert api.rows_told - told == 100
            return {"stall": turns.longest, "100 changes": cost}

    rates = count(5.0)
    with pace.collector_off():
        pace.within(lambda: asyncio.run(run(next(rates))), **{"stall": 0.020, "100 changes": 0.1})
