"""Debian's Syncthing: daemons that share a folder over loopback, with nobody else in the world."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from xml.etree import ElementTree

from tests import encounters

PROGRAM = "syncthing"
_LABEL = "bench"


def version() -> str:
    """As the program prints it; empty where it is not installed."""
    if shutil.which(PROGRAM) is None:
        return ""
    return subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout.split(" ")[1]


@dataclass
class Syncthing:
    """One daemon. `home`: its state. It listens on ports that the system chose, and ends by its id."""

    home: Path
    process: subprocess.Popen[bytes] | None = None
    id: str = ""
    key: str = ""
    api: str = ""
    sync: str = ""
    reader: threading.Thread | None = None

    def generate(self) -> None:
        """Its keys, and a configuration that speaks to nobody."""
        made = subprocess.run(
            [PROGRAM, "generate", "--home", str(self.home), "--no-default-folder", "--skip-port-probing"],
            capture_output=True, text=True, check=True)
        self.id = (made.stdout + made.stderr).split("Device ID: ")[1].split()[0]
        path = self.home / "config.xml"
        tree = ElementTree.parse(path)
        root = tree.getroot()
        self.key = _text(root, "gui/apikey")
        _node(root, "gui/address").text = "127.0.0.1:0"
        options = {
            "listenAddress": "tcp://127.0.0.1:0", "globalAnnounceEnabled": "false", "localAnnounceEnabled": "false",
            "relaysEnabled": "false", "natEnabled": "false", "startBrowser": "false", "urAccepted": "-1",
            "autoUpgradeIntervalH": "0", "crashReportingEnabled": "false", "reconnectionIntervalS": "5",
            "setLowPriority": "false", "stunServer": "",
        }
        for name, value in options.items():
            _node(root, f"options/{name}").text = value
        tree.write(path)

    def start(self) -> None:
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--home", str(self.home), "--no-browser", "--no-restart", "--no-upgrade"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert self.process.stdout is not None
        for raw in self.process.stdout:
            line = raw.decode("utf-8", "replace")
            if "GUI and API listening on" in line:
                self.api = "http://" + line.rsplit(" ", 1)[1].strip()
            elif "TCP listener" in line and "starting" in line:
                self.sync = "tcp://" + line.split("(")[1].split(")")[0]
            if self.api and self.sync:
                break
        else:
            raise AssertionError("syncthing ended before it listened")
        # What it says from here on is of no interest, but its pipe must not fill up.
        out = self.process.stdout
        self.reader = threading.Thread(target=lambda: [None for _ in out], daemon=True)
        self.reader.start()
        encounters.note(PROGRAM)

    def ask(self, path: str, body: object = None, method: str = "") -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.api}/rest/{path}", data, {"X-API-Key": self.key, "Content-Type": "application/json"},
            method=method or ("GET" if data is None else "POST"))
        with urllib.request.urlopen(request, timeout=30) as answer:
            raw = answer.read()
        return json.loads(raw) if raw else None

    def introduce(self, other: Syncthing) -> None:
        self.ask("config/devices", {"deviceID": other.id, "addresses": [other.sync], "compression": "never"})

    def share(self, folder: Path, other: Syncthing, *, delay: float) -> None:
        """`delay`: seconds that its watcher waits (`fsWatcherDelayS`)."""
        self.ask("config/folders", {
            "id": _LABEL, "label": _LABEL, "path": str(folder), "fsWatcherDelayS": delay, "rescanIntervalS": 3600,
            "devices": [{"deviceID": self.id}, {"deviceID": other.id}],
        })

    def connected(self, other: Syncthing) -> bool:
        found = self.ask("system/connections")["connections"].get(other.id)
        return bool(found and found["connected"])

    def moved(self) -> int:
        """Bytes that it received and sent over connections."""
        total = self.ask("system/connections")["total"]
        return int(total["inBytesTotal"]) + int(total["outBytesTotal"])

    def idle(self) -> bool:
        """The folder is here whole, and nothing is being scanned."""
        found = self.ask(f"db/status?folder={_LABEL}")
        return bool(found["state"] == "idle" and not found["needTotalItems"])

    def __enter__(self) -> Self:
        self.generate()
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
            if self.reader is not None:
                self.reader.join(10)
            if self.process.stdout is not None:
                self.process.stdout.close()


@contextmanager
def pair(home: Path, one: Path, two: Path, *, delay: float) -> Iterator[tuple[Syncthing, Syncthing]]:
    """Two daemons that keep `one` and `two` the same, connected and idle."""
    with ExitStack() as stack:
        left, right = (stack.enter_context(Syncthing(home / name)) for name in ("left", "right"))
        left.introduce(right)
        right.introduce(left)
        left.share(one, right, delay=delay)
        right.share(two, left, delay=delay)
        until(lambda: left.connected(right) and right.connected(left))
        until(lambda: left.idle() and right.idle())
        yield left, right


def until(condition: Any, seconds: float = 60.0) -> None:
    """Ask again and again: Syncthing's own events do not say when a connection is up on both sides."""
    end = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except (urllib.error.URLError, ConnectionError):
            pass
        if time.monotonic() > end:
            raise AssertionError("syncthing did not get there in time")
        time.sleep(0.05)


def _node(root: ElementTree.Element, path: str) -> ElementTree.Element:
    found = root.find(path)
    if found is None:
        where, _, name = path.rpartition("/")
        found = ElementTree.SubElement(_node(root, where), name)
    return found


def _text(root: ElementTree.Element, path: str) -> str:
    return _node(root, path).text or ""
