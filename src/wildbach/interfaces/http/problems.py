"""What went wrong, as a problem document (RFC 9457): `status`, `title`, `detail`, and of ours a stable `code`, the
`kind` of error, and its `facts`.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from wildbach.base.errors import (
    FormatError,
    LimitError,
    NetworkError,
    RemoteError,
    StorageError,
    UsageError,
    WildbachError,
)
from wildbach.net.httpd import BodyError, Response

CONTENT_TYPE: Final = "application/problem+json"

KINDS: Final[Mapping[str, type[WildbachError]]] = {
    "usage": UsageError, "storage": StorageError, "network": NetworkError, "limit": LimitError, "format": FormatError,
    "remote": RemoteError,
}
"Most special first, where one is a kind of the other."

_CODES: Final = {
    "login_refused": 401, "unauthorized": 401, "no_password": 401, "forbidden": 403, "not_owner": 403,
    "not_found": 404, "method_not_allowed": 405, "pinned_setting": 409, "target_exists": 409, "exists": 409,
    "duplicate": 409, "in_use": 409, "nested": 409, "joined": 409, "busy": 409, "not_ready": 409,
    "wrong_password": 409, "too_many_keys": 409, "no_wallet": 409, "wallet_exists": 409, "bad_type": 415,
    "bad_setting": 422, "too_many_logins": 429, "no_space": 507, "disk_full": 507,
}
_KIND_STATUS: Final = {"usage": 400, "storage": 503, "network": 502, "limit": 413, "format": 422, "remote": 502}
_ERRNO_STATUS: Final = {
    errno.ENOSPC: 507, errno.EDQUOT: 507, errno.ENOENT: 404, errno.ENOTDIR: 404, errno.EACCES: 409, errno.EPERM: 409,
    errno.EROFS: 409, errno.EEXIST: 409, errno.ENOTEMPTY: 409, errno.EISDIR: 409, errno.ENAMETOOLONG: 409,
    errno.EXDEV: 409, errno.ELOOP: 409,
}
"What a caller can do something about; other errors of the disk are the machine's."


class Problem(msgspec.Struct, frozen=True, omit_defaults=False):
    status: int
    title: str
    detail: str
    "In plain words."
    code: str
    kind: str
    facts: dict[str, Any] = {}


def kind_of(error: WildbachError) -> str:
    for name, kind in KINDS.items():
        if isinstance(error, kind):
            return name
    return "error"


def status_of(error: WildbachError) -> int:
    if isinstance(error, BodyError):
        return error.status
    if isinstance(error, StorageError) and error.errno in _ERRNO_STATUS:
        return _ERRNO_STATUS[error.errno]
    return _CODES.get(error.code) or _KIND_STATUS.get(kind_of(error), 500)


def of(error: WildbachError, headers: Mapping[str, str] | None = None) -> Response:
    """The answer for an error that was foreseen."""
    status = status_of(error)
    facts = {name: _shown(value) for name, value in error.facts.items() if _is_plain(value)}
    given = dict(headers or {})
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        given["Retry-After"] = str(facts.get("retry_after", 1))
    if status == HTTPStatus.UNAUTHORIZED:
        # Not Basic: a browser would ask for the password by itself, again and again.
        given.setdefault("WWW-Authenticate", 'Bearer realm="wildbach"')
    return document(Problem(status, _title(status), _shown(str(error)), error.code, kind_of(error), facts), given)


def bug() -> Response:
    """The answer for an error that was not: what it is stands in the log only."""
    return document(Problem(
        500, _title(500), "something is wrong in wildbach; its log has more", "internal_error", "bug"), {})


def document(problem: Problem, headers: Mapping[str, str]) -> Response:
    return Response(msgspec.json.encode(problem), problem.status, CONTENT_TYPE, dict(headers))


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return len(value) <= 100 and all(isinstance(one, str | int | float | bool) for one in value)
    return value is None or isinstance(value, str | int | float | bool)


def _shown(value: Any) -> Any:
    """Names of files need not be in UTF-8, nor what strangers send; JSON is."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return [_shown(one) for one in value] if isinstance(value, list | tuple) else value
