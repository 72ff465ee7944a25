"""The daemon as a process: one a data directory, found by its lock file, and nothing lost when it is killed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
from pathlib import Path

from cli_process import CODE, Command
from cli_torrents import torrent_of
from conftest import SEED
from daemons import QUIET, daemon
from wildbach.interfaces.api import models as m
from wildbach.interfaces.daemon import whereabouts


def test_a_second_daemon_of_a_data_directory_says_where_the_first_one_is(tmp_path: Path) -> None:
    with daemon(tmp_path) as first:
        second = Command(tmp_path).run("serve", "--listen", "127.0.0.1:0")
        assert second.returncode == 4
        assert str(first.process.pid) in second.stderr and first.url in second.stderr
    assert whereabouts(first.state) is None
    assert first.process.returncode == 0
    assert not (first.state / "api.token").exists()


def test_secrets_of_the_data_directory_are_its_owners(tmp_path: Path) -> None:
    with daemon(tmp_path) as running:
        assert (running.state / "api.token").stat().st_mode & 0o777 == 0o600
        assert running.state.stat().st_mode & 0o777 == 0o700


def test_a_socket_that_is_handed_over_is_listened_at_and_the_manager_is_told(tmp_path: Path) -> None:
    """As systemd does it: descriptor 3, LISTEN_PID of the process itself, a datagram when it is ready."""
    notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notified.bind(str(tmp_path / "notify"))
    notified.settimeout(60)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    command = Command(tmp_path)
    code = f"import os; os.environ['LISTEN_PID'] = str(os.getpid()); os.dup2({listening.fileno()}, 3); {CODE}"
    sets = [word for setting in (*QUIET, f"downloads.folder={tmp_path}") for word in ("--set", setting)]
    with notified, listening, subprocess.Popen(
        [sys.executable, "-c", code, "serve", *sets], env={**command.env, "LISTEN_FDS": "1", "NOTIFY_SOCKET": str(
            tmp_path / "notify")}, pass_fds=(listening.fileno(),), stdout=subprocess.DEVNULL, cwd=tmp_path,
    ) as process:
        try:
            assert notified.recv(100) == b"READY=1"
            where = whereabouts(tmp_path / "state" / "daemon")
            assert where is not None and where.urls == (f"http://127.0.0.1:{port}",)
            with socket.create_connection(("127.0.0.1", port)) as asking:
                asking.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                assert b"200 OK" in asking.recv(4096)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        assert notified.recv(100) == b"STOPPING=1"


def test_what_was_answered_is_there_after_a_kill(tmp_path: Path) -> None:
    """Torrents, categories, tags, settings, places and the trash, with kills at any moment between and in changes."""
    rng = random.Random(SEED)
    known: dict[str, tuple[str, tuple[str, ...]]] = {}
    trashed: set[str] = set()
    categories: set[str] = set()
    limit = 0

    async def change(running: object, number: int) -> None:
        nonlocal limit
        async with running.api() as api:  # type: ignore[attr-defined]  # a Running
            await check(api)
            for step in range(rng.randrange(1, 6)):
                name = f"cat{number}-{step}"
                await api.put_category(m.Category(name))
                categories.add(name)
                result = await api.add_torrents(m.AddRequest(
                    files=(torrent_of(name=f"t{number}-{step}").to_bytes(),), stopped=True, category=name))
                key = result.added[0].key
                known[key] = (name, ())
                await api.change_torrent(key, m.TorrentPatch(add_tags=(f"tag{step}",)))
                known[key] = (name, (f"tag{step}",))
                await api.change_settings(m.SettingsPatch({"rates.down": 1000 + number * 10 + step}))
                limit = 1000 + number * 10 + step
                if rng.random() < 0.3:
                    await api.remove_torrents(m.Removal((key,)))
                    trashed.add(key)
            # Something is under way when it is killed.
            doomed = asyncio.get_running_loop().create_task(api.put_category(m.Category(f"half{number}")))
            await asyncio.sleep(rng.random() * 0.01)
            os.kill(running.process.pid, signal.SIGKILL)  # type: ignore[attr-defined]  # a Running
            doomed.cancel()
            await asyncio.gather(doomed, return_exceptions=True)

    async def check(api: object) -> None:
        page = await api.list_torrents(m.Listing(limit=1000))  # type: ignore[attr-defined]  # an Api
        while page.loading:
            await asyncio.sleep(0.05)
            page = await api.list_torrents(m.Listing(limit=1000))  # type: ignore[attr-defined]  # an Api
        found = {row.key: (row.category, row.tags) for row in page.torrents}
        assert found == {key: value for key, value in known.items() if key not in trashed}
        assert {one.key for one in (await api.trash()).torrents} == trashed  # type: ignore[attr-defined]  # an Api
        names = {one.name for one in (await api.categories()).categories}  # type: ignore[attr-defined]  # an Api
        assert categories <= names
        if limit:
            values = (await api.settings()).values  # type: ignore[attr-defined]  # an Api
            assert values["rates.down"] == limit

    for number in range(4):
        with daemon(tmp_path) as running:
            asyncio.run(change(running, number))
            running.process.wait(30)

    async def last(running: object) -> None:
        async with running.api() as api:  # type: ignore[attr-defined]  # a Running
            await check(api)

    with daemon(tmp_path) as running:
        asyncio.run(last(running))
