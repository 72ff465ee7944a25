"""What a form sends: `application/x-www-form-urlencoded` and `multipart/form-data` (RFC 7578), from bytes to fields.

A form is read in one pass over a body that is complete, so its cost is bounded by the body. Of several fields of one
name the last holds; files keep their order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form."""

    field: str
    name: str
    "As the sender calls it; not a path to use."
    data: bytes


@dataclass(slots=True)
class Form:
    """Fields by name, and files."""

    fields: dict[str, str] = field(default_factory=dict)
    files: list[Upload] = field(default_factory=list)


def read_form(content_type: str, body: bytes) -> Form:
    """A body by its content type; one without a body or of another type has no fields. Raises FormatError."""
    kind, _, rest = content_type.partition(";")
    kind = kind.strip().lower()
    if kind == "multipart/form-data":
        return read_multipart(_parameters(rest).get("boundary", ""), body)
    form = Form()
    if kind in ("application/x-www-form-urlencoded", "") and body:
        read_pairs(body, form.fields)
    return form


def read_pairs(text: bytes | str, fields: dict[str, str]) -> None:
    """`name=value` joined by `&`, percent-encoded, into `fields`. Raises FormatError."""
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError:
            raise FormatError("is not UTF-8", where="form") from None
    if text.count("&") >= limits.FORM_FIELDS:
        raise LimitError(f"more than FORM_FIELDS = {limits.FORM_FIELDS} fields", where="form")
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        if pair:
            fields[_unquoted(name)] = _unquoted(value)


def read_multipart(boundary: str, body: bytes) -> Form:
    """Parts between `boundary`. Raises FormatError."""
    # RFC 2046 has at most 70 characters; libraries keep to that.
    if not 1 <= len(boundary) <= 70 or not boundary.isascii() or not boundary.isprintable():
        raise FormatError("no boundary, or one that cannot be", where="multipart")
    mark = b"--" + boundary.encode()
    if not body.startswith(mark):
        raise FormatError("does not begin with its boundary", where="multipart")
    form = Form()
    between = b"\r\n" + mark
    at = len(mark)
    for _ in range(limits.FORM_FIELDS):
        if body.startswith(b"--", at):
            return form
        if not body.startswith(b"\r\n", at):
            raise FormatError("no line end behind a boundary", where=f"multipart {at}")
        head_end = body.find(b"\r\n\r\n", at, at + limits.FORM_HEAD_BYTES)
        if head_end < 0:
            raise FormatError("a part whose headers do not end", where=f"multipart {at}")
        end = body.find(between, head_end + 4)
        if end < 0:
            raise FormatError("a part that does not end", where=f"multipart {at}")
        _add(form, body[at + 2:head_end], body[head_end + 4:end], at)
        at = end + len(between)
    raise LimitError(f"more than FORM_FIELDS = {limits.FORM_FIELDS} parts", where="multipart")


def _add(form: Form, head: bytes, data: bytes, at: int) -> None:
    where = f"multipart {at}"
    names: dict[str, str] | None = None
    for line in head.split(b"\r\n"):
        key, colon, value = line.partition(b":")
        if not colon:
            raise FormatError("a header without a colon", where=where)
        if key.strip().lower() == b"content-disposition":
            if names is not None:
                raise FormatError("content-disposition twice", where=where)
            kind, _, rest = value.decode("utf-8", "replace").partition(";")
            if kind.strip().lower() != "form-data":
                raise FormatError("a part that is no form-data", where=where)
            names = _parameters(rest)
    if names is None or "name" not in names:
        raise FormatError("a part without a name", where=where)
    if "filename" in names or "filename*" in names:
        form.files.append(Upload(names["name"], names.get("filename", ""), data))
        return
    try:
        form.fields[names["name"]] = data.decode()
    except UnicodeDecodeError:
        raise FormatError("a field that is not UTF-8", where=f"multipart {names['name'][:50]}") from None


_PARAMETER = re.compile(r'\s*([A-Za-z0-9_*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";]*))\s*(?:;|$)')


def _parameters(text: str) -> dict[str, str]:
    """`; name="value"` behind a header's value. What cannot be read ends them."""
    found: dict[str, str] = {}
    at = 0
    while match := _PARAMETER.match(text, at):
        name, quoted, bare = match.groups()
        value = bare if quoted is None else quoted.replace('\\"', '"').replace("\\\\", "\\")
        found.setdefault(name.lower(), value)
        if match.end() == at:
            break
        at = match.end()
    return found


def _unquoted(text: str) -> str:
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise FormatError("is not UTF-8", where="form") from None
