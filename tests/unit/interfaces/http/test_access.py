"""Who may, and for how long."""

from __future__ import annotations

import asyncio
import logging
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.api_fakes import PASSWORD, FakeKeeper

from wildbach.base.errors import StorageError, UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.http import access as access_module
from wildbach.interfaces.http.access import Access, Who, caller
from wildbach.interfaces.settings import ApiSettings

DAY = 86_400


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class There:
    def __init__(self) -> None:
        self.keeper = FakeKeeper()
        self.clock = Clock()
        self.access = self.again()

    def again(self) -> Access:
        """As after a restart."""
        return Access(self.keeper, ApiSettings, now=self.clock, monotonic=self.clock)

    async def refused(self, work: Awaitable[object]) -> str:
        with pytest.raises(UsageError) as caught:
            await work
        return caught.value.code


def run(work: Callable[[There], Awaitable[None]], password: str = PASSWORD) -> There:
    there = There()

    async def main() -> None:
        await there.access.load()
        if password:
            await there.access.set_password(m.Password(password))
        await work(there)
        there.access.close()
    asyncio.run(main())
    return there


def test_logins_and_keys_outlive_a_restart_and_only_hashes_are_kept() -> None:
    async def work(there: There) -> None:
        token = await there.access.login("admin", PASSWORD, "1.2.3.4", "Browser\n" + "x" * 500)
        key = await there.access.make_api_key(m.KeyRequest("sonarr", "guest"))
        kept = b"".join(there.keeper.areas["access"].values())
        assert PASSWORD.encode() not in kept and token.encode() not in kept and key.secret.encode() not in kept
        again = there.again()
        await again.load()
        assert again.cookie_name == there.access.cookie_name
        found = again.by_token(token)
        assert found is not None and (found.role, found.name, found.via) == ("user", "admin", "session")
        assert again.by_token(key.secret) == Who("guest", "sonarr", "key", key.id)
        [shown] = (await again.login_sessions()).sessions
        assert shown.agent == "Browser" + "x" * 192
        assert await again.login("admin", PASSWORD, "1.2.3.4")
        await again.logout(token)
        assert again.by_token(token) is None
        again.close()
    run(work)


def test_wrong_users_and_passwords_are_refused_alike() -> None:
    async def work(there: There) -> None:
        told = set()
        for user, password in (("admin", "wrong"), ("wrong", PASSWORD), ("admin", "x" * 5000)):
            with pytest.raises(UsageError) as caught:
                await there.access.login(user, password, "127.0.0.1")
            told.add(str(caught.value))
        assert len(told) == 1
    run(work)


def test_a_login_ends_when_it_is_not_used_and_in_any_case_some_day() -> None:
    async def work(there: There) -> None:
        token = await there.access.login("admin", PASSWORD, "1.2.3.4")
        there.clock.now += 13 * DAY
        assert there.access.by_token(token) is not None
        there.clock.now += 13 * DAY
        assert there.access.by_token(token) is not None
        there.clock.now += 15 * DAY
        assert there.access.by_token(token) is None
        other = await there.access.login("admin", PASSWORD, "1.2.3.4")
        for _ in range(9):
            there.clock.now += 10 * DAY
            alive = there.access.by_token(other)
        assert alive is not None
        there.clock.now += DAY
        assert there.access.by_token(other) is None
        assert not there.access.still(alive)
        await there.access.note()
        assert not [name for name in there.keeper.areas["access"] if name.startswith("session:")]
    run(work)


def test_logins_are_bounded_and_the_one_longest_unused_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_module, "_SESSIONS", 3)

    async def work(there: There) -> None:
        tokens = []
        for _ in range(5):
            there.clock.now += 1
            tokens.append(await there.access.login("admin", PASSWORD, "127.0.0.1"))
        assert [there.access.by_token(token) is not None for token in tokens] == [False, False, True, True, True]
    run(work)


