"""The demonstration in the daemon, against its real tracker and seeds."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from clients import client, until
from wildbach.base.errors import UsageError
from wildbach.interfaces import scenery
from wildbach.interfaces.api import demonstrating
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.local import LocalApi
from wildbach.interfaces.demoswarm import Plan

SIZE = 3 << 20


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demonstrating, "Plan", lambda name: Plan(name, SIZE, 2, 1.0))
    monkeypatch.setattr(demonstrating, "_STAY_SECONDS", 1.0)
    monkeypatch.setattr(demonstrating, "_LOOK_SECONDS", 0.05)


def job_of(api: LocalApi) -> m.Job:
    (job,) = [one for one in api.core.jobs.views() if one.kind == "demo"]
    return job


async def begun(api: LocalApi) -> tuple[m.Job, str]:
    """The job, and the key of its torrent once it comes in."""
    job = await api.start_demo()
    await until(lambda: "key" in job_of(api).result or job_of(api).state != "running", api)
    key = job_of(api).result["key"]
    await until(lambda: bool(api.core.session.torrent(key).received), api)
    return job, key


def test_it_is_downloaded_from_seeds_on_this_machine_which_are_gone_afterwards(tmp_path: Path) -> None:
    async def work() -> str:
        async with client(tmp_path) as api:
            job, key = await begun(api)
            assert all(peer.endpoint.startswith("127.0.0.1:") for peer in (await api.peers(key)).peers)
            with pytest.raises(UsageError) as refused:
                await api.start_demo()
            assert refused.value.code == "busy"
            done = await api.core.jobs.wait(job.id)
            assert (done.state, done.progress) == ("done", 1.0) and "gone" in done.message, done
            row = api.core.catalog.fresh(key)
            assert row.complete and row.private and row.category == "" and row.name.startswith("wildbach demo ")
            assert [one.url for one in (await api.trackers(key)).trackers if one.tier >= 0] == []
            await until(lambda: api.core.session.torrent(key).asleep or not api.core.session.torrent(key).peers(), api)
            folder = tmp_path / "downloads" / row.name
            for parts, length in scenery.files(SIZE):
                wanted = scenery.noise("/".join((row.name, *parts)), 0, length)
                found = folder.joinpath(*parts).read_bytes()
                assert hashlib.sha256(found).digest() == hashlib.sha256(wanted).digest(), parts
            return key

    async def later(key: str) -> None:
        async with client(tmp_path) as api:
            assert api.core.catalog.fresh(key).complete and api.core.jobs.views() == ()
            state = {path.name for path in (tmp_path / "data").rglob("*") if "demo" in path.name}
            assert state == set()

    asyncio.run(later(asyncio.run(work())))


def test_cancelled_it_takes_its_seeds_away_and_another_can_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(demonstrating, "Plan", lambda name: Plan(name, SIZE, 2, 60.0))

    async def work() -> None:
        async with client(tmp_path) as api:
            job, key = await begun(api)
            assert (await api.cancel_job(job.id)).state == "cancelled"
            await until(lambda: not api.core.session.torrent(key).peers(), api)
            row = api.core.catalog.fresh(key)
            assert not row.complete
            await api.cancel_job(job.id)
            again, other = await begun(api)
            assert other != key and again.id != job.id

    asyncio.run(work())  # and the end of the client ends the second one


def test_removing_its_torrent_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demonstrating, "Plan", lambda name: Plan(name, SIZE, 2, 60.0))

    async def work() -> None:
        async with client(tmp_path) as api:
            job, key = await begun(api)
            await api.remove_torrents(m.Removal((key,), files=True))
            done = await api.core.jobs.wait(job.id)
            assert (done.state, done.message) == ("done", "the torrent was removed")

    asyncio.run(work())


def test_one_that_does_not_move_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demonstrating, "Plan", lambda name: Plan(name, SIZE, 2, 60.0))
    monkeypatch.setattr(demonstrating, "_PATIENCE_SECONDS", 1.0)

    async def work() -> None:
        async with client(tmp_path, downloads__folder=str(tmp_path / "downloads")) as api:
            job, key = await begun(api)
            await api.act(m.Action("stop", (key,)))
            done = await api.core.jobs.wait(job.id)
            assert done.state == "done" and "nothing moved" in done.message

    asyncio.run(work())


def test_where_nothing_leads_to_this_machine_it_is_refused(tmp_path: Path) -> None:
    async def work() -> None:
        async with client(tmp_path, network__proxy="socks5://127.0.0.1:9") as api:
            with pytest.raises(UsageError) as refused:
                await api.start_demo()
            assert refused.value.code == "not_ready"

    asyncio.run(work())
