"""A peer connection by hand: a plain blocking socket, and this program's codecs at its end."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from wildbach.protocol.ext import handshake
from wildbach.protocol.wire import codec
from wildbach.protocol.wire.handshake import Handshake, parse

PEER_ID = b"-WB0100-abcdefghijkl"


class Wire:
    """Connected and greeted. `theirs` is the other side's handshake."""

    def __init__(
        self, at: tuple[str, int], info_hash: bytes, *, v2: bool = False, hello: bool = True, peer_id: bytes = PEER_ID,
    ) -> None:
        self.socket = socket.create_connection(at, 10)
        self.socket.settimeout(20)
        try:
            self.send(Handshake(info_hash, peer_id, v2=v2).to_bytes())
            self.theirs = parse(self.read(68))
        except BaseException:
            self.close()
            raise
        if hello:
            self.send(handshake.message(0, handshake.build(client="wildbach test")))

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionError("the connection was closed")
            data += part
        return data

    def messages(self) -> Iterator[tuple[int, bytes]]:
        """Id and body of each message."""
        while True:
            (length,) = struct.unpack(">I", self.read(4))
            if length:
                body = self.read(length)
                yield body[0], body[1:]

    def wait(self, kind: int) -> bytes:
        """The body of the next message of a kind."""
        return next(body for number, body in self.messages() if number == kind)

    def events(self) -> Iterator[codec.Event]:
        """The messages as this program's decoder reads them."""
        decoder = codec.Decoder()
        for kind, body in self.messages():
            raw = struct.pack(">IB", len(body) + 1, kind) + body
            found, used = decoder.decode(memoryview(raw))
            assert used == len(raw)
            yield from found
