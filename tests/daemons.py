"""Daemons as processes of their own, for tests from end to end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli_process import CODE, Command
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.client import connect
from wildbach.interfaces.daemon import local_token, whereabouts

QUIET = (
    "connections.listen=127.0.0.1:0", "dht.enabled=false", "discovery.lsd=false", "discovery.upnp=false",
    "discovery.natpmp=false", "disk.workers=threads", "trackers.dns_preferences=false",
)
READY_SECONDS = 60.0


class Running:
    """A daemon that runs in a folder."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.state = folder / "state" / "daemon"

    @property
    def url(self) -> str:
        where = whereabouts(self.state)
        assert where is not None
        return where.urls[0]

    def api(self) -> Api:
        """Use with `async with`."""
        return connect(self.url, token=local_token(self.state))

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)


@contextmanager
def daemon(folder: Path, *args: object, settings: tuple[str, ...] = ()) -> Iterator[Running]:
    """One that is ready; ended by SIGTERM, where it was not killed."""
    folder.mkdir(exist_ok=True)
    command = Command(folder)
    sets = [word for setting in (
        *QUIET, f"downloads.folder={folder / 'downloads'}", f"downloads.allowed={folder}", *settings,
    ) for word in ("--set", setting)]
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, "serve", "--listen", "127.0.0.1:0", *sets, *map(str, args)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=command.env,
        cwd=folder,
    )
    assert process.stdout is not None
    with process:
        try:
            began = time.monotonic()
            for line in process.stdout:
                if line.startswith("wildbach listens at"):
                    break
                assert time.monotonic() - began < READY_SECONDS
            else:
                raise AssertionError(f"the daemon ended with {process.wait(10)}")
            yield Running(folder, process)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(30)


