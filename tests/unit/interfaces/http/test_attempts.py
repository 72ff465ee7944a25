import pytest

from wildbach.base.addresses import network_of
from wildbach.base.errors import UsageError
from wildbach.interfaces.http import attempts
from wildbach.interfaces.http.attempts import Attempts


def wait(tries: Attempts, host: str, now: float, **options: bool) -> int:
    """0 where one may try."""
    try:
        tries.begin(host, now, **options)
    except UsageError as error:
        assert error.code == "too_many_logins"
        seconds = error.facts["retry_after"]
        assert isinstance(seconds, int)
        return seconds
    return 0


def test_each_failure_above_three_doubles_the_wait() -> None:
    tries, now, waits = Attempts(), 0.0, []
    for _ in range(16):
        while (seconds := wait(tries, "9.9.9.9", now)) > 0:
            now += seconds
            waits.append(seconds)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]


def test_this_machine_waits_for_seconds_only_and_is_not_counted_with_strangers() -> None:
    tries, now = Attempts(), 0.0
    for _ in range(100):
        seconds = wait(tries, "127.0.0.1", now)
        assert seconds <= 5
        now += seconds
    assert wait(tries, "9.9.9.9", now) == 0


def test_a_success_forgets_the_failures() -> None:
    tries = Attempts()
    for _ in range(3):
        assert wait(tries, "9.9.9.9", 0.0) == 0
    assert wait(tries, "9.9.9.9", 0.0) == 1
    assert wait(tries, "9.9.9.9", 2.0) == 0
    tries.succeeded("9.9.9.9")
    assert wait(tries, "9.9.9.9", 2.0) == 0


def test_one_network_is_one_caller_in_ipv6() -> None:
    assert network_of("2001:db8:1:2::3") == network_of("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    tries = Attempts()
    assert [wait(tries, f"2600::{n}", 0.0) for n in range(1, 5)] == [0, 0, 0, 1]


def test_strangers_together_are_slowed_down_and_those_that_are_known_are_not() -> None:
    tries = Attempts()
    hosts = [f"9.9.{n}.9" for n in range(40)]
    assert [wait(tries, host, 0.0) > 0 for host in hosts] == [False] * 30 + [True] * 10
    assert wait(tries, "8.8.8.8", 0.0, known=True) == 0
    assert wait(tries, "127.0.0.1", 0.0) == 0
    assert wait(tries, "8.8.4.4", 3.0) == 0


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "_NETWORKS", 10)
    tries = Attempts()
    for number in range(100):
        wait(tries, f"9.9.9.{number}", number * 10.0)
    assert len(tries._networks) == 10
