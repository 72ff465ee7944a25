from __future__ import annotations

from collections.abc import Callable

import pytest

from wildbach.interfaces.http.refusals import Refusals


def test_the_first_of_a_kind_is_written_and_then_how_many_more_there_were(caplog: pytest.LogCaptureFixture) -> None:
    due: list[Callable[[], None]] = []
    refusals = Refusals(lambda _seconds, what: due.append(what))
    for number in range(1000):
        refusals.tell("a login failed", "192.0.2.1")
        refusals.tell("a login failed", f"2001:db8::{number:x}", " as root")
    refusals.tell("refused a request", "192.0.2.1")
    assert caplog.messages == [
        "a login failed from 192.0.2.1", "a login failed from 2001:db8::0 as root",
        "refused a request from 192.0.2.1"]
    caplog.clear()
    due.pop()()
    assert caplog.messages == [
        "and 999 more within a minute: a login failed from 192.0.2.1",
        "and 999 more within a minute: a login failed from 2001:db8::/64"]
    assert not due, "nothing is looked at while nothing is refused"
    refusals.tell("a login failed", "192.0.2.1")
    assert len(due) == 1 and caplog.messages[-1] == "a login failed from 192.0.2.1"


def test_many_networks_share_a_line(caplog: pytest.LogCaptureFixture) -> None:
    due: list[Callable[[], None]] = []
    refusals = Refusals(lambda _seconds, what: due.append(what))
    for number in range(250):
        refusals.tell("a login failed", f"192.0.2.{number}")
    assert len(caplog.messages) == 50
    due.pop()()
    assert caplog.messages[50:] == ["and 200 more within a minute: a login failed from other addresses"]
