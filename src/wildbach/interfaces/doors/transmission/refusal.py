"""What is answered where something cannot be done: the numbers and words of Transmission."""

from __future__ import annotations

from typing import Any, Final

from wildbach.base.errors import FormatError, NetworkError, UsageError, WildbachError

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
SET_ANNOUNCE_LIST: Final = 1
INVALID_TRACKER_LIST: Final = 2
PATH_NOT_ABSOLUTE: Final = 3
UNRECOGNIZED_INFO: Final = 4
SYSTEM_ERROR: Final = 5
FILE_INDEX: Final = 6
HTTP_ERROR: Final = 8
CORRUPT_TORRENT: Final = 9

MESSAGES: Final = {
    PARSE_ERROR: "Parse error", INVALID_REQUEST: "Invalid Request", METHOD_NOT_FOUND: "Method not found",
    INVALID_PARAMS: "Invalid params", INTERNAL_ERROR: "Internal error",
    SET_ANNOUNCE_LIST: "error setting announce list", INVALID_TRACKER_LIST: "Invalid tracker list",
    PATH_NOT_ABSOLUTE: "path is not absolute", UNRECOGNIZED_INFO: "unrecognized info", SYSTEM_ERROR: "system error",
    FILE_INDEX: "file index out of range", HTTP_ERROR: "HTTP error from backend service",
    CORRUPT_TORRENT: "invalid or corrupt torrent file",
}


class Refusal(Exception):
    """Not done. `text` says why, in words for people; `facts` are what the answer says all the same."""

    def __init__(self, code: int, text: str = "", facts: dict[str, Any] | None = None) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text or MESSAGES[code]
        self.facts = facts or {}


def of(error: WildbachError) -> Refusal:
    if isinstance(error, NetworkError):
        return Refusal(HTTP_ERROR, error.message)
    if isinstance(error, FormatError):
        return Refusal(UNRECOGNIZED_INFO, error.message)
    if isinstance(error, UsageError) and error.code == "usage_error":
        return Refusal(INVALID_PARAMS, error.message)
    return Refusal(SYSTEM_ERROR, error.message)
