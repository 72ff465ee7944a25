"""The process that sends: `python -m wildbach.services.notices.sending`. It takes one `Post`, answers and ends.

apprise and what it brings are not loaded into the daemon, time-outs end with the process, and a proxy that must be kept
to is kept to by all of them: an audit hook sees every connection of this process, and refuses what goes elsewhere.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import sys
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType

from wildbach.services.notices.letters import Answer, Post

_STATUS: Final = re.compile(r"error[=: ]+([1-5][0-9]{2})\b")
_REFUSED: Final = frozenset((
    "socket.sendto", "socket.sendmsg", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo",
    "subprocess.Popen", "os.system", "os.posix_spawn", "os.exec"))


def main() -> None:
    post = msgspec.json.decode(sys.stdin.buffer.read(), type=Post)
    if post.proxy:
        keep_to(post.proxy)
    kept = _Warnings()
    said = logging.getLogger("apprise")
    said.addHandler(kept)
    said.propagate = False
    sys.stdout.buffer.write(msgspec.json.encode(Answer(send(post, kept.texts))))


def send(letter: Post, warnings: list[str]) -> str:
    """Why it was not taken; empty where it was."""
    asset = AppriseAsset(async_mode=False, app_id="wildbach", app_desc="wildbach", app_url="")
    service = Apprise.instantiate(letter.url, asset=asset, suppress_exceptions=True)
    if service is None:
        return "this is no URL that apprise knows"
    sender = Apprise(asset=asset)
    sender.add(service)
    try:
        kind = NotifyType.FAILURE if letter.failure else NotifyType.INFO
        if sender.notify(body=letter.body, title=letter.title, notify_type=kind, body_format=NotifyFormat.TEXT):
            return ""
    except Exception as error:  # noqa: BLE001  # plugins of others: of what one raises the kind is told
        return f"not sent ({type(error).__name__})"
    return reason(warnings)


def reason(texts: list[str]) -> str:
    """What apprise warned of in words of ours: its own may have pieces of the URL."""
    for text in reversed(texts):
        status = _STATUS.search(text)
        if status is not None:
            return f"the server answers {status[1]}"
    if any("connection error" in text.lower() for text in texts):
        return "no connection, or no answer in time"
    return "not sent"


class _Warnings(logging.Handler):
    """What apprise said."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def keep_to(proxy: str) -> None:
    """From now on nothing but the proxy can be connected to, and no other name be asked for. Raises OSError where the
    proxy's own name is not found.
    """
    parts = urlsplit(proxy)
    host, port = parts.hostname or "", parts.port or 8080
    places = {info[4][:2] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.update({"http_proxy": proxy, "https_proxy": proxy})

    def watch(event: str, given: tuple[Any, ...]) -> None:
        if event == "socket.connect":
            place = given[1]
            elsewhere = not isinstance(place, tuple) or place[:2] not in places
        elif event == "socket.getaddrinfo":
            elsewhere = given[0] != host and (given[0], given[1]) not in places
        else:
            elsewhere = event in _REFUSED
        if elsewhere:
            raise PermissionError("only the proxy of network.proxy may be connected to")

    sys.addaudithook(watch)


if __name__ == "__main__":
    main()
