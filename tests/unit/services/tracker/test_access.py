import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import UsageError
from wildbach.services.tracker.access import Access, Files, Refused, parse_hashes, parse_users

ONE, TWO = b"1" * 20, b"2" * 20


def test_lists_have_remarks_and_v2_hashes_are_cut() -> None:
    text = f"# mine\n\n{ONE.hex()} a film\n  {(TWO + b'x' * 12).hex()}\n"
    assert parse_hashes(text, "f") == {ONE, TWO}
    assert parse_users("# x\nabc_DEF-123 alice\n", "f") == {"abc_DEF-123"}


@pytest.mark.parametrize("line", ["zz", "00" * 19, "é" * 40])
def test_a_bad_hash_is_named_by_its_line(line: str) -> None:
    with pytest.raises(UsageError, match="f, line 2: not an info hash"):
        parse_hashes(f"{ONE.hex()}\n{line}\n", "f")


@pytest.mark.parametrize("line", ["short", "with/slash/in", "x" * 129])
def test_a_bad_key_is_named_by_its_line(line: str) -> None:
    with pytest.raises(UsageError, match="f, line 1: a key has"):
        parse_users(line, "f")


def test_without_lists_everybody_is_served() -> None:
    access = Access()
    assert not access.restricted and not access.reload()
    access.admit(ONE, "/announce")


def test_deny_comes_before_allow(tmp_path: Path) -> None:
    allow, deny = tmp_path / "allow", tmp_path / "deny"
    allow.write_text(f"{ONE.hex()}\n{TWO.hex()}\n")
    deny.write_text(TWO.hex())
    access = Access(Files(allow, deny))
    access.admit(ONE, "/announce")
    for info_hash in (TWO, b"3" * 20):
        with pytest.raises(Refused, match="torrent"):
            access.admit(info_hash, "/announce")


@pytest.mark.parametrize("path", ["/announce", "", "/", "alice-key-1/announce", "/alice-key-2/announce", "//announce"])
def test_a_url_without_the_key_of_a_user_is_refused(tmp_path: Path, path: str) -> None:
    users = tmp_path / "users"
    users.write_text("alice-key-1\n")
    access = Access(Files(users=users))
    access.admit(ONE, "/alice-key-1/announce")
    assert access.known("/alice-key-1/scrape") and not access.known(path)
    with pytest.raises(Refused, match="private"):
        access.admit(ONE, path)


def test_a_changed_file_is_read_again_and_a_bad_one_leaves_the_old_list(tmp_path: Path) -> None:
    allow = tmp_path / "allow"
    allow.write_text(ONE.hex())
    access = Access(Files(allow))
    assert not access.reload()
    fresh = tmp_path / "fresh"
    fresh.write_text(f"{TWO.hex()}\n")
    os.replace(fresh, allow)
    assert access.reload() and access.listed(TWO) and not access.listed(ONE)
    allow.write_text("rubbish")
    assert not access.reload() and access.listed(TWO)
    assert "line 1" in access.trouble
    allow.unlink()
    assert not access.reload() and "cannot be read" in access.trouble
    allow.write_text(ONE.hex())
    assert access.reload() and access.trouble == "" and access.listed(ONE)


def test_a_file_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        Access(Files(tmp_path / "none"))


@given(st.text(max_size=200))
def test_any_text_is_a_list_or_an_error_that_names_the_line(text: str) -> None:
    for parse in (parse_hashes, parse_users):
        try:
            parse(text, "f")
        except UsageError as error:
            assert error.message.startswith("f, line ")
