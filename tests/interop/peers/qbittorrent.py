"""qbittorrent-nox as a program that has torrents, told what to do over its web interface, on loopback only."""

from __future__ import annotations

import json
import os
import shutil
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.interop.peers.base import Address, Daemon, Program, free_port, poll
from tests.interop.peers.process import ChildError

MISSING = None if shutil.which("qbittorrent-nox") else "qbittorrent-nox is not installed"

USER, PASSWORD = "admin", "adminadmin"
"Of Debian's release."

_CONFIG = """[Preferences]
WebUI\\Address=127.0.0.1
WebUI\\LocalHostAuth={asks}
WebUI\\UseUPnP=false
[LegalNotice]
Accepted=true
[BitTorrent]
Session\\DefaultSavePath={save}
Session\\Port={port}
Session\\Interface=lo
Session\\InterfaceName=lo
Session\\InterfaceAddress=127.0.0.1
Session\\DHTEnabled=false
Session\\LSDEnabled=false
Session\\PeXEnabled=false
Session\\QueueingSystemEnabled=true
Session\\Preallocation=false
Session\\ResumeDataStorageType={storage}
Session\\AddExtensionToIncompleteFiles={extension}
[Network]
PortForwardingEnabled=false
"""


class QBittorrent(Program):
    name = "qbittorrent"

    def __init__(
        self, work: Path, *, storage: str = "Legacy", extension: bool = True, saves: str = "default saves",
        asks: bool = False,
    ) -> None:
        """`asks`: for the password of the first start, from this machine too."""
        self.profile = work / "profile"
        self.saves = work / saves
        self._cookie = ""
        self._asks = asks
        self.endpoint: Address = ("127.0.0.1", free_port())
        self.web = web = free_port()
        config = self.profile / "qBittorrent" / "config"
        config.mkdir(parents=True, exist_ok=True)
        self.saves.mkdir(exist_ok=True)
        (config / "qBittorrent.conf").write_text(_CONFIG.format(
            save=self.saves, port=self.endpoint[1], storage=storage, extension=str(extension).lower(),
            asks=str(asks).lower(),
        ))
        self._url = f"http://127.0.0.1:{web}/api/v2/"
        self.begin(Daemon(
            ["qbittorrent-nox", f"--profile={self.profile}", f"--webui-port={web}"], work / "qbittorrent.log",
            env={**os.environ, "HOME": str(work), "XDG_RUNTIME_DIR": str(work)},
        ))

    def answers(self) -> bool:
        if self._asks and not self._cookie:
            words = urllib.parse.urlencode({"username": USER, "password": PASSWORD}).encode()
            with urllib.request.urlopen(f"{self._url}auth/login", words, timeout=60) as answer:
                self._cookie = answer.headers["Set-Cookie"].partition(";")[0]
        self.version: str = self.get("app/version").decode()
        return True

    def get(self, path: str, **words: str) -> bytes:
        return self._open(urllib.request.Request(f"{self._url}{path}?{urllib.parse.urlencode(words)}"))

    def post(self, path: str, **words: str) -> bytes:
        return self._open(urllib.request.Request(f"{self._url}{path}", urllib.parse.urlencode(words).encode()))

    def _open(self, request: urllib.request.Request) -> bytes:
        if self._cookie:
            request.add_header("Cookie", self._cookie)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                body: bytes = answer.read()
                return body
        except urllib.error.HTTPError as error:
            with error:
                raise ChildError(f"{request.full_url}: {error.code} {error.read()!r}\n{self._daemon.story()}") from None

    def add(self, torrent: bytes | str, **words: str) -> None:
        """A torrent file or a magnet link, with the words of `torrents/add`."""
        if isinstance(torrent, str):
            self.post("torrents/add", urls=torrent, **words)
            return
        parts: list[tuple[str, str, bytes]] = [(name, "", value.encode()) for name, value in words.items()]
        parts.append(("torrents", '; filename="a.torrent"\r\nContent-Type: application/x-bittorrent', torrent))
        border = uuid.uuid4().hex
        body = b"".join(
            f'--{border}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"
            for name, more, value in parts
        ) + f"--{border}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={border}"}
        answer = self._open(urllib.request.Request(f"{self._url}torrents/add", body, kind))
        if answer != b"Ok.":
            raise ChildError(f"torrents/add: {answer!r}\n{self._daemon.story()}")

    def rows(self) -> dict[str, Mapping[str, Any]]:
        """What it says of each torrent, by the first 40 digits of its hash."""
        return {row["hash"]: row for row in json.loads(self.get("torrents/info"))}

    def wait(self, key: str, *states: str, seconds: float = 30.0) -> Mapping[str, Any]:
        """Until the torrent is in one of these states."""
        def look() -> Mapping[str, Any] | None:
            row = self.rows().get(key)
            return row if row is not None and row["state"] in states else None

        return poll(look, seconds, lambda: f"{self.rows()}\n{self._daemon.story()}")
