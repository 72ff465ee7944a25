"""Work that must not run on the loop: a pool of threads, and long-lived worker processes that share memory.

Threads do for calls that let go of the interpreter for long (one hash over a megabyte, a read, a sync). Processes are
for many short ones, such as the 16 KiB leaves of v2, where threads fight the busy loop for the interpreter.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import io
import marshal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from wildbach.runtime.serving import MESSAGE, READY

T = TypeVar("T")

_START = "import sys; sys.path.append(sys.argv.pop(1)); m = sys.argv.pop(1); __import__(m); sys.modules[m].main()"
"A child needs nothing but the standard library and this package, and is up in a few hundredths of a second."
_HOME = str(Path(__file__).parents[2])


class Threads:
    """A few threads for blocking calls. In simulation the loop runs the calls itself, in virtual time."""

    def __init__(self, count: int, name: str = "wildbach") -> None:
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(self, fn: Callable[..., T], *args: object) -> T:
        """Run a blocking call and wait for its result; its exceptions come through."""
        return await self.begin(fn, *args)

    def begin(self, fn: Callable[..., T], *args: object) -> asyncio.Future[T]:
        """Begin a blocking call whose result is waited for later."""
        return asyncio.get_running_loop().run_in_executor(self._executor, fn, *args)

    def submit(self, call: Callable[[], T], done: Callable[[T | BaseException], None]) -> None:
        """Run a blocking call and hand its result or exception to `done`, on the loop."""
        future = asyncio.get_running_loop().run_in_executor(self._executor, call)
        future.add_done_callback(lambda ended: done(_outcome(ended)))

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)


def _outcome(future: asyncio.Future[Any]) -> Any:
    if future.cancelled():
        return asyncio.CancelledError()
    error = future.exception()
    return future.result() if error is None else error


Reply = Callable[[Any], None]
_PARCELS = 2
"A child with so many parcels has enough to do for now."
_PARCEL = 4
"More messages do not wait for each other: what is done is to be known soon, and its memory used again."


class WorkerProcess:
    """One child that answers messages in order over a socket pair.

    A child that is busy gets what comes meanwhile in one go, and answers it so: waking each other up would cost more
    than the work on either side.

    Messages are plain values (numbers, bytes, tuples) written by `marshal`: both ends are this program, started from
    the same interpreter. Descriptors may travel with a message. When the child ends unexpectedly every message
    without an answer gets None, and the caller does the work itself.
    """

    def __init__(self, module: str, pass_fds: Sequence[int], args: Sequence[str]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._sock = ours
        self._sock.setblocking(False)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _START, _HOME, module, str(theirs.fileno()), *args],
                pass_fds=[theirs.fileno(), *pass_fds], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Reply] = deque()
        self._held: list[bytes] = []
        "Messages that wait for the child to have less to do."
        self._asked: deque[int] = deque()
        "How many messages each parcel had that is not answered yet."
        self._queue: deque[tuple[bytes, Sequence[int]]] = deque()
        self.alive = True
        self.ready = False
        "True once the child has answered for the first time."
        self._loop.add_reader(self._sock, self._readable)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def backlog(self) -> int:
        """Messages without an answer."""
        return len(self._waiting)

    def call(self, message: Any, reply: Reply) -> None:
        """Send a message; `reply` gets the answer, later. Messages that need no answer use `tell`."""
        if not self.alive:
            self._loop.call_soon(reply, None)
            return
        self._waiting.append(reply)
        self._held.append(marshal.dumps(message))
        if len(self._asked) < _PARCELS or len(self._held) >= _PARCEL:
            self._post()

    def tell(self, message: Any, fds: Sequence[int] = ()) -> None:
        self._post()
        self._send(marshal.dumps(message), fds)

    def _post(self) -> None:
        """Send what waits, in as few parcels as it fits in."""
        while self._held:
            size = count = 0
            for raw in self._held:
                if count and size + len(raw) > MESSAGE:
                    break
                size += len(raw)
                count += 1
            parcel, self._held = self._held[:count], self._held[count:]
            self._asked.append(count)
            self._send(b"".join(parcel) if count > 1 else parcel[0], ())

    def _send(self, raw: bytes, fds: Sequence[int]) -> None:
        if not self.alive:
            return
        if self._queue:
            self._queue.append((raw, fds))
            return
        if not self._try_send(raw, fds):
            self._queue.append((raw, fds))
            self._loop.add_writer(self._sock, self._writable)

    def _try_send(self, raw: bytes, fds: Sequence[int]) -> bool:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            self._sock.sendmsg([raw], ancillary)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            self._ended()
        return True

    def _writable(self) -> None:
        while self._queue:
            if not self._try_send(*self._queue[0]):
                return
            if not self.alive:
                return
            self._queue.popleft()
        self._loop.remove_writer(self._sock)

    def _readable(self) -> None:
        for _ in range(64):
            try:
                raw = self._sock.recv(MESSAGE)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                raw = b""
            if not raw:
                self._ended()
                return
            if raw == READY:
                self.ready = True
                continue
            replies = io.BytesIO(raw)
            for _ in range(self._asked.popleft()):
                if not self.alive:
                    return  # somebody closed it meanwhile, and everybody was told
                self._waiting.popleft()(marshal.load(replies))
            self._post()

    def _ended(self) -> None:
        if not self.alive:
            return
        self.alive = False
        self.ready = False
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        self._sock.close()
        self._queue.clear()
        self._held.clear()
        self._asked.clear()
        waiting, self._waiting = self._waiting, deque()
        for reply in waiting:
            self._loop.call_soon(reply, None)

    def close(self) -> None:
        """End the child. Messages on their way get None."""
        self._ended()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
