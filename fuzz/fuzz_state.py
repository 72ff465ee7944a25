"""What the state directory holds: records, progress and notes of the database, as a damaged disk would give them."""

from __future__ import annotations

import json

from wildbach.base.errors import FormatError, StorageError
from wildbach.base.ids import InfoHashes
from wildbach.disk import database
from wildbach.disk.resume import Note, Progress, ResumeRecord
from wildbach.engine.brief import FIELD, Brief, read
from wildbach.protocol.tron.address import Address
from wildbach.services.pay.sponsor.promise import Promise

_HASHES = InfoHashes(bytes(20), bytes(32))
_RECORD = ResumeRecord(_HASHES.key, name="n", save_path="/d", renames={0: ("a", "b")}, added_at=1.5)
_RECORD.options[FIELD] = Brief("n", 5, 3, tiers=(("http://t/a",),), priorities=(1, 0)).to_json(_HASHES)

SEEDS: list[bytes] = [
    b"r" + json.dumps(_RECORD.to_json()).encode(),
    b"r" + json.dumps({**_RECORD.to_json(), "future": [1, {"x": None}]}).encode(),
    b"p\x11" + database._pack_progress(Progress(17, durable=5 << 3, written=3, partial={4: 0xFF, 16: 1})),
    b"p\x11" + database._pack_progress(Progress(17, check=True)),
    b"n" + database._pack_note(Note(17, [1, 2], {3: 9})), b"r{}", b"r[]", b"n[]", b"p\x00",
    b"s" + Promise(Address(bytes(20)), 5, 86_400, 3, 1_800_000_000).encode(), b"s[]",
]
TOKENS = [
    b'"', b"{", b"}", b"[", b"]", b"null", b"true", b"1e999", b"-1", b"NaN", b'"renames":', b'"engine":', b"\\ud800",
]
ALLOWED = (FormatError, StorageError, database.Damaged)


def one_input(data: bytes) -> None:
    kind, body = data[:1], data[1:]
    if kind == b"p":
        count, body = body[0] if body else 0, body[1:]
        key = b"key"
        progress = database._progress(key, 0, count, body, database._sum(key, 0, count, body))
        assert progress.piece_count == count
    elif kind == b"s":
        assert Promise.decode(Promise.decode(body).encode()) == Promise.decode(body)
    elif kind == b"n":
        database._unpack_note(body)
    else:
        record = database._record(b"key", 1, body, database._sum(b"key", 1, body))
        again = ResumeRecord.from_json(json.loads(json.dumps(record.to_json())))
        assert again.to_json() == record.to_json()
        read(record)
