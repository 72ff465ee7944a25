"""Hashing a stream of file ranges, piece by piece. Also the program of a hash process.

A process answers jobs on the socket it inherits as standard input and imports nothing outside the standard library,
so it starts in some 15 ms; the threads of the main process call `hash_pieces` directly. A message is 8 bytes (length,
number of descriptors), with the descriptors attached, then a `marshal`led value.
"""

from __future__ import annotations

import array
import errno
import marshal
import os
import socket
import struct
from collections.abc import Callable, Sequence
from hashlib import sha1, sha256
from typing import Any

BLOCK = 16384
BUFFER = 1 << 20
"Bytes read at once: they stay in the processor's cache until they are hashed."
HEADER = struct.Struct("<II")
MAX_DESCRIPTORS = 128
"Descriptors attached to one message."

GOOD, MISSING, HOLE = 0, 1, 2
"A piece's bytes are there; some are not; it reads as zeros because nothing was ever written."

Segment = tuple[int, int, int]
"(file number, offset, length); number -1 is a run of zeros, -2 bytes that are not there."
Piece = tuple[int, int, int]
"(bytes, zeros behind them that only SHA-1 covers, level of the Merkle root)."
Reader = Callable[[int, int, memoryview], int]
Result = tuple[bytes, bytes, bytes]
"A status byte, a SHA-1 and a Merkle root a piece; hashes nobody asked for take no bytes."

ZEROS, NOWHERE = -1, -2


def _pads() -> list[bytes]:
    out = [bytes(32)]
    for _ in range(64):
        out.append(sha256(out[-1] * 2).digest())
    return out


PADS = _pads()


