"""Daemons as processes on this machine that keep folders the same, for tests from end to end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cli_process import CODE, Command
from wildbach.base.errors import NetworkError
from wildbach.interfaces.api import syncmodels as sy
from wildbach.interfaces.client import connect
from wildbach.interfaces.whereabouts import local_token, whereabouts

SETTINGS = {
    "WILDBACH_API_LISTEN": "127.0.0.1:0",
    "WILDBACH_MEDIA_LISTEN": "127.0.0.1:0", "WILDBACH_DHT_ENABLED": "false", "WILDBACH_DISCOVERY_LSD": "false",
    "WILDBACH_DISCOVERY_UPNP": "false", "WILDBACH_DISCOVERY_NATPMP": "false",
}
START = "import sys; sys.path.append({tests!r}); import syncstate; syncstate.listen({state!r}); " + CODE
BUGS = ("internal error", "Traceback", "Task exception", "never retrieved", "exception in", "bug")
"Words that no log of a daemon has."


def until(what: Callable[[], object], words: str, seconds: float = 30.0) -> None:
    """Look again and again, until it is so."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {words}")
        time.sleep(0.03)


def tree(folder: Path) -> dict[str, object]:
    """Path → what is there; without what wildbach keeps for itself."""
    found: dict[str, object] = {}
    for at, dirs, files in os.walk(folder):
        here = Path(at)
        if here == folder:
            dirs[:] = [name for name in dirs if name != ".wildbach"]
        for name in (*dirs, *files):
            path = here / name
            key = str(path.relative_to(folder))
            if path.is_symlink():
                found[key] = ("link", os.readlink(path))
            elif path.is_dir():
                found[key] = "dir"
            else:
                found[key] = ("file", path.read_bytes(), bool(path.stat().st_mode & 0o100))
    return found


def saved(folder: Path) -> set[bytes]:
    """All contents that are in the folder, old versions as well."""
    return {path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()
            and "/.wildbach/tmp/" not in str(path)}


