"""Who calls, before anything proves that the caller is where it says it is.

An unproven caller costs a few numbers here and one answer to each of its packets, never larger than that. Nothing is
repeated by itself. A packet that acknowledges our answer has seen it: then, and only then, there is a stream. So a
forged sender's address turns us into no amplifier, and a flood of calls fills no memory (BEP 29; the oldest give way).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wildbach.base import limits
from wildbach.protocol.utp import packet as wire
from wildbach.protocol.utp.packet import Packet

_WRONG: Final = 3
"Guesses at our answer's number after which a caller has to begin again."
Address = tuple[str, int]


@dataclass(slots=True)
class Caller:
    ack: int
    "The number of their SYN."
    seq: int
    "That of our first packet."
    since: float
    wrong: int = 0


class Door:
    """Callers, and how many packets to nobody are still answered this second."""

    def __init__(self) -> None:
        self._callers: dict[tuple[Address, int], Caller] = {}
        self._second = 0.0
        self._resets = 0

    def __len__(self) -> int:
        return len(self._callers)

    def called(self, address: Address, syn: Packet, seq: int, now: float) -> bytes:
        """A SYN came. Returns the answer; a SYN that comes again gets the same one. `seq` is a new random number."""
        key = (address, syn.id + 1 & 0xFFFF)
        caller = self._callers.get(key)
        if caller is None or caller.ack != syn.seq:
            self._callers.pop(key, None)
            while len(self._callers) >= limits.UTP_UNCONFIRMED:
                del self._callers[next(iter(self._callers))]
            caller = self._callers[key] = Caller(syn.seq, seq & 0xFFFF, now)
        micros = int(now * 1e6) & 0xFFFFFFFF
        return wire.state(
            syn.id, micros, micros - syn.timestamp & 0xFFFFFFFF if syn.timestamp else 0, limits.UTP_RECEIVE_BYTES,
            caller.seq, syn.seq)

    def proven(self, address: Address, packet: Packet, now: float) -> Caller | None:
        """The caller whom this packet shows to have heard our answer; it is no longer one."""
        key = (address, packet.id)
        caller = self._callers.get(key)
        if caller is None:
            return None
        if now - caller.since > limits.UTP_UNCONFIRMED_SECONDS:
            del self._callers[key]
            return None
        if packet.kind in (wire.RESET, wire.SYN) or packet.ack != caller.seq - 1 & 0xFFFF:
            caller.wrong += 1
            if packet.kind == wire.RESET or caller.wrong >= _WRONG:
                del self._callers[key]
            return None
        del self._callers[key]
        return caller

    def waits(self, address: Address, id: int) -> bool:
        return (address, id) in self._callers

    def turned_away(self, packet: Packet, seq: int, now: float) -> bytes | None:
        """The answer to a packet for nobody: a reset, at most one for each packet and so many a second."""
        if packet.kind == wire.RESET:
            return None
        if now - self._second >= 1.0:
            self._second = now
            self._resets = 0
        if self._resets >= limits.UTP_RESETS_PER_SECOND:
            return None
        self._resets += 1
        return wire.header(wire.RESET, packet.id, int(now * 1e6) & 0xFFFFFFFF, 0, 0, seq & 0xFFFF, packet.seq)

    def expire(self, now: float) -> None:
        """Forget those who called and said no more."""
        for key, caller in list(self._callers.items()):
            if now - caller.since <= limits.UTP_UNCONFIRMED_SECONDS:
                break
            del self._callers[key]