def merkle(leaves: list[bytes], level: int) -> bytes:
    """The root over leaf hashes at `level`, the missing leaves being zero (BEP 52)."""
    for at in range(level):
        if len(leaves) & 1:
            leaves.append(PADS[at])
        pairs = iter(leaves)
        leaves = [sha256(left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
    return leaves[0] if leaves else PADS[level]


class _Hashing:
    """The state between two chunks of the stream."""

    def __init__(self, pieces: Sequence[Piece], v1: bool, v2: bool) -> None:
        self._pieces = pieces
        self._v1 = v1
        self._v2 = v2
        self._at = 0
        self._left = pieces[0][0] if pieces else 0
        self._missing = False
        self._sha1 = sha1(usedforsecurity=False) if v1 else None
        self._leaves: list[bytes] = []
        self._zero: dict[Piece, tuple[bytes, bytes]] = {}
        self.status = bytearray()
        self.sha1s: list[bytes] = []
        self.roots: list[bytes] = []

    @property
    def fresh(self) -> int:
        """Bytes of the piece that begins here; 0 inside one."""
        return self._left if self._at < len(self._pieces) and self._left == self._pieces[self._at][0] else 0

    def feed(self, view: memoryview) -> None:
        at, end = 0, view.nbytes
        while at < end:
            take = min(self._left, end - at)
            if not self._missing:
                if self._sha1 is not None:
                    self._sha1.update(view[at : at + take])
                if self._v2:
                    stop = at + take
                    self._leaves += [
                        sha256(view[i : min(i + BLOCK, stop)]).digest() for i in range(at, stop, BLOCK)
                    ]
            self._advance(take)
            at += take

    def skip(self, length: int) -> None:
        """Bytes that cannot be had: the pieces they belong to are missing."""
        while length:
            take = min(self._left, length)
            self._missing = True
            self._advance(take)
            length -= take

    def zeros(self, view: memoryview) -> None:
        """A whole piece that is a hole: its hashes are computed once a size, from a buffer of zeros."""
        piece = self._pieces[self._at]
        known = self._zero.get(piece)
        if known is None:
            before = len(self.sha1s), len(self.roots)
            size = piece[0]
            while size:
                size -= (take := min(size, view.nbytes))
                self.feed(view[:take])
            self.status[-1] = HOLE
            self._zero[piece] = b"".join(self.sha1s[before[0] :]), b"".join(self.roots[before[1] :])
            return
        self.status.append(HOLE)
        if self._v1:
            self.sha1s.append(known[0])
        if self._v2:
            self.roots.append(known[1])
        self._next()

    def _advance(self, take: int) -> None:
        self._left -= take
        if self._left:
            return
        _, tail, level = self._pieces[self._at]
        self.status.append(MISSING if self._missing else GOOD)
        if self._sha1 is not None:
            while tail:
                tail -= (part := min(tail, BUFFER))
                self._sha1.update(bytes(part))
            self.sha1s.append(self._sha1.digest())
        if self._v2:
            self.roots.append(bytes(32) if self._missing else merkle(self._leaves, level))
        self._next()

    def _next(self) -> None:
        self._at += 1
        self._left = self._pieces[self._at][0] if self._at < len(self._pieces) else 0
        self._missing = False
        self._leaves = []
        if self._v1:
            self._sha1 = sha1(usedforsecurity=False)


def hash_pieces(
    read: Reader, holes: Callable[[int, int], int], segments: Sequence[Segment], pieces: Sequence[Piece],
    v1: bool, v2: bool, buffer: memoryview,
) -> Result:
    """Hash the stream of `segments`, cut into `pieces`.

    `read(file, offset, view)` returns the bytes it got; `holes(file, offset)` the next offset with data. The buffer
    is a multiple of 16 KiB.
    """
    state = _Hashing(pieces, v1, v2)
    zero = memoryview(bytes(min(buffer.nbytes, 1 << 16)))
    for number, offset, length in segments:
        if number == NOWHERE:
            state.skip(length)
            continue
        data_at = 0
        while length:
            if number == ZEROS:
                take = min(length, zero.nbytes)
                state.feed(zero[:take])
                offset, length = offset + take, length - take
                continue
            if offset >= data_at:
                data_at = holes(number, offset)
            fresh = state.fresh
            if 0 < fresh <= length and data_at >= offset + fresh:
                state.zeros(zero)
                offset, length = offset + fresh, length - fresh
                continue
            take = min(length, buffer.nbytes)
            got = read(number, offset, buffer[:take])
            state.feed(buffer[:got])
            if got < take:
                state.skip(length - got)
                break
            offset, length = offset + take, length - take
    return bytes(state.status), b"".join(state.sha1s), b"".join(state.roots)


class Descriptors:
    """Reads from numbered descriptors; holes are looked for in files that have some."""

    def __init__(self) -> None:
        self.fds: dict[int, int] = {}
        self._sparse: dict[int, int] = {}

    def add(self, number: int, fd: int) -> None:
        self.fds[number] = fd
        state = os.fstat(fd)
        if state.st_blocks * 512 < state.st_size and hasattr(os, "SEEK_DATA"):
            self._sparse[number] = state.st_size

    def read(self, number: int, offset: int, view: memoryview) -> int:
        fd = self.fds[number]
        total = 0
        while total < view.nbytes:
            got = os.preadv(fd, [view[total:] if total else view], offset + total)
            if got == 0:
                break
            total += got
        return total

    def holes(self, number: int, offset: int) -> int:
        """The first offset from `offset` on that may hold data."""
        size = self._sparse.get(number)
        if size is None or offset >= size:
            return offset
        try:
            return os.lseek(self.fds[number], offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return size
            del self._sparse[number]
            return offset

    def forget(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            fd = self.fds.pop(number, None)
            self._sparse.pop(number, None)
            if fd is not None:
                os.close(fd)


def send(sock: socket.socket, value: Any, fds: Sequence[int] = ()) -> None:
    """Send one message."""
    body = marshal.dumps(value)
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([HEADER.pack(len(body), len(fds))], ancillary)
    sock.sendall(body)


def receive(sock: socket.socket) -> tuple[Any, list[int]]:
    """The next message with its descriptors. Raises EOFError at the end of the stream."""
    fds = array.array("i")
    head, ancillary, _, _ = sock.recvmsg(HEADER.size, socket.CMSG_SPACE(MAX_DESCRIPTORS * fds.itemsize))
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    while len(head) < HEADER.size:
        more = sock.recv(HEADER.size - len(head))
        if not more:
            raise EOFError
        head += more
    length, _ = HEADER.unpack(head)
    body = bytearray(length)
    view = memoryview(body)
    while view.nbytes:
        got = sock.recv_into(view)
        if not got:
            raise EOFError
        view = view[got:]
    return marshal.loads(body), list(fds)  # both ends are this program


def answer(sock: socket.socket, files: Descriptors, buffer: memoryview) -> None:
    """Serve one job: (new numbers, forgotten numbers, segments, pieces, v1, v2) → a Result, or an errno and text."""
    job, fds = receive(sock)
    new, forgotten, segments, pieces, v1, v2 = job
    files.forget(forgotten)
    for number, fd in zip(new, fds, strict=True):
        files.add(number, fd)
    try:
        send(sock, hash_pieces(files.read, files.holes, segments, pieces, v1, v2, buffer))
    except OSError as error:
        send(sock, (error.errno or errno.EIO, str(error)))


def main() -> None:
    """Serve jobs until the other side closes the socket."""
    sock = socket.socket(fileno=os.dup(0))
    files = Descriptors()
    buffer = memoryview(bytearray(BUFFER))
    try:
        while True:
            answer(sock, files, buffer)
    except (EOFError, ConnectionError):
        return


if __name__ == "__main__":
    main()
