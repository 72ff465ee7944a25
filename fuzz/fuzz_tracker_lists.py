"""Files of info hashes and of users' keys: read, or refused by the line."""

import contextlib

from wildbach.base.errors import UsageError
from wildbach.services.tracker.access import Access, parse_hashes, parse_users

SEEDS: list[bytes] = [
    b"# remark\n" + b"ab" * 20 + b" a film\n" + b"cd" * 32 + b"\n", b"alice-key-1\nbob_key_22 x\n", b"\n\n",
]


def one_input(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    Access.key(text)
    with contextlib.suppress(UsageError):
        assert all(len(one) == 20 for one in parse_hashes(text, "f"))
    with contextlib.suppress(UsageError):
        assert all("/" not in one for one in parse_users(text, "f"))
