from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.interfaces.doors.qbittorrent.forms import Form, Upload, read_form, read_multipart, read_pairs

PLAIN = "application/x-www-form-urlencoded"
NAMES = st.text(st.characters(codec="utf-8", exclude_characters='"\\\r\n'), min_size=1, max_size=20)
VALUES = st.one_of(st.text(max_size=50), st.tuples(NAMES, st.binary(max_size=200)))
PARTS = st.lists(st.tuples(NAMES, VALUES), max_size=8)


def written(parts: list[tuple[str, str | tuple[str, bytes]]], boundary: str) -> bytes:
    out = b""
    for name, value in parts:
        out += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode()
        if isinstance(value, str):
            out += b"\r\n\r\n" + value.encode()
        else:
            out += f'; filename="{value[0]}"\r\nContent-Type: application/x-bittorrent\r\n\r\n'.encode() + value[1]
        out += b"\r\n"
    return out + f"--{boundary}--\r\n".encode()


@given(PARTS)
def test_what_was_written_is_read(parts: list[tuple[str, str | tuple[str, bytes]]]) -> None:
    boundary = "a-boundary-that-is-in-no-part-0123456789"
    form = read_multipart(boundary, written(parts, boundary))
    assert form.fields == {name: value for name, value in parts if isinstance(value, str)}
    assert form.files == [Upload(name, value[0], value[1]) for name, value in parts if not isinstance(value, str)]


@given(st.binary(max_size=500), st.text(max_size=80))
def test_any_bytes_give_a_form_or_a_format_error(body: bytes, boundary: str) -> None:
    for kind in (f'multipart/form-data; boundary="{boundary}"', PLAIN, boundary):
        try:
            form = read_form(kind, body)
        except FormatError:
            continue
        assert sum(len(upload.data) for upload in form.files) <= len(body)


def test_pairs_are_unquoted_and_the_last_of_a_name_holds() -> None:
    assert read_form(PLAIN + "; charset=UTF-8", b"a=1+2&b=%C3%A4%26&a=&&c").fields == {"a": "", "b": "ä&", "c": ""}


def test_another_content_type_has_no_fields() -> None:
    assert read_form("application/json", b'{"a": 1}') == Form()


@pytest.mark.parametrize("body", [
    b"", b"--b", b"--b\r\n", b"--b\r\n\r\nx\r\n--b--", b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx",
    b"--b\nContent-Disposition: form-data; name=a\n\nx\n--b--", b"--c--", b"x--b--",
    b"--b\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--b--",
    b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--",
    b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\xff\r\n--b--",
    b"--b\r\nno colon\r\n\r\nx\r\n--b--",
    b"--b\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\nx\r\n--b--",
], ids=str)
def test_a_form_that_breaks_the_rules_is_refused(body: bytes) -> None:
    with pytest.raises(FormatError):
        read_multipart("b", body)


@pytest.mark.parametrize("boundary", ["", "b" * 71, "ä", "a\nb"], ids=repr)
def test_a_boundary_that_cannot_be_is_refused(boundary: str) -> None:
    with pytest.raises(FormatError):
        read_multipart(boundary, b"--" + boundary.encode() + b"--")


def test_more_fields_than_the_limit_are_refused() -> None:
    parts: list[tuple[str, str | tuple[str, bytes]]] = [("a", "b")] * (limits.FORM_FIELDS + 1)
    with pytest.raises(LimitError):
        read_multipart("bound", written(parts, "bound"))
    with pytest.raises(LimitError):
        read_pairs("&a" * (limits.FORM_FIELDS + 1), {})


def test_headers_of_a_part_that_do_not_end_are_not_searched_for_far() -> None:
    head = b"--b\r\nContent-Disposition: form-data; name=a\r\nX: " + b"x" * limits.FORM_HEAD_BYTES
    with pytest.raises(FormatError, match="headers"):
        read_multipart("b", head + b"\r\n\r\n\r\n--b--")
