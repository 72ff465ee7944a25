"""A log that processes share, kept in a Redis or Valkey server as a stream that expires by itself.

Keys begin with a name and the version of their layout, so that an incompatible later one starts anew beside it. Every
error of the server or the way to it is a NetworkError that says what to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from wildbach.base import limits
from wildbach.base.errors import NetworkError, UsageError

try:
    import redis.asyncio as redis
    from redis.exceptions import AuthenticationError, RedisError
except ImportError:
    HAVE_REDIS: Final = False
else:
    HAVE_REDIS = True  # type: ignore[misc]  # the other branch of the same constant

LAYOUT = 1
_CONNECT_SECONDS = 3.0
_ANSWER_SECONDS = 10.0
_ENTRIES = 8
"Read at once; the loop has other work too."
_TRIM_EVERY = 60
_COMPLETED_SECONDS = 90 * 24 * 3600


class RedisLog:
    """`url`: redis://[[USER]:PASSWORD@]HOST[:PORT][/DB], rediss://… or unix://PATH. `keep`: seconds an entry stays."""

    def __init__(self, url: str, *, keep: float, name: str = "wildbach-tracker") -> None:
        if not HAVE_REDIS:
            raise UsageError(
                "--store needs the Redis client: install it by `pip install 'wildbach[redis]'`")
        try:
            parts = urlsplit(url)
            port = f":{parts.port}" if parts.port else ""
            if parts.scheme not in ("redis", "rediss", "unix"):
                raise ValueError
            self._client: Any = redis.Redis.from_url(
                url, socket_connect_timeout=_CONNECT_SECONDS, socket_timeout=_ANSWER_SECONDS,
            )
        except ValueError:
            # Its text may have the password.
            raise UsageError("--store: a URL such as redis://127.0.0.1:6379/0 is needed") from None
        self.where = f"{parts.scheme}://{parts.hostname or parts.path}{port}"
        "The URL without a password, to show."
        self._prefix = f"{name}:{LAYOUT}:"
        self._stream = f"{self._prefix}log"
        self._keep = keep
        self._last: bytes | str = "0-0"
        self._run = ""
        self._appends = 0

    async def open(self) -> bool:
        async with self._errors():
            run = str((await self._client.info("server"))["run_id"])
        # A server that was started anew may have nothing of what was written to it.
        changed = bool(self._run) and run != self._run
        self._run = run
        if changed:
            self._last = "0-0"
        return changed

    async def append(self, batches: list[bytes], completed: list[bytes]) -> None:
        async with self._errors():
            pipe = self._client.pipeline(transaction=False)
            for batch in batches:
                pipe.xadd(self._stream, {b"b": batch})
            pipe.expire(self._stream, int(self._keep) + 1)
            for info_hash in completed:
                key = f"{self._prefix}completed:{info_hash.hex()}"
                pipe.incr(key)
                pipe.expire(key, _COMPLETED_SECONDS)
            await pipe.execute()
            self._appends += 1
            if self._appends % _TRIM_EVERY == 1:
                await self._trim()

    async def _trim(self) -> None:
        seconds, _ = await self._client.time()
        await self._client.xtrim(self._stream, minid=max(0, int((seconds - self._keep) * 1000)), approximate=True)
        if (await self._client.memory_usage(self._stream) or 0) > limits.TRACKER_SERVER_LOG_BYTES:
            length = await self._client.xlen(self._stream)
            await self._client.xtrim(self._stream, maxlen=length // 2, approximate=False)

    async def read(self, seconds: float) -> list[bytes]:
        async with self._errors():
            found = await self._client.xread(
                {self._stream: self._last}, count=_ENTRIES, block=int(seconds * 1000) if seconds else None)
        # The newer protocol of Redis gives a dictionary, the older one pairs.
        rows = found.items() if isinstance(found, dict) else found
        out: list[bytes] = []
        for _, entries in rows:
            if len(entries) == 1 and isinstance(entries[0], list):
                entries = entries[0]  # the newer protocol wraps them once more
            for number, fields in entries:
                self._last = number
                batch = fields.get(b"b") if isinstance(fields, dict) else None
                out.append(batch if isinstance(batch, bytes) else b"")
        return out

    async def completions(self, hashes: list[bytes]) -> list[int]:
        async with self._errors():
            found = await self._client.mget([f"{self._prefix}completed:{one.hex()}" for one in hashes])
        return [int(one) if one is not None and one.isdigit() and len(one) < 12 else 0 for one in found]

    async def secret(self, fresh: bytes) -> bytes:
        async with self._errors():
            await self._client.set(f"{self._prefix}secret", fresh, nx=True)
            found = await self._client.get(f"{self._prefix}secret")
        return found if isinstance(found, bytes) and len(found) == len(fresh) else fresh

    async def close(self) -> None:
        async with asyncio.timeout(_CONNECT_SECONDS):
            await self._client.aclose()

    @asynccontextmanager
    async def _errors(self) -> AsyncIterator[None]:
        try:
            yield
        except AuthenticationError as error:
            raise NetworkError(f"{self.where} refuses the password: {error}", code="store_refused") from None
        except (RedisError, OSError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise NetworkError(f"{self.where} is not reachable: {reason}", code="store_unreachable") from None