def test_a_start_link_is_good_once_for_an_hour_and_not_after_a_password_was_set() -> None:
    async def work(there: There) -> None:
        url = there.access.start_url("http://127.0.0.1:8080/")
        assert url.startswith("http://127.0.0.1:8080/api/v1/start#")
        token = url.partition("#")[2]
        assert there.access.by_token(await there.access.start(token, "127.0.0.1")) is not None
        assert await there.refused(there.access.start(token, "127.0.0.1")) == "login_refused"
        old = there.access.start_token()
        there.clock.now += 3601
        assert await there.refused(there.access.start(old, "127.0.0.1")) == "login_refused"
        left = there.access.start_token()
        await there.access.set_password(m.Password("new"))
        assert await there.refused(there.access.start(left, "127.0.0.1")) == "login_refused"
        many = [there.access.start_token() for _ in range(5)]
        assert await there.refused(there.access.start(many[0], "127.0.0.1")) == "login_refused"
    run(work, password="")


def test_a_new_password_needs_the_old_one_and_ends_all_other_logins() -> None:
    async def work(there: There) -> None:
        mine, other = [await there.access.login("admin", PASSWORD, "127.0.0.1") for _ in range(2)]
        caller.set(there.access.by_token(mine))
        assert await there.refused(there.access.set_password(m.Password("new", "wrong"))) == "wrong_password"
        await there.access.set_password(m.Password("new", PASSWORD, "eva"))
        assert there.access.by_token(mine) is not None
        assert there.access.by_token(other) is None
        assert await there.refused(there.access.login("admin", PASSWORD, "127.0.0.1")) == "login_refused"
        assert await there.access.login("eva", "new", "127.0.0.1")
        caller.set(Who("user", "this machine", "local"))
        await there.access.set_password(m.Password("forgotten"))
        assert await there.refused(there.access.set_password(m.Password("x", user="a:b"))) == "usage_error"
    run(work)


def test_the_token_file_is_for_its_owner_only_and_new_each_time(tmp_path: Path) -> None:
    path = tmp_path / "api.token"

    async def work(there: There) -> None:
        there.access.write_local_token(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        first = path.read_text().strip()
        assert there.access.by_token(first) == Who("user", "this machine", "local")
        there.access.write_local_token(path)
        assert there.access.by_token(first) is None
        assert list(tmp_path.iterdir()) == [path]
        with pytest.raises(StorageError):
            there.access.write_local_token(tmp_path / "nowhere" / "api.token")
    run(work, password="")


def test_a_full_disk_keeps_nobody_out_but_a_password_is_not_said_to_be_set() -> None:
    async def work(there: There) -> None:
        there.keeper.full = True
        token = await there.access.login("admin", PASSWORD, "127.0.0.1")
        assert there.access.by_token(token) is not None
        with pytest.raises(StorageError):
            await there.access.set_password(m.Password("new"))
        assert await there.access.login("admin", PASSWORD, "127.0.0.1")
        with pytest.raises(StorageError):
            await there.access.make_api_key(m.KeyRequest("x"))
        assert (await there.access.api_keys()).keys == ()
    run(work)


def test_what_was_kept_and_cannot_be_read_is_left_out() -> None:
    async def work(there: There) -> None:
        area = there.keeper.areas["access"]
        area.update({"session:1": b"{", "key:2": b"[]", "options": b"\xff", "nothing": b"x", "session:3": b"{}"})
        again = there.again()
        await again.load()
        assert again.password_set
        assert (await again.login_sessions()).sessions == ()
        again.close()
    run(work)


def test_nothing_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secrets: list[str] = []

    async def work(there: There) -> None:
        secrets.append(await there.access.login("admin", PASSWORD, "127.0.0.1"))
        secrets.append((await there.access.make_api_key(m.KeyRequest("k"))).secret)
        secrets.append(there.access.start_token())
        await there.access.start(secrets[-1], "127.0.0.1")
        await there.refused(there.access.login("my password by mistake", "guess", "127.0.0.1"))
        await there.refused(there.access.start("a guessed token", "127.0.0.1"))
    run(work)
    assert "failed" in caplog.text
    for secret in (*secrets, PASSWORD, "my password by mistake", "guess", "a guessed token"):
        assert secret not in caplog.text


def test_removing_what_is_not_there_is_not_found() -> None:
    async def work(there: There) -> None:
        assert await there.refused(there.access.remove_api_key("x")) == "not_found"
        assert await there.refused(there.access.end_login_session("x")) == "not_found"
    run(work)
