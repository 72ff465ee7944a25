"""Frames of many channels in one connection: bytes from the other side, and an owner that accepts and reads."""

from __future__ import annotations

from struct import pack

from wildbach.base.errors import RemoteError
from wildbach.protocol import mux as wire
from wildbach.protocol.mux import CONTROL, Closed, Data, Messages, Mux, Opened, Refused

ALLOWED = (RemoteError,)


def _frame(number: int, kind: int, payload: bytes = b"") -> bytes:
    return pack(">II", number, kind << 24 | len(payload)) + payload


_CREDIT = pack(">I", 100_000)
SEEDS: list[bytes] = [
    _frame(0, wire.DATA, pack(">I", 5) + b"hello") + _frame(0, wire.PING, bytes(8)),
    _frame(2, wire.OPEN, _CREDIT + b"why") + _frame(2, wire.DATA, bytes(500)) + _frame(2, wire.CLOSE),
    _frame(1, wire.ACCEPT, _CREDIT) + _frame(1, wire.DATA, bytes(9)) + _frame(1, wire.CREDIT, _CREDIT),
    _frame(1, wire.RESET) + _frame(0, wire.BLOCKED) + _frame(0, wire.CREDIT, _CREDIT) + _frame(0, wire.PONG, bytes(8)),
]
TOKENS = [_frame(number, kind) for number in (0, 1, 2, 3) for kind in (wire.DATA, wire.OPEN, wire.CLOSE, wire.BLOCKED)]
TOKENS += [_CREDIT, bytes(4)]


def one_input(data: bytes) -> None:
    mux = Mux(True)
    mux.send(mux.open(), bytes(200_000))
    messages = Messages()
    kept = b""
    while data:
        kept += data[:64]
        data = data[64:]
        events, used = mux.received(memoryview(kept))
        for event in events:
            if isinstance(event, Data):
                for part in event.parts:
                    if event.channel == CONTROL:
                        messages.put(part)
                    mux.consumed(event.channel, len(part))
            elif isinstance(event, Opened):
                if event.request.startswith(b"no"):
                    mux.refuse(event.channel)
                else:
                    mux.accept(event.channel)
                    mux.send(event.channel, b"welcome")
            elif isinstance(event, Closed | Refused):
                mux.forget(event.channel)
        while messages.next() is not None:
            pass
        mux.take(10_000)
        kept = kept[used:]
