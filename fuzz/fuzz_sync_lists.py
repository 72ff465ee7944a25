"""Pages of lists of what was accepted, as members send them."""

from __future__ import annotations

from tests.unit.protocol.sync.test_listpages import SMALL

from wildbach.protocol.sync.listpages import Page, in_order, page_size

_CUT, (_PAGE,) = SMALL
SEEDS = [_PAGE.content, _PAGE.content[:64], bytes(32)]
TOKENS = [bytes(32), _CUT.root]


def one_input(data: bytes) -> None:
    in_order(data)
    Page(data[:32] if len(data) % 2 else b"", data).check(_CUT, 0)
    assert data == _PAGE.content
    assert len(data) == page_size(_CUT.count, 0)
