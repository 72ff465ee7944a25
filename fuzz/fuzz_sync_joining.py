"""Links to folders, and what is said and kept about joining by them."""

from __future__ import annotations

from tests.rosterbed import RECOVERY
from tests.unit.protocol.sync.test_joining import LINK, TOKEN, ask

from wildbach.base.errors import FormatError, UsageError
from wildbach.protocol.sync.joining import Asking, Given, Links, Reason, read_answer, refusal, welcome
from wildbach.protocol.sync.links import SyncLink
from wildbach.protocol.sync.recovery import RecoveryKey
from wildbach.protocol.sync.roster import Role

SEEDS = [
    LINK.text().encode(), LINK.qr().encode(), ask("x").pack(), *welcome((b"one", b"two")), refusal(Reason.SPENT),
    Links({TOKEN.hash: Given(TOKEN, Role.STORE, bytes(16), 1000.0)}, 999.0).pack(), RECOVERY.file().encode(),
]
TOKENS = [b"wildbach-sync:", b"\n", b"1:t7:welcome", b"1:t7:refused", b"1:t4:join", b"abandon ", b"32:" + bytes(32)]


def one_input(data: bytes) -> None:
    accepted = False
    for read in (Asking.unpack, read_answer, Links.unpack):
        try:
            read(data)
            accepted = True
        except FormatError:
            continue
    text = data.decode("utf-8", "surrogateescape")
    try:
        assert SyncLink.parse(text).qr() == "".join(text.split()).upper()
        accepted = True
    except UsageError:
        pass
    try:
        assert RecoveryKey.of_file(text).words()
        accepted = True
    except UsageError:
        pass
    if not accepted:
        raise FormatError("nothing of what joining has")
