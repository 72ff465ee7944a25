"""How often passwords may be tried: each network waits longer after each failure, and all strangers together may fail
so many times a minute. This machine never waits long, so nobody can lock its owner out.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from wildbach.base.addresses import Reach, classify, network_of
from wildbach.base.errors import UsageError

_FREE = 3
"Failures before one has to wait."
_LONGEST = 900.0
_LONGEST_LOCAL = 5.0
_FORGOTTEN = 3600.0
_NETWORKS = 10_000
_ALL = 30.0
"Failures of strangers at once,"
_ALL_PACE = 0.5
"and so many are forgiven a second."


@dataclass(slots=True)
class _Record:
    failures: int
    at: float


class Attempts:
    """Sans-IO: `now` is a number of seconds that never goes back."""

    def __init__(self) -> None:
        self._networks: OrderedDict[str, _Record] = OrderedDict()
        self._failures = 0.0
        self._at = 0.0

    def begin(self, host: str, now: float, *, known: bool = False) -> None:
        """An attempt counts as failed until `succeeded`, so that many at once gain nothing. `known`: somebody logged in
        from there. Raises UsageError, code `too_many_logins`, with `retry_after` in seconds.
        """
        network, local = network_of(host), classify(host) is Reach.LOCAL
        record = self._networks.get(network)
        if record is not None and now - record.at > _FORGOTTEN:
            del self._networks[network]
            record = None
        if record is not None and record.failures >= _FREE:
            longest = _LONGEST_LOCAL if local else _LONGEST
            wait = record.at + min(2.0 ** min(record.failures - _FREE, 20), longest) - now
            if wait > 0:
                raise _too_many(wait)
        self._failures = max(0.0, self._failures - (now - self._at) * _ALL_PACE)
        self._at = now
        if not local and not known:
            if self._failures + 1 > _ALL:
                raise _too_many((self._failures + 1 - _ALL) / _ALL_PACE)
            self._failures += 1
        if record is None:
            record = self._networks[network] = _Record(0, now)
            while len(self._networks) > _NETWORKS:
                self._networks.popitem(last=False)
        record.failures += 1
        record.at = now
        self._networks.move_to_end(network)

    def succeeded(self, host: str, *, known: bool = False) -> None:
        self._networks.pop(network_of(host), None)
        if not known and classify(host) is not Reach.LOCAL:
            self._failures = max(0.0, self._failures - 1)


def _too_many(wait: float) -> UsageError:
    seconds = max(1, round(wait))
    return UsageError(
        f"too many wrong passwords: try again in {seconds} seconds", code="too_many_logins", retry_after=seconds)
