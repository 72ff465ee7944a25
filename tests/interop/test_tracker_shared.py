"""`wildbach tracker` in several processes: one table by a real Redis server, which goes away and comes back empty."""

from __future__ import annotations

import os
import signal
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from tests.cli_process import SOURCE
from tests.interop.peers import redis
from tests.interop.peers.base import free_port, poll
from tests.interop.peers.process import JsonProcess
from tests.interop.peers.redis import Redis
from tests.interop.test_tracker_interop import CONTENT, add, session, torrent_file

with_redis = pytest.mark.skipif(redis.MISSING is not None, reason=str(redis.MISSING))
_FRESH = count(1)


@contextmanager
def tracker(store: Redis, *flags: str) -> Iterator[JsonProcess]:
    """A process at an address of its own: libtorrent keeps UDP connection ids by address alone."""
    host = f"127.73.0.{next(_FRESH)}"
    argv = [sys.executable, "-m", "wildbach.interfaces.cli.main", "tracker", "--json", "--listen",
            f"{host}:{free_port(host)}", "--store", store.url, *flags]
    with JsonProcess(argv, env=os.environ | {"PYTHONPATH": str(SOURCE)}) as process:
        yield process


def until(process: JsonProcess, seconds: float = 60.0, **values: object) -> None:
    """Until the numbers of a tracker are these."""
    process.wait("stats", seconds=seconds, where=lambda said: all(said[key] == value for key, value in values.items()))


@pytest.mark.foreign("libtorrent", "redis")
@with_redis
@pytest.mark.parametrize("scheme", ["http", pytest.param("udp", marks=pytest.mark.slow)])
def test_peers_of_two_processes_find_each_other_and_redis_may_fail(tmp_path: Path, scheme: str) -> None:
    with Redis(tmp_path / "redis") as store, tracker(store) as one, tracker(store) as two:
        urls = [
            next(url for url in process.wait("listening")["urls"] if url.startswith(scheme)) for process in (one, two)
        ]
        torrents = []
        for number, url in enumerate(urls):
            (tmp_path / str(number)).mkdir()
            torrents.append(torrent_file(tmp_path / str(number), url)[0])
        sessions = [session() for _ in range(3)]
        seed = add(sessions[0], torrents[0], tmp_path / "seed", seed=True)
        until(two, peers=1, shared="up")
        leech = add(sessions[1], torrents[1], tmp_path / "leech", seed=False)
        poll(lambda: leech.status().is_seeding or None, 60, lambda: str(leech.status().state))
        until(one, peers=2)

        store.kill()
        until(one, shared="away")
        until(two, shared="away")
        # Its own memory answers meanwhile.
        third = add(sessions[2], torrents[0], tmp_path / "third", seed=False)
        poll(lambda: third.status().is_seeding or None, 60, lambda: str(third.status().state))
        until(one, peers=3, shared="away")

        store.start()
        until(one, shared="up")
        until(two, peers=3, shared="up")
        for name in ("leech", "third"):
            assert (tmp_path / name / "content.bin").read_bytes() == CONTENT
        # A process that starts now learns of all from the log, which began empty.
        with tracker(store) as late:
            until(late, peers=3, shared="up")
        sessions[0].remove_torrent(seed)
        until(two, peers=2)


@pytest.mark.foreign("redis")
@with_redis
def test_workers_share_a_port_and_one_that_dies_is_replaced(tmp_path: Path) -> None:
    def announce(url: str, port: int) -> bytes:
        asked = f"{url}?info_hash={'h' * 20}&peer_id={'p' * 20}&port={port}&left=1"
        with urllib.request.urlopen(asked, timeout=60) as answer:
            said: bytes = answer.read()
        return said

    with Redis(tmp_path / "redis") as store, tracker(store, "--workers", "2", "--metrics", "127.0.0.1:0") as process:
        metrics = process.wait("metrics")["url"]
        url = next(url for url in process.wait("listening")["urls"] if url.startswith("http"))

        def told() -> str:
            with urllib.request.urlopen(metrics, timeout=60) as answer:
                said: str = answer.read().decode()
            return said

        for port in range(1, 21):
            announce(url, port)
        until(process, peers=20, http_announces=20)
        assert "wildbach_tracker_store_up 1" in told() and "wildbach_tracker_http_announces_total 20" in told()
        children = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        assert len(children) == 2
        os.kill(children[0], signal.SIGKILL)

        def replaced() -> bool | None:
            now = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            return (len(now) == 2 and str(children[0]) not in now) or None

        poll(replaced, 30, process.story)
        poll(lambda: b"incompletei21e" in announce(url, 21) or None, 30, process.story)
        process.process.send_signal(signal.SIGTERM)
        assert process.exit_code() == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in children)


@pytest.mark.foreign("redis")
@with_redis
def test_what_redis_keeps_is_bounded_and_expires(tmp_path: Path) -> None:
    with Redis(tmp_path / "redis") as store, tracker(store, "--store-name", "mine") as process:
        url = next(url for url in process.wait("listening")["urls"] if url.startswith("http"))
        with urllib.request.urlopen(f"{url}?info_hash={'h' * 20}&peer_id={'p' * 20}&port=5&left=1", timeout=60):
            pass
        poll(lambda: store.ask("EXISTS", "mine:1:log") == b":1\r\n" or None, 20, process.story)
        assert 0 < int(store.ask("TTL", "mine:1:log")[1:]) <= 4501
        assert store.ask("KEYS", "*").count(b"mine:1:") == store.ask("KEYS", "*").count(b"$")


def test_a_store_that_is_not_there_is_said_with_what_to_do() -> None:
    argv = [sys.executable, "-m", "wildbach.interfaces.cli.main", "tracker", "--listen", "127.0.0.1:0", "--store",
            f"redis://:secret@127.0.0.1:{free_port()}"]
    with JsonProcess(argv, env=os.environ | {"PYTHONPATH": str(SOURCE)}) as process:
        assert process.exit_code() == 5
    assert "is not reachable" in process.errors and "Is that Redis or Valkey server running?" in process.errors
    assert "secret" not in process.errors
