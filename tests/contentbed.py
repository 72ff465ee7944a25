"""Contents on simulated machines: streams between sessions that stand in for channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nodes import Node
from wildbach.base.errors import StorageError
from wildbach.base.geometry import BLOCK
from wildbach.base.ids import Endpoint
from wildbach.disk.memory import MemoryStorage
from wildbach.engine.contents import ContentId
from wildbach.net.transport import Connection, Sink
from wildbach.protocol import layers
from wildbach.testing.network import Network

PORT = 7000


def named(data: bytes, piece_length: int = 65536) -> ContentId:
    return ContentId(layers.file_root(layers.leaf_hashes(data)), len(data), piece_length)


def layer_of(data: bytes, piece_length: int = 65536) -> bytes:
    return layers.piece_layer(layers.leaf_hashes(data), piece_length)


class Held(MemoryStorage):
    """A file in memory that can be made to lie, or be found changed."""

    def __init__(self, content: ContentId, data: bytes = b"") -> None:
        super().__init__(content.info)
        self.lies: dict[int, None] = {}
        "Blocks that are given wrong."
        self.changed = False
        self.reads = 0
        self._all = content.size
        if data:
            self.write(0, [memoryview(data)])

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        self.reads += 1
        if self.changed:
            raise StorageError("it has changed", code="changed")
        super().read_into(offset, buffers)
        for view in buffers:
            for block in range(offset // BLOCK, -(-(offset + view.nbytes) // BLOCK)):
                if block in self.lies:
                    view[max(0, block * BLOCK - offset)] ^= 1
            offset += view.nbytes

    def try_read(self, offset: int, buffers: Sequence[memoryview]) -> bool:
        return False

    @property
    def data(self) -> bytes:
        out = bytearray(self._all)
        super().read_into(0, [memoryview(out)])
        return bytes(out)


class Metered:
    """A connection whose bytes are counted, both ways."""

    landing = None

    def __init__(self, inner: Connection) -> None:
        self._inner = inner
        self._sink: Sink | None = None
        self.bytes = 0

    remote = property(lambda self: self._inner.remote)
    local = property(lambda self: self._inner.local)
    kind = property(lambda self: self._inner.kind)
    queued = property(lambda self: self._inner.queued)
    closing = property(lambda self: self._inner.closing)
    silence = property(lambda self: self._inner.silence)
    missing = property(lambda self: self._sink.missing)

    def start(self, sink: Sink) -> None:
        self._sink = sink
        self._inner.start(self)

    def send(self, data: bytes | bytearray | memoryview, free: Callable[[], None] | None = None) -> None:
        self.bytes += len(data)
        self._inner.send(data, free)

    def pause(self) -> None:
        self._inner.pause()

    def resume(self) -> None:
        self._inner.resume()

    def close(self, error: Exception | None = None) -> None:
        self._inner.close(error)

    def received(self, data: memoryview) -> int:
        used = self._sink.received(data)
        self.bytes += used
        return used

    def drained(self) -> None:
        self._sink.drained()

    def closed(self, error: Exception | None) -> None:
        self._sink.closed(error)


def listen(device: Node, *contents: ContentId) -> list[Connection]:
    """Streams that reach a device are of these contents, one after the other; the last one for all that follow."""
    come: list[Connection] = []

    def accept(connection: Connection) -> None:
        content = contents[min(len(come), len(contents) - 1)]
        come.append(connection)
        if not device.session.contents.attach(content, connection):
            connection.close()

    device.host.listen(Endpoint("0.0.0.0", PORT), accept)
    return come


async def dial(network: Network, device: Node, other: Node) -> Connection:
    return await network.dial(device.host, Endpoint(other.host.address, PORT))
