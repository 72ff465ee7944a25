"""Rosters of folders that are kept the same: their form, and what an owner who signs anything makes of a folder."""

from __future__ import annotations

from tests.rosterbed import RECOVERY, Bed, forged, keys_of

from wildbach.base.errors import FormatError
from wildbach.protocol.sync.roster import Role, Roster
from wildbach.protocol.sync.rosters import Rosters, Taken
from wildbach.protocol.sync.secrets import Token
from wildbach.protocol.sync.writing import Changes

_BED = Bed()
_BED.a.add("b", role=Role.OWNER)
_BED.a.add("d")
_CHAIN = _BED.a.rosters.all()
_B = _BED.desk("b", _BED.a)
_D, _ID = keys_of("d"), keys_of("b").id
_OTHER = _B.draft(Changes(remove=(_D.id,)))
SEEDS = [
    *_CHAIN, _OTHER, _BED.a.draft(Changes(remove=(_ID,))), _BED.a.draft(Changes(roles={_D.id: Role.OWNER})),
    _BED.a.draft(Changes(open_links=((Token(bytes(32)), Role.STORE),))), _BED.a.draft(Changes(rekey=True)),
    _BED.desk("d", _BED.a).take_over(RECOVERY, _ID),
]
TOKENS = [
    b"1:o", b"1:w", b"1:r", b"1:s", b"i0e", b"i1e", b"i2e", b"1:pl", b"1:dl", b"1:xl", b"1:ll", b"0:",
    b"32:" + bytes(32), b"16:" + bytes(_D.id), b"64:" + _D.public.pack(),
]


def one_input(data: bytes) -> None:
    roster = Roster.unpack(data)
    assert roster.pack() == data
    known = Rosters.of(_CHAIN, _BED.a.rosters.folder)
    before = known.view.state
    for keys in (keys_of("b"), _D):
        raw = forged(data, keys)
        try:
            taken = known.add(raw)
        except FormatError:
            continue
        assert keys is not _D or taken is Taken.WAITING
        # Whatever b signs, a keeps its seat and its keys, and the order of arrival makes no difference. What devices
        # are called any owner may say.
        first, former = known.view.state.owners[0], before.owners[0]
        assert (first.id, first.seat, first.device, first.link) == (former.id, former.seat, former.device, former.link)
        assert known.view.state.recovery == before.recovery
        known.add(_OTHER)
        again = Rosters.of((*_CHAIN, _OTHER, raw), _BED.a.rosters.folder)
        assert again.view == known.view
