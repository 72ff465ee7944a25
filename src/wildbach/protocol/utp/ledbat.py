"""How much a stream may have on its way: delay-based congestion control in the manner of LEDBAT (RFC 6817, BEP 29).

The aim is a queue of `TARGET` seconds at the bottleneck, whoever filled it: below it the window grows, above it the
window shrinks in proportion, so whoever fills queues until they overflow, as TCP does, gets the link. Where queues
overflow before that, the aim comes down to what they hold. At first the window doubles while there is no queue; later
it grows by a share that rises the longer nothing was lost: a packet a round trip would take minutes on a fat link.

Delay is that of the remote's clock. Its unknown offset is the least delay seen lately, its drift is bounded by the
round trip, and now and then the window is closed for a moment to see the link without our own queue.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from wildbach.base import limits
from wildbach.protocol.utp.packet import ahead32

TARGET: Final = 0.100
_TARGET_LEAST: Final = 0.010
_FROM_QUEUE: Final = 0.6
"Of the queue at which packets get lost, so much is aimed for."
_LOSS_KEEPS: Final = 0.7
_SLOW_START_QUEUE: Final = 0.4
"Doubling ends with a queue of so much of the target."
_SHARE: Final = 0.03
"Growth in a round trip, of the window, while the queue is short."
_SHARE_MOST: Final = 0.5
_QUIET_TRIPS: Final = 10
"Round trips without loss or queue after which growth gets faster."
_PERIOD: Final = 30.0
"Seconds for which a least delay is trusted without having been seen again."
_PERIODS: Final = 8
_LOOK_TRIPS: Final = 1.0
_NEAR: Final = 0.004
_SLACK: Final = 0.004
"Seconds that answers may take besides the path."
_FILTER: Final = 4
_GONE: Final = 1 << 30
_FIRST_WINDOW: Final = 10


class _Least:
    """The least value of this period and of some before it."""

    __slots__ = ("_before", "now", "value")

    def __init__(self) -> None:
        self.value = float("inf")
        self.now = float("inf")
        self._before: deque[float] = deque(maxlen=_PERIODS)

    def add(self, value: float) -> None:
        if value < self.now:
            self.now = value
            self.value = min(self.value, value)

    def step(self) -> None:
        self._before.append(self.now)
        self.now = float("inf")
        self.value = min(self._before)


class Congestion:
    """The window of one stream. Bytes are payload, times are seconds."""

    __slots__ = (
        "_anchor", "_base", "_checked", "_cut_at", "_delays", "_least", "_look_until", "_quiet", "_restore",
        "_trip_end", "_undo", "delay", "rtt", "size", "slow_start", "target", "threshold", "variance", "window",
    )

    def __init__(self, size: int, now: float) -> None:
        self.size = size
        "Payload of a full packet."
        self.window = float(_FIRST_WINDOW * size)
        self.threshold = float(_GONE)
        self.slow_start = True
        self.rtt = 0.0
        "Smoothed; 0 where there is no sample."
        self.variance = 0.0
        self.delay = 0.0
        "The queue at the bottleneck, as far as is known."
        self.target = TARGET
        self._anchor: int | None = None
        self._base = _Least()
        self._least = _Least()
        self._delays: list[float] = []
        self._checked = now
        self._look_until: float | None = None
        self._restore = 0.0
        self._quiet = 0
        self._trip_end = now
        self._cut_at = float("-inf")
        self._undo: tuple[float, float] | None = None

    @property
    def least_rtt(self) -> float:
        """The round trip without a queue, as far as is known; 0 where it is not."""
        least = self._least.value
        return least if least < float("inf") else 0.0

    @property
    def timeout(self) -> float:
        """Seconds after which silence means that all is lost."""
        return max(0.5, self.rtt + 4 * self.variance) if self.rtt else 1.0

    @property
    def answer(self) -> float:
        """Seconds within which nearly every answer comes."""
        return self.rtt + max(4 * self.variance, self.rtt / 4, 0.005) if self.rtt else 1.0

    @property
    def rate(self) -> float:
        """Bytes a second to send at, so that a window leaves evenly; 0: as fast as it goes."""
        # A remote that was held up for a while has a long round trip behind it: the path is as short as it was.
        trip = min(self.rtt, self.least_rtt + self.delay + _SLACK) if self.least_rtt else self.rtt
        if trip < 0.002 + _SLACK:
            return 0.0
        return self.window * (2.0 if self.slow_start else 1.25) / trip

    # -- samples

    def round_trip(self, sample: float) -> None:
        sample = max(sample, 1e-6)
        if self.rtt:
            self.variance += (abs(sample - self.rtt) - self.variance) / 4
            self.rtt += (sample - self.rtt) / 8
        else:
            self.rtt = sample
            self.variance = sample / 2
        self._least.add(sample)

    def one_way(self, difference: int, trip: float | None) -> None:
        """Their clock less ours, in microseconds of 32 bits, when the newest packet came; `trip`: that packet's round
        trip where it is known, which cannot be shorter than its queue."""
        if self._anchor is None:
            self._anchor = difference
        sample = ahead32(difference, self._anchor) / 1e6
        self._base.add(sample)
        queue = sample - self._base.value
        if trip is not None:
            queue = min(queue, max(0.0, trip - self.least_rtt) + 0.001)
        self._delays.append(queue)
        if len(self._delays) > _FILTER:
            del self._delays[0]
        self.delay = min(self._delays)

    # -- what happened

    def acked(self, size: int, outside: int, now: float) -> None:
        """So many bytes arrived; `outside` were on their way before."""
        if self._look(now):
            return
        if now >= self._trip_end:
            self._trip_end = now + max(self.rtt, 0.001)
            self._quiet = self._quiet + 1 if self.delay < self.target / 4 else 0
            self.target = min(TARGET, self.target * 1.002)
        off = (self.target - self.delay) / self.target
        window = self.window
        if off < 0:
            if self.slow_start:
                self._leave_slow_start()
            self.window = max(2.0 * self.size, window + max(off, -0.5) * size)
            return
        if outside + size + self.size < window / 2:
            return  # whoever does not use the window does not learn that it may be larger
        if self.slow_start:
            if self.delay > self.target * _SLOW_START_QUEUE:
                self._leave_slow_start()
                return
            self.window = window + size * (1 - self.delay / (self.target * _SLOW_START_QUEUE) / 2)
            if self.window >= self.threshold:
                self.slow_start = False
        else:
            share = _SHARE * off
            if self._quiet > _QUIET_TRIPS:
                share = min(_SHARE_MOST, share + 0.02 * (self._quiet - _QUIET_TRIPS))
            self.window = window + (off * self.size / window + share) * size
        self.window = min(self.window, limits.UTP_FLIGHT_BYTES)

    def _leave_slow_start(self) -> None:
        """The link is full: what was on its way meanwhile makes the queue longer still."""
        self.slow_start = False
        least = self.least_rtt
        if self.rtt and least:
            full = self.window * least / max(self.rtt, least + self.delay)
            self.window = max(2.0 * self.size, min(self.window, full * (1 + 0.8 * self.target / least)))
        self.threshold = self.window

    def lost(self, now: float, sent_after: bool) -> None:
        """Packets were lost; `sent_after`: they left after the window was last made smaller."""
        if not sent_after:
            return
        self._look_until = None
        self._undo = (self.window, self.threshold)
        if self.delay > _TARGET_LEAST / 2:
            # A queue was there when it overflowed: it holds no more than that.
            self.target = min(TARGET, max(_TARGET_LEAST, _FROM_QUEUE * max(self._delays)))
        self.window = max(2.0 * self.size, self.window * _LOSS_KEEPS)
        self.threshold = self.window
        self.slow_start = False
        self._quiet = 0
        self._cut_at = now

    def undo(self, now: float) -> None:
        """What seemed lost had only been overtaken."""
        if self._undo is not None and now - self._cut_at < 4 * max(self.rtt, 0.01):
            self.window = max(self.window, self._undo[0])
            self.threshold = max(self.threshold, self._undo[1])
            self._undo = None

    def timed_out(self, again: bool) -> None:
        """Nothing was heard for too long. `again`: nor the time before."""
        if not again:
            self.threshold = max(2.0 * self.size, self.window / 2)
        self._look_until = None
        self.window = float(self.size)
        self.slow_start = True
        self._quiet = 0
        self._undo = None

    # -- looking at the link without our own queue

    def _look(self, now: float) -> bool:
        """True while the window is kept small to see the least delay again."""
        if self._look_until is not None:
            if now < self._look_until:
                return True
            self._look_until = None
            self.window = self._restore
            self._trip_end = now
            self._step(now)
            return False
        if self._base.value == float("inf") or self.delay < _NEAR:
            if now - self._checked > _PERIOD:
                self._step(now)
            return False
        if now - self._checked <= _PERIOD or self.slow_start:
            return False
        self._restore = max(2.0 * self.size, self.window * 0.9)
        least = self.least_rtt
        self.window = max(2.0 * self.size, self.window * least / max(self.rtt, 1e-6) / 2)
        self._look_until = now + self.rtt + _LOOK_TRIPS * least
        return True

    def _step(self, now: float) -> None:
        self._checked = now
        self._base.step()
        self._least.step()