class Daemon:
    """One device: a process, and its state on the disk, which outlives it."""

    def __init__(
        self, home: Path, name: str, *, through: Sequence[str] = (), settings: Mapping[str, str] | None = None,
    ) -> None:
        """`through`: a program that starts it, as in a namespace or as another user. `settings`: of its environment."""
        self.home = home / name
        self.home.mkdir()
        self.name = name
        self.through = tuple(through)
        self.command = Command(self.home)
        self.command.env |= SETTINGS
        # It is found at the same place when it is back.
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.command.env["WILDBACH_CONNECTIONS_LISTEN"] = f"127.0.0.1:{free.getsockname()[1]}"
        self.command.env |= settings or {}
        self.log = self.home / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self.url = ""

    @property
    def files(self) -> Path:
        """Where its folder is."""
        return self.home / "files"

    def start(self) -> Daemon:
        before = self.log.read_text().count("wildbach listens at ") if self.log.exists() else 0
        code = START.format(tests=str(Path(__file__).parent), state=str(self.home / "in hand"))
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*self.through, sys.executable, "-c", code, "serve"], stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, env=self.command.env, cwd=self.home)
        until(lambda: self.log.read_text().count("wildbach listens at ") > before, f"{self.name} starts")
        # A socket in a folder is found from every network.
        where = whereabouts(self.home / "state" / "daemon")
        assert where is not None and where.socket
        self.url = f"unix:{where.socket}"
        return self

    def stop(self) -> None:
        """As Ctrl-C does; it must end soon."""
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"{self.name} does not end") from None
            finally:
                self.process = None

    def kill(self) -> None:
        """As a power cut does, but for the disk."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def bugs(self) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if any(each in line for each in BUGS)]

    def ask(self, operation: str, *values: object) -> Any:
        """An operation of the Api. Raises what it raises."""
        async def work() -> Any:
            token = local_token(self.home / "state" / "daemon")
            async with connect(self.url, token=token, seconds=20) as api:
                return await getattr(api, operation)(*values)

        return asyncio.run(work())

    # -- the folder, called `f`

    def create(self) -> None:
        self.ask("create_synced", sy.SyncMaking(str(self.files), "f"))

    def share(self, role: str = "rw", *, reusable: bool = False) -> str:
        made = self.ask("share_synced", "f", sy.SyncLinkMaking(role, 24, reusable))  # type: ignore[arg-type]  # a role
        return str(made.text)

    def join(self, link: str, mode: str = "both", seconds: float = 30.0) -> None:
        job = self.ask("join_synced", sy.SyncJoining(link, str(self.files), mode))  # type: ignore[arg-type]  # a mode
        until(lambda: any(each.name == "f" for each in self.ask("synced_folders").folders), f"{job.id} joins",
              seconds)

    @property
    def folder(self) -> sy.SyncFolder:
        found: sy.SyncFolder = self.ask("synced_folder", "f")
        return found

    def set(self, **changes: Any) -> None:
        self.ask("change_synced", "f", sy.SyncPatch(**changes))

    def connected(self) -> int:
        return sum(each.connected for each in self.folder.devices if not each.me)

    def idle(self) -> bool:
        """Nothing is to do, as it says."""
        folder = self.folder
        return folder.state == "idle" and not folder.need_files

    def trouble(self) -> str:
        """What to look at where a test failed."""
        try:
            troubles = self.ask("sync_troubles", "f", sy.SyncQuery())
            return f"{self.folder}\n{troubles.troubles[:5]}\n{self.in_hand()}\n{self.log.read_text()[-2000:]}"
        except NetworkError as error:
            return f"{error}\n{self.in_hand()}\n{self.log.read_text()[-3000:]}"

    def in_hand(self, seconds: float = 10.0) -> str:
        """What it has in hand now, as it says itself (`syncstate`)."""
        found = self.home / "in hand"
        found.unlink(missing_ok=True)
        if self.process is None or self.through:
            # The program between may end by the signal.
            return f"{self.name} is not asked what it has in hand"
        self.process.send_signal(signal.SIGUSR1)
        try:
            until(found.exists, f"{self.name} says what it has in hand", seconds)
        except AssertionError as error:
            return str(error)
        return f"{self.name} has in hand:\n{found.read_text()}"


class Group:
    """Some devices of one folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.daemons: list[Daemon] = []

    def add(
        self, name: str, *, through: Sequence[str] = (), settings: Mapping[str, str] | None = None,
    ) -> Daemon:
        made = Daemon(self.home, name, through=through, settings=settings).start()
        self.daemons.append(made)
        return made

    def pair(self, role: str = "rw", mode: str = "both") -> tuple[Daemon, Daemon]:
        """Two that have a folder; what the test laid into their places before is in it."""
        a, b = (self.daemons[0], self.daemons[1]) if self.daemons else (self.add("a"), self.add("b"))
        a.create()
        b.join(a.share(role), mode)
        return a, b

    def same(self, *daemons: Daemon, seconds: float = 30.0) -> dict[str, object]:
        """Wait until the folders of these, or of all, are equal, and give what is in them."""
        all_of = daemons or tuple(self.daemons)
        trees: list[dict[str, object]] = []

        def equal() -> bool:
            nonlocal trees
            try:
                trees = [tree(each.files) for each in all_of]
            except OSError:
                return False
            return all(each == trees[0] for each in trees)

        try:
            until(lambda: equal() and all(each.idle() for each in all_of) and equal(), "all have the same", seconds)
        except AssertionError as error:
            differ = {path: [str(each.get(path))[:80] for each in trees]
                      for path in sorted(set().union(*trees)) if len({str(each.get(path)) for each in trees}) > 1}
            raise AssertionError("\n".join([
                str(error), *map(str, list(differ.items())[:20]), *(each.trouble() for each in all_of)])) from None
        return trees[0]

    def end(self) -> None:
        """Stop all, and read what they logged."""
        problems: list[str] = []
        for each in self.daemons:
            try:
                each.stop()
            except AssertionError as error:
                problems.append(str(error))
        for each in self.daemons:
            problems += [f"{each.name}: {line}" for line in each.bugs()]
        assert not problems, "\n".join(problems) + "\n" + "\n".join(
            each.log.read_text()[-3000:] for each in self.daemons)
