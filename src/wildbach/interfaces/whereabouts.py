"""Where the daemon of a data directory is, for commands of the same user on the same machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from wildbach.base.errors import NetworkError
from wildbach.disk import system

LOCK: Final = "daemon.lock"
TOKEN: Final = "api.token"
SOCKET: Final = "api.sock"


class Whereabouts(msgspec.Struct, omit_defaults=True):
    """What the lock file says of the daemon that holds it."""

    pid: int
    urls: tuple[str, ...] = ()
    socket: str = ""
    "The Unix socket."
    away: str = ""
    "A URL for browsers of other machines; empty where it listens on loopback only."


def whereabouts(folder: Path) -> Whereabouts | None:
    """Where the daemon of a data directory is; None where none runs."""
    try:
        fd = os.open(folder / LOCK, os.O_RDONLY | system.CLOEXEC)
    except OSError:
        return None
    try:
        if system.lock(fd, shared=True):
            return None
        return msgspec.json.decode(os.read(fd, 1 << 16), type=Whereabouts)
    except (OSError, msgspec.MsgspecError):
        return None
    finally:
        os.close(fd)


def local_token(folder: Path) -> str:
    """The token of the daemon that runs there. Raises NetworkError, code `no_daemon`."""
    try:
        return (folder / TOKEN).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise no_daemon(folder) from error


def no_daemon(folder: Path) -> NetworkError:
    return NetworkError(f"no daemon runs with {folder}", code="no_daemon")
