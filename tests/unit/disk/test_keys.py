"""Secret keys in the data directory."""

from __future__ import annotations

import contextlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wildbach.base.errors import StorageError, UsageError
from wildbach.disk.keys import Keys
from wildbach.protocol.dht.items import public_key
from wildbach.protocol.keyfile import KeyCopy


def test_a_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    made = keys.get("tunes")
    assert len(made) == 32 and made == Keys(tmp_path).get("tunes") != keys.get("other")
    assert stat.S_IMODE((tmp_path / "keys" / "tunes.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert keys.names() == ["other", "tunes"]
    assert sorted(os.listdir(tmp_path / "keys")) == [
        "other.json", "other.key", "other.recovery", "tunes.json", "tunes.key", "tunes.recovery"]
    assert stat.S_IMODE((tmp_path / "keys" / "tunes.recovery").stat().st_mode) == 0o600


def test_an_unknown_key_is_not_made_where_that_is_not_wanted(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no key tunes"):
        Keys(tmp_path).get("tunes", make=False)
    assert Keys(tmp_path).names() == []


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 65, "a\0b", "ä"])
def test_a_name_cannot_lead_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        Keys(tmp_path).get(name)


def test_several_who_make_a_key_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: Keys(tmp_path).get("tunes"), range(32)))) == 1
    assert sorted(os.listdir(tmp_path / "keys")) == ["tunes.json", "tunes.key", "tunes.recovery"]
    facts = Keys(tmp_path).facts("tunes")
    assert facts.recovery == public_key(Keys(tmp_path).recovery("tunes") or b"").hex()


@pytest.mark.parametrize("raw", [b"", b"00" * 31, b"0" * 63 + b"g", b"00" * 33])
def test_a_file_that_is_no_key_is_not_used_and_not_replaced(tmp_path: Path, raw: bytes) -> None:
    keys = Keys(tmp_path)
    keys.get("tunes")
    path = tmp_path / "keys" / "tunes.key"
    path.write_bytes(raw)
    with pytest.raises(StorageError, match="no key"):
        keys.get("tunes")
    assert path.read_bytes() == raw


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.get("tunes")
    (tmp_path / "keys" / "tunes.key").chmod(0o644)
    with pytest.raises(StorageError) as caught:
        keys.get("tunes")
    assert caught.value.code == "key_not_secret"


def test_what_is_known_of_a_key_has_no_secrets(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    made = keys.create("tunes")
    secret, recovery = keys.get("tunes"), keys.recovery("tunes")
    assert recovery is not None and recovery != secret
    assert (made.public, made.recovery) == (public_key(secret).hex(), public_key(recovery).hex())
    assert (made.recovery_here, made.exported_at, made.next_key) == (True, 0, "")
    assert secret.hex() not in repr(made) and recovery.hex() not in repr(made)
    with pytest.raises(UsageError) as caught:
        keys.create("tunes")
    assert caught.value.code == "key_exists"
    keys.exported("tunes", 77)
    assert keys.facts("tunes").exported_at == 77


def test_a_recovery_key_that_was_written_down_is_erased_and_still_known(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    before = keys.create("tunes")
    keys.erase_recovery("tunes")
    keys.erase_recovery("tunes")
    after = keys.facts("tunes")
    assert (after.recovery, after.recovery_here, keys.recovery("tunes")) == (before.recovery, False, None)
    assert not (tmp_path / "keys" / "tunes.recovery").exists()
    with pytest.raises(UsageError, match="hold to the first"):
        keys.add_recovery("tunes")


def test_a_key_of_a_version_that_knew_no_recovery_gets_one_when_asked(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.create("tunes")
    for kind in ("json", "recovery"):
        (tmp_path / "keys" / f"tunes.{kind}").unlink()
    assert keys.facts("tunes").recovery == ""
    assert keys.facts("tunes").recovery == "" != public_key(keys.add_recovery("tunes")).hex()
    assert keys.facts("tunes").recovery == public_key(keys.recovery("tunes") or b"").hex()


def test_a_copy_is_taken_on_once_and_never_over_another_key(tmp_path: Path) -> None:
    here, there = Keys(tmp_path / "a"), Keys(tmp_path / "b")
    made = here.create("tunes")
    copy = here.copy("tunes")
    assert there.add(copy) == there.add(copy)
    assert (there.get("tunes"), there.facts("tunes").recovery) == (here.get("tunes"), made.recovery)
    assert there.recovery("tunes") is None
    there.create("mine")
    with pytest.raises(UsageError) as caught:
        there.add(copy, "mine")
    assert caught.value.code == "key_exists"
    assert there.add(copy, "second").public == made.public
    with pytest.raises(UsageError):
        there.add(KeyCopy("../x", bytes(32)))


def test_a_key_gives_way_to_the_one_that_was_prepared(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    before = keys.create("tunes")
    prepared = keys.prepare_next("tunes")
    assert keys.prepare_next("tunes") == prepared
    assert keys.facts("tunes") == before and keys.names() == ["tunes"]
    after = keys.take_next("tunes")
    assert (keys.get("tunes"), keys.recovery("tunes")) == prepared
    assert (after.next_key, keys.names()) == ("", ["tunes", "tunes.former-1"])
    old = keys.facts("tunes.former-1")
    assert (old.public, old.recovery, old.next_key) == (before.public, before.recovery, after.public)
    keys.take_next("tunes")
    assert keys.facts("tunes.former-2").public == after.public
    assert sorted(path.name for path in (tmp_path / "keys").iterdir() if path.name.startswith(".")) == []


@pytest.mark.parametrize("fatal", range(16))
def test_a_crash_while_a_key_gives_way_loses_neither(
    fatal: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = Keys(tmp_path)
    before = keys.create("tunes")
    prepared = keys.prepare_next("tunes")
    calls = 0

    class Cut(BaseException):
        pass

    def count(real: object) -> object:
        def call(*args: object, **named: object) -> object:
            nonlocal calls
            calls += 1
            if calls == fatal:
                raise Cut
            return real(*args, **named)  # type: ignore[operator]  # a function of `os`
        return call

    with monkeypatch.context() as patch:
        for name in ("rename", "replace", "link", "unlink"):
            patch.setattr(f"os.{name}", count(getattr(os, name)))
        with contextlib.suppress(Cut):
            keys.take_next("tunes")
    after = Keys(tmp_path)
    if after.facts("tunes").public == before.public:  # nothing had happened yet
        after.take_next("tunes")
    assert (after.get("tunes"), after.recovery("tunes")) == prepared
    assert after.names() == ["tunes", "tunes.former-1"]
    assert after.facts("tunes.former-1").next_key == after.facts("tunes").public
    assert (after.facts("tunes.former-1").public, after.facts("tunes.former-1").recovery) == (
        before.public, before.recovery)


def test_a_damaged_note_costs_the_note_and_not_the_key(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    made = keys.create("tunes")
    for raw in (b"", b"[]", b"{}", b'{"recovery": "zz", "exported_at": 1, "next_key": ""}', b"\xff"):
        (tmp_path / "keys" / "tunes.json").write_bytes(raw)
        facts = keys.facts("tunes")
        assert (facts.public, facts.recovery, facts.next_key) == (made.public, "", "")
