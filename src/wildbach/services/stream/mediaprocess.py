"""One process that reads media, seen from the daemon: it is told what to do and given the bytes it asks for.

The process is not trusted. Whatever it does costs the request it works for: what it says is checked, what it asks for
and how long it takes is bounded, and where it breaks a rule it is killed. Waiting for bytes of the file is not its
time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import Final, Protocol

import msgspec

from wildbach.base import limits
from wildbach.base.errors import RemoteError, UsageError, WildbachError
from wildbach.services.stream.mediatalk import (
    HEAD_BYTES,
    LENGTHS,
    WANT_BYTES,
    Done,
    Failed,
    FromDaemon,
    FromWorker,
    Give,
    Order,
    Want,
    frame,
)

_DECODER: Final = msgspec.json.Decoder(FromWorker)
_RECOVER_SECONDS: Final = 3.0
"For a process to notice that its request is not wanted any more."
_BODY: Final = limits.MEDIA_SEGMENT_BYTES


class ReadsFile(Protocol):
    """A file whose bytes may still be on their way."""

    @property
    def size(self) -> int: ...

    @property
    def tag(self) -> str:
        """The same for the same bytes only."""

    async def read(self, offset: int, limit: int) -> bytes:
        """From 1 to `limit` bytes from `offset`, when they are there; none at the end."""


class MediaError(RemoteError):
    """The file cannot be read as media, or reading it cost too much; `code` says which."""

    code = "media_format"

    def __init__(self, message: str, code: str = "media_format") -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]  # an instance may name a finer code than its class


class MediaProcess:
    """Works on one order at a time."""

    def __init__(self, process: asyncio.subprocess.Process, tag: str, *, seconds: float) -> None:
        self.tag = tag
        "Of the file that it reads."
        self._process = process
        self._seconds = seconds
        self._lengths: tuple[int, int] | None = None
        self._head: bytes | None = None
        self._owed = False
        "It waits for bytes."
        self._busy = False
        self._killed = False
        self._hearing = False
        self._closing = asyncio.Lock()

    @classmethod
    async def start(cls, tag: str, size: int, *, seconds: float = limits.MEDIA_WORK_SECONDS) -> MediaProcess:
        """Raises MediaError (`media_busy`): the system starts no process."""
        kept = {name: value for name, value in os.environ.items()
                if name in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT") or name.startswith("PYTHON")}
        try:
            # -P: what lies in the folder where the daemon was started is not taken for a module.
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "wildbach.services.stream.mediaworker", str(size), env=kept,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)
        except OSError as error:
            raise MediaError(f"no process can be started: {error.strerror}", "media_busy") from None
        return cls(process, tag, seconds=seconds)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.returncode is None and not self._killed

    @property
    def busy(self) -> bool:
        """An order was left in the middle."""
        return self._busy

    async def run(self, order: Order, file: ReadsFile) -> bytes:
        """Raises MediaError, UsageError (`no_track`), and what reading the file raises. Cancelled, or after an error of
        the file, the process is `busy` until `recover` was called.
        """
        self._busy = True
        self._say(order)
        left = self._seconds
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                async with asyncio.timeout(max(0.0, left)):
                    said, body = await self._hear()
            except TimeoutError:
                self.kill()
                raise MediaError(f"reading it takes longer than {self._seconds:g} seconds", "media_slow") from None
            left -= loop.time() - began
            if not isinstance(said, Want):
                self._busy = False
                return _result(said, body)
            await self._give(said, file)

    async def recover(self) -> None:
        """Have it stop what was left in the middle; kills it where it does not."""
        try:
            async with asyncio.timeout(_RECOVER_SECONDS):
                while self._busy and self.alive:
                    if self._owed:
                        self._owed = False
                        self._say(Give("stopped"))
                    said, _ = await self._hear()
                    self._owed = isinstance(said, Want)
                    self._busy = self._owed
        except (TimeoutError, WildbachError):
            self.kill()

    def kill(self) -> None:
        self._killed = True
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def close(self) -> None:
        """End it, and wait until it is gone. May be called by several at once."""
        self.kill()
        async with self._closing:
            await self._gone()

    async def _gone(self) -> None:
        # What it said last is thrown away: its end is seen behind that. Whoever still listens sees it himself.
        stream = self._process.stdout
        while stream is not None and not self._hearing and await stream.read(HEAD_BYTES):
            pass
        await self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def _give(self, want: Want, file: ReadsFile) -> None:
        self._owed = True
        if not (0 <= want.offset <= file.size and 0 < want.limit <= WANT_BYTES):
            raise self._broken()
        rest = min(want.limit, file.size - want.offset)
        data = await file.read(want.offset, rest) if rest else b""
        self._owed = False
        self._say(Give(), data[:want.limit])

    def _say(self, head: FromDaemon, body: bytes = b"") -> None:
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(frame(head, body))

    async def _hear(self) -> tuple[FromWorker, bytes]:
        """The next frame. May be cancelled and called again: no byte is lost."""
        stream = self._process.stdout
        if stream is None:
            raise self._broken()
        self._hearing = True
        try:
            if self._lengths is None:
                head, body = LENGTHS.unpack(await stream.readexactly(LENGTHS.size))
                if head > HEAD_BYTES or body > _BODY:
                    raise self._broken()
                self._lengths = head, body
            if self._head is None:
                self._head = await stream.readexactly(self._lengths[0])
            content = await stream.readexactly(self._lengths[1])
            said: FromWorker = _DECODER.decode(self._head)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.kill()
            raise MediaError("the process that reads media ended", "media_crashed") from None
        except msgspec.MsgspecError:
            raise self._broken() from None
        finally:
            self._hearing = False
        self._lengths = self._head = None
        return said, content

    def _broken(self) -> MediaError:
        self.kill()
        return MediaError("the process that reads media broke the rules", "media_crashed")


def _result(said: Done | Failed, body: bytes) -> bytes:
    if isinstance(said, Done):
        return body
    if said.code == "track":
        raise UsageError(said.reason, code="no_track")
    if said.code == "limit":
        raise MediaError(said.reason, "media_limit")
    raise MediaError(f"this cannot be read as media: {said.reason}")
