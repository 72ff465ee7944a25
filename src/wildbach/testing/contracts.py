"""What every implementation of a seam must do. Each suite is a tuple of checks; a test runs it on each implementation.

    @pytest.mark.parametrize("check", TRANSPORT, ids=names)
    def test_tcp_keeps_the_contract_of_a_transport(check):
        asyncio.run(check(TransportPair(TcpTransport(), TcpTransport(), Endpoint("127.0.0.1", 0))))
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

from wildbach.base.errors import NetworkError, StorageError
from wildbach.base.geometry import BLOCK
from wildbach.base.ids import Endpoint
from wildbach.disk.storage import Storage
from wildbach.net.transport import Connection, Listener, Transport
from wildbach.testing.wire import Wire


@dataclass(frozen=True)
class TransportPair:
    """Two machines of one network: `near` dials, `far` listens at `at`, whose port is 0."""

    near: Transport
    far: Transport
    at: Endpoint


class _Joined:
    """A stream from near to far."""

    def __init__(self, listener: Listener, near: Connection, far: Connection) -> None:
        self.listener = listener
        self.near = near
        self.far = far

    def end(self) -> None:
        self.near.close()
        self.far.close()
        self.listener.close()


async def _join(pair: TransportPair) -> _Joined:
    accepted: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
    listener = await pair.far.listen(pair.at, accepted.set_result)
    near = await pair.near.dial(listener.endpoint)
    return _Joined(listener, near, await accepted)


def _pattern(size: int) -> bytes:
    """Bytes in which every shift shows."""
    return b"".join(hashlib.blake2b(i.to_bytes(8, "big")).digest() for i in range(-(-size // 64)))[:size]


async def both_ends_name_each_other(pair: TransportPair) -> None:
    joined = await _join(pair)
    assert joined.listener.endpoint.port
    assert joined.near.remote == joined.listener.endpoint == joined.far.local
    assert joined.near.local == joined.far.remote
    assert joined.near.kind == joined.far.kind
    joined.end()


async def bytes_arrive_whole_and_in_order(pair: TransportPair) -> None:
    joined = await _join(pair)
    near, far = Wire(joined.near), Wire(joined.far)
    data = _pattern(3_000_001)
    for start in range(0, len(data), 65_521):
        near.write(data[start : start + 65_521])
    far.write(b"meanwhile")
    assert await far.read(len(data)) == data
    assert await near.read(9) == b"meanwhile"
    joined.end()


async def buffers_are_freed_once_and_not_before_they_are_sent(pair: TransportPair) -> None:
    joined = await _join(pair)
    far = Wire(joined.far)
    near = Wire(joined.near)
    data = _pattern(2_000_000)
    freed: list[int] = []

    def reuse(index: int, buffer: bytearray) -> None:
        freed.append(index)
        buffer[:] = bytes(len(buffer))

    count = 0
    for start in range(0, len(data), 100_000):
        buffer = bytearray(data[start : start + 100_000])

        def free(index: int = count, buffer: bytearray = buffer) -> None:
            reuse(index, buffer)

        joined.near.send(memoryview(buffer), free)
        count += 1
    assert await far.read(len(data)) == data
    await near.drain(0)
    assert freed == list(range(count))
    assert joined.near.queued == 0
    joined.end()


async def a_reader_that_pauses_holds_the_writer_up(pair: TransportPair) -> None:
    joined = await _join(pair)
    far = _Counting()
    joined.far.start(far)
    near = Wire(joined.near)
    joined.far.pause()
    # More than what the sockets of both sides hold.
    data, count = bytes(1 << 20), 24
    for _ in range(count):
        joined.near.send(data)
    await asyncio.sleep(0.5)
    assert joined.near.queued > 0
    before = far.count
    await asyncio.sleep(0.2)
    assert far.count == before
    joined.far.resume()
    await near.drain(0)
    await far.until(lambda: far.count == count << 20)
    joined.end()


async def bytes_land_in_the_places_they_are_given(pair: TransportPair) -> None:
    joined = await _join(pair)
    sink = _Placed(_pattern(4_000_003))
    joined.far.landing = sink
    joined.far.start(sink)
    near = Wire(joined.near)
    for start in range(0, len(sink.expected), 700_001):
        near.write(sink.expected[start : start + 700_001])
    await sink.until(lambda: sink.count == len(sink.expected))
    assert sink.target == sink.expected and sink.landed_in_all
    joined.end()


async def what_a_sink_leaves_comes_again_with_what_follows(pair: TransportPair) -> None:
    joined = await _join(pair)
    sink = _Lines()
    joined.far.start(sink)
    Wire(joined.near)
    for part in (b"one", b"\ntw", b"o\nthr", b"ee\n"):
        joined.near.send(part)
        await asyncio.sleep(0.05)
    await sink.until(lambda: len(sink.lines) == 3)
    assert sink.lines == [b"one", b"two", b"three"]
    joined.end()


async def a_sink_may_give_way_to_another_while_it_is_fed(pair: TransportPair) -> None:
    joined = await _join(pair)
    lines = _Lines()
    first = _GivesWay(joined.far, lines)
    joined.far.start(first)
    Wire(joined.near)
    for part in (b"one\ntw", b"o\nthr", b"ee\n"):
        joined.near.send(part)
        await asyncio.sleep(0.05)
    await lines.until(lambda: len(lines.lines) == 3)
    assert lines.lines == [b"one", b"two", b"three"]
    assert first.fed == 1
    joined.end()


async def silence_ends_when_bytes_come_and_when_ours_have_come(pair: TransportPair) -> None:
    joined = await _join(pair)
    near, far = Wire(joined.near), Wire(joined.far)
    await asyncio.sleep(0.3)
    before = joined.near.silence, joined.far.silence
    assert all(silence == 0.0 or silence > 0.25 for silence in before)  # 0: the system does not say
    near.write(b"hello")
    assert await far.read(5) == b"hello"
    assert joined.far.silence < 0.2
    await asyncio.sleep(0.25)  # it may take its time to say so
    assert joined.near.silence < 0.3
    joined.end()


async def nothing_is_delivered_before_start(pair: TransportPair) -> None:
    joined = await _join(pair)
    near = Wire(joined.near)
    near.write(b"early")
    await asyncio.sleep(0.2)
    assert await Wire(joined.far).read(5) == b"early"
    joined.end()


async def the_other_side_reads_what_was_sent_and_then_the_end(pair: TransportPair) -> None:
    joined = await _join(pair)
    near, far = Wire(joined.near), Wire(joined.far)
    near.write(b"last words")
    await near.drain(0)
    near.close()
    assert await far.read_all() == b"last words"
    assert isinstance(far.error, NetworkError)
    await near.wait_closed()
    assert near.error is None
    joined.end()


async def closing_tells_the_own_sink_once_and_later(pair: TransportPair) -> None:
    joined = await _join(pair)
    sink = _Counting()
    joined.near.start(sink)
    reason = NetworkError("enough")
    joined.near.close(reason)
    assert sink.ends == []
    joined.near.close(NetworkError("again"))
    freed: list[int] = []
    joined.near.send(b"late", lambda: freed.append(1))
    await asyncio.sleep(0.05)
    assert sink.ends == [reason]
    assert freed == [1]
    joined.end()
    await asyncio.sleep(0.05)
    assert sink.ends == [reason]


async def closing_frees_what_is_queued(pair: TransportPair) -> None:
    joined = await _join(pair)
    freed: list[int] = []
    joined.near.start(_Counting())
    for index in range(64):
        joined.near.send(bytes(1 << 20), lambda index=index: freed.append(index))  # type: ignore[misc]  # bound early
    joined.near.close()
    await asyncio.sleep(0.05)
    assert freed == list(range(64))
    joined.end()


async def writing_to_a_side_that_closed_ends_the_stream(pair: TransportPair) -> None:
    joined = await _join(pair)
    near = Wire(joined.near)
    Wire(joined.far)
    joined.far.close()
    for _ in range(100):
        near.write(bytes(10_000))
        await asyncio.sleep(0.01)
        if near.ended:
            break
    assert isinstance(near.error, NetworkError)
    joined.end()


async def a_port_nobody_listens_on_refuses(pair: TransportPair) -> None:
    listener = await pair.far.listen(pair.at, _turn_away)
    listener.close()
    try:
        connection = await pair.near.dial(listener.endpoint)
    except NetworkError as error:
        assert error.code == "refused"
        return
    connection.close()
    raise AssertionError("somebody answered")


async def a_port_is_listened_on_once(pair: TransportPair) -> None:
    listener = await pair.far.listen(pair.at, _turn_away)
    try:
        await pair.far.listen(listener.endpoint, _turn_away)
    except NetworkError:
        listener.close()
        again = await pair.far.listen(listener.endpoint, _turn_away)
        again.close()
        return
    raise AssertionError("two listeners on one port")


async def a_dial_can_be_cancelled(pair: TransportPair) -> None:
    listener = await pair.far.listen(pair.at, _turn_away)
    try:
        async with asyncio.timeout(0):
            await pair.near.dial(listener.endpoint)
    except TimeoutError:
        pass
    listener.close()


TransportCheck = Callable[[TransportPair], Awaitable[None]]

TRANSPORT: tuple[TransportCheck, ...] = (
    both_ends_name_each_other,
    bytes_arrive_whole_and_in_order,
    buffers_are_freed_once_and_not_before_they_are_sent,
    a_reader_that_pauses_holds_the_writer_up,
    bytes_land_in_the_places_they_are_given,
    what_a_sink_leaves_comes_again_with_what_follows,
    a_sink_may_give_way_to_another_while_it_is_fed,
    silence_ends_when_bytes_come_and_when_ours_have_come,
    nothing_is_delivered_before_start,
    the_other_side_reads_what_was_sent_and_then_the_end,
    closing_tells_the_own_sink_once_and_later,
    closing_frees_what_is_queued,
    writing_to_a_side_that_closed_ends_the_stream,
    a_port_nobody_listens_on_refuses,
    a_port_is_listened_on_once,
    a_dial_can_be_cancelled,
)


def _turn_away(connection: Connection) -> None:
    connection.close()


class _Counting:
    missing = 0

    def __init__(self) -> None:
        self.count = 0
        self.ends: list[Exception | None] = []
        self._changed = asyncio.Event()

    async def until(self, ready: Callable[[], bool]) -> None:
        while not ready():
            self._changed.clear()
            await self._changed.wait()

    def received(self, data: memoryview) -> int:
        self.count += len(data)
        self._changed.set()
        return len(data)

    def drained(self) -> None:
        pass

    def closed(self, error: Exception | None) -> None:
        self.ends.append(error)


class _Lines(_Counting):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[bytes] = []

    def received(self, data: memoryview) -> int:
        *lines, rest = bytes(data).split(b"\n")
        self.lines += lines
        self._changed.set()
        return len(data) - len(rest)


class _GivesWay(_Counting):
    """Takes nothing: at the first bytes it puts another sink in its place."""

    def __init__(self, connection: Connection, heir: _Lines) -> None:
        super().__init__()
        self.fed = 0
        self._connection = connection
        self._heir = heir

    def received(self, data: memoryview) -> int:
        self.fed += 1
        self._connection.start(self._heir)
        return self._heir.received(data)


class _Placed(_Counting):
    """A sink and a landing: it wants bytes in rows of `_ROW`, the odd rows of them in places."""

    _ROW = 5000

    def __init__(self, expected: bytes) -> None:
        super().__init__()
        self.expected = expected
        self.target = bytearray(len(expected))
        self.landed_in_all = 0

    def places(self, kept: bytes, most: int) -> list[memoryview]:
        start = self.count + (self._ROW if kept else 0)
        stop = min(start + max(0, most), len(self.target))
        view = memoryview(self.target)
        return [view[at : min(at + self._ROW, stop)] for at in range(start, stop, self._ROW)]

    def landed(self, count: int) -> int:
        # Of three rows one is refused: it comes by the other way, and so does a row that is not whole.
        rows = max(0, count // self._ROW - (self.count // self._ROW) % 3)
        self.count += rows * self._ROW
        self.landed_in_all += rows * self._ROW
        self._changed.set()
        return rows * self._ROW

    def received(self, data: memoryview) -> int:
        left = len(self.expected) - self.count
        used = len(data) if len(data) >= left else len(data) - len(data) % self._ROW
        self.target[self.count : self.count + used] = data[:used]
        self.count += used
        self.missing = min(self._ROW, len(self.expected) - self.count) - (len(data) - used)
        self._changed.set()
        return used


@dataclass(frozen=True)
class StorageCase:
    """A storage over `content` as its linear address space. Each `open` gives the same bytes again."""

    open: Callable[[], Storage]
    content: bytes


def _fill(case: StorageCase) -> Storage:
    storage = case.open()
    storage.prepare()
    for start in range(0, len(case.content), 3 * BLOCK):
        storage.write(start, [memoryview(case.content)[start : start + 3 * BLOCK]])
    return storage


def _read(storage: Storage, offset: int, length: int) -> bytes:
    buffer = bytearray(length)
    storage.read_into(offset, [memoryview(buffer)])
    return bytes(buffer)


def what_was_written_is_read_back(case: StorageCase) -> None:
    storage = _fill(case)
    assert _read(storage, 0, len(case.content)) == case.content
    for offset, length in ((0, 1), (1, BLOCK), (BLOCK - 1, 2), (len(case.content) - 7, 7)):
        assert _read(storage, offset, length) == case.content[offset : offset + length]
    storage.close()


def buffers_follow_each_other(case: StorageCase) -> None:
    storage = case.open()
    storage.prepare()
    view = memoryview(case.content)
    cuts = [0, 1, 100, BLOCK, BLOCK + 5, 3 * BLOCK, len(view)]
    storage.write(0, [view[start:stop] for start, stop in pairwise(cuts)])
    parts = [bytearray(stop - start) for start, stop in pairwise(cuts)]
    storage.read_into(0, [memoryview(part) for part in parts])
    assert b"".join(parts) == case.content
    storage.close()


def later_writes_win(case: StorageCase) -> None:
    storage = _fill(case)
    storage.write(BLOCK // 2, [memoryview(bytes(BLOCK))])
    right = case.content[: BLOCK // 2] + bytes(BLOCK) + case.content[BLOCK // 2 + BLOCK :]
    assert _read(storage, 0, len(case.content)) == right
    storage.write(BLOCK // 2, [memoryview(case.content)[BLOCK // 2 : BLOCK // 2 + BLOCK]])
    assert _read(storage, 0, len(case.content)) == case.content
    storage.close()


def what_was_never_written_is_an_error_of_the_storage(case: StorageCase) -> None:
    storage = case.open()
    try:
        _read(storage, 0, len(case.content))
    except StorageError as error:
        assert error.code in ("missing", "short_file")
        assert not storage.try_read(0, [memoryview(bytearray(1))])
        storage.close()
        return
    raise AssertionError("bytes out of nothing")


def reading_without_waiting_is_right_or_says_no(case: StorageCase) -> None:
    storage = _fill(case)
    for offset in range(0, len(case.content) - 100, BLOCK - 50):
        buffer = bytearray(100)
        if storage.try_read(offset, [memoryview(buffer)[:30], memoryview(buffer)[30:]]):
            assert buffer == case.content[offset : offset + 100]
    storage.close()


def several_threads_write_and_read_at_once(case: StorageCase) -> None:
    storage = case.open()
    storage.prepare()
    view = memoryview(case.content)

    def work(start: int) -> bool:
        part = view[start : start + BLOCK]
        storage.write(start, [part])
        return _read(storage, start, len(part)) == part

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(0, len(view), BLOCK)))
    assert _read(storage, 0, len(view)) == case.content
    storage.close()


def what_was_synced_is_there_when_it_is_opened_again(case: StorageCase) -> None:
    storage = _fill(case)
    storage.sync()
    storage.close()
    again = case.open()
    assert _read(again, 0, len(case.content)) == case.content
    again.close()


def places_for_others_to_write_cover_the_range(case: StorageCase) -> None:
    storage = case.open()
    storage.prepare()
    targets = storage.targets(10, 3 * BLOCK)
    if targets is not None:
        assert sum(target.length for target in targets) == 3 * BLOCK
        storage.release(targets)
    storage.close()


def closing_twice_is_fine(case: StorageCase) -> None:
    storage = _fill(case)
    storage.close()
    storage.close()


StorageCheck = Callable[[StorageCase], None]

STORAGE: tuple[StorageCheck, ...] = (
    what_was_written_is_read_back,
    buffers_follow_each_other,
    later_writes_win,
    what_was_never_written_is_an_error_of_the_storage,
    reading_without_waiting_is_right_or_says_no,
    several_threads_write_and_read_at_once,
    what_was_synced_is_there_when_it_is_opened_again,
    places_for_others_to_write_cover_the_range,
    closing_twice_is_fine,
)
