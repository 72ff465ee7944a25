"""Links, and how devices join by them."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rosterbed import Bed, Desk, keys_of

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, UsageError
from wildbach.base.ids import Endpoint, FolderId
from wildbach.protocol import bencode
from wildbach.protocol.sync.joining import (
    Asking,
    LinkRefused,
    Links,
    Reason,
    Reception,
    Refusal,
    Welcome,
    joined,
    new_token,
    read_answer,
    refusal,
    welcome,
)
from wildbach.protocol.sync.links import SyncLink
from wildbach.protocol.sync.roster import Role, roster_hash
from wildbach.protocol.sync.secrets import Token
from wildbach.protocol.sync.writing import Changes, Newcomer, open_token

TOKEN = Token(b"t" * 32)
SESSION = sha256(b"session").digest()
LINK = SyncLink(
    FolderId(b"f" * 32), b"r" * 32, Role.READ_WRITE, TOKEN, keys_of("a").public,
    (Endpoint("192.0.2.7", 6881), Endpoint("2001:db8::1", 7000)), 1_800_000_000)


def ask(name: str, token: Token = TOKEN) -> Asking:
    return Asking.signed(keys_of(name), name, token, SESSION)


def refused(links: Links, desk: Desk, asking: Asking, now: float, token: Token = TOKEN) -> Reason:
    with pytest.raises(LinkRefused) as caught:
        links.redeem(desk.view, desk.id, asking, token.hash, now)
    return caught.value.reason


def take(links: Links, desk: Desk, asking: Asking, now: float, token: Token = TOKEN) -> Links:
    links, newcomer = links.redeem(desk.view, desk.id, asking, token.hash, now)
    assert newcomer is not None
    desk.sign(Changes(add=(newcomer,)))
    return links


# -- text

def test_a_link_is_copied_and_scanned() -> None:
    text = LINK.text()
    assert text.startswith("wildbach-sync:")
    assert SyncLink.parse(text) == LINK
    assert LINK.qr() == text.upper()
    assert SyncLink.parse(f" {LINK.qr()[:60]}\n  {LINK.qr()[60:]}\n") == LINK
    assert len(text) <= 330
    bare = replace(LINK, endpoints=(), until=0, role=Role.STORE)
    assert SyncLink.parse(bare.text()) == bare


def test_a_qr_code_holds_it_as_letters_and_digits() -> None:
    allowed = set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")
    assert set(LINK.qr()) <= allowed


def test_a_link_does_not_show_its_token() -> None:
    assert LINK.text()[120:160] not in repr(LINK)
    assert TOKEN.raw.hex() not in repr(LINK)
    assert "tttt" not in repr(LINK)


def test_every_letter_that_is_wrong_is_noticed() -> None:
    text = LINK.text()
    for at in range(len("wildbach-sync:"), len(text), 5):
        for other in ("a", "7"):
            if text[at] != other:
                with pytest.raises(UsageError) as caught:
                    SyncLink.parse(text[:at] + other + text[at + 1 :])
                assert caught.value.code == "bad_link"
                assert text[20:60] not in str(caught.value)
    for wrong in (text[:-1], text[:-8], text + "a", text[:60] + text[61:], "wildbach-sync:", "magnet:?xt=1", "ä" * 40,
                  "wildbach-sync:" + "=" * 16, "x" * 5000):
        with pytest.raises(UsageError):
            SyncLink.parse(wrong)


def test_what_no_link_says_is_not_made() -> None:
    for different in (
        {"role": Role.OWNER}, {"endpoints": (Endpoint("192.0.2.1", 1),) * 5},
        {"endpoints": (Endpoint("example.org", 1),)}, {"endpoints": (Endpoint("192.0.2.1", 70000),)},
    ):
        with pytest.raises(UsageError):
            replace(LINK, **different).text()  # type: ignore[arg-type]  # fields by name


@given(st.text(max_size=200))
def test_text_is_a_link_or_refused(text: str) -> None:
    for each in (text, "wildbach-sync:" + text):
        with pytest.raises(UsageError):
            SyncLink.parse(each)


# -- the side that gave it

def test_a_link_is_used_once() -> None:
    bed = Bed()
    links = Links().give(bed.a.view, Role.READ_ONLY, TOKEN, 1000)
    assert [given.token for given in links.open(bed.a.view, 1000)] == [TOKEN]
    links = take(links, bed.a, ask("x"), 1001)
    member = bed.a.view.member(keys_of("x").id)
    assert member is not None
    assert (member.role, member.name, member.link) == (Role.READ_ONLY, "x", TOKEN.hash)
    assert refused(links, bed.a, ask("y"), 1002) is Reason.SPENT
    assert links.open(bed.a.view, 1002) == ()


def test_a_state_that_was_restored_does_not_honour_it_again() -> None:
    bed = Bed()
    before = Links().give(bed.a.view, Role.READ_ONLY, TOKEN, 1000)
    take(before, bed.a, ask("x"), 1001)
    assert refused(before, bed.a, ask("y"), 1002) is Reason.SPENT


def test_two_at_once_do_not_both_come_by_it_and_the_first_may_ask_again() -> None:
    bed = Bed()
    links = Links().give(bed.a.view, Role.READ_ONLY, TOKEN, 1000)
    links, _ = links.redeem(bed.a.view, bed.a.id, ask("x"), TOKEN.hash, 1001)
    assert refused(links, bed.a, ask("y"), 1002) is Reason.SPENT
    links = take(Links.unpack(links.pack()), bed.a, ask("x"), 1003)
    assert links.redeem(bed.a.view, bed.a.id, ask("x"), TOKEN.hash, 1e9)[1] is None


def test_a_link_ends_by_the_clock_of_who_gave_it_which_only_goes_forward() -> None:
    bed = Bed()
    links = Links().give(bed.a.view, Role.READ_ONLY, TOKEN, 1000)
    late = 1000 + limits.SYNC_LINK_SECONDS
    assert refused(links, bed.a, ask("x"), late) is Reason.EXPIRED
    seen = links.give(bed.a.view, Role.STORE, new_token(bed.random.randbytes), late - 1)
    assert TOKEN.hash in seen.given
    again = replace(seen, clock=late)
    assert refused(again, bed.a, ask("x"), 1000) is Reason.EXPIRED
    assert TOKEN.hash not in again.give(bed.a.view, Role.STORE, new_token(bed.random.randbytes), 0).given


def test_a_link_ends_with_the_epoch_and_when_it_is_withdrawn() -> None:
    bed = Bed()
    bed.a.add("d")
    links = Links().give(bed.a.view, Role.READ_ONLY, TOKEN, 1000)
    assert refused(links.withdraw(TOKEN.hash), bed.a, ask("x"), 1001) is Reason.UNKNOWN
    bed.a.remove("d")
    assert refused(links, bed.a, ask("x"), 1001) is Reason.EPOCH
    assert links.open(bed.a.view, 1001) == ()


def test_a_link_is_honoured_at_the_device_that_gave_it_alone_and_while_that_is_an_owner() -> None:
    bed = Bed()
    bed.a.add("b", role=Role.OWNER)
    b = bed.desk("b", bed.a)
    links = Links().give(b.view, Role.READ_ONLY, TOKEN, 1000)
    assert refused(Links(), bed.a, ask("x"), 1001) is Reason.UNKNOWN
    bed.a.sign(Changes(roles={b.id: Role.READ_WRITE}))
    b.hear(bed.a)
    assert refused(links, b, ask("x"), 1001) is Reason.NOT_OWNER
    with pytest.raises(UsageError, match="owner"):
        links.give(bed.a.view, Role.OWNER, TOKEN, 1000)


def test_there_are_not_any_number_of_links() -> None:
    bed = Bed()
    links = Links()
    for number in range(limits.SYNC_LINKS):
        links = links.give(bed.a.view, Role.STORE, Token(sha256(b"%d" % number).digest()), 1000)
    with pytest.raises(LimitError):
        links.give(bed.a.view, Role.STORE, TOKEN, 1000)
    assert len(Links.unpack(links.pack()).given) == limits.SYNC_LINKS


def test_an_open_link_is_for_any_number_at_any_owner_until_it_is_closed() -> None:
    bed = Bed()
    bed.a.add("b", role=Role.OWNER)
    bed.a.sign(Changes(open_links=((TOKEN, Role.READ_ONLY),)))
    b = bed.desk("b", bed.a)
    assert open_token(b.rosters, b.keys, TOKEN.hash) == TOKEN
    assert open_token(b.rosters, keys_of("x"), TOKEN.hash) is None
    take(Links(), b, ask("x"), 1000)
    take(Links(), bed.a, ask("y"), 1000)
    b.hear(bed.a)
    bed.a.hear(b)
    assert {"x", "y"} <= b.names()
    assert b.view == bed.a.view
    b.sign(Changes(close_links=(TOKEN.hash,)))
    bed.a.hear(b)
    assert refused(Links(), bed.a, ask("z"), 1000) is Reason.SPENT


def test_who_has_an_open_link_does_not_fill_the_folder_with_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SYNC_OPEN_LINK_DEVICES", 3)
    bed = Bed()
    other = Token(b"o" * 32)
    bed.a.sign(Changes(open_links=((TOKEN, Role.READ_ONLY), (other, Role.READ_ONLY))))
    for name in "xyz":
        take(Links(), bed.a, ask(name), 1000)
    assert refused(Links(), bed.a, ask("w"), 1000) is Reason.FULL
    # Who is in may ask again, and other links let others in.
    assert Links().redeem(bed.a.view, bed.a.id, Asking.unpack(ask("x").pack()), TOKEN.hash, 1000)[1] is None
    take(Links(), bed.a, ask("w", other), 1000, other)


def test_an_open_link_that_one_closed_stays_closed_and_ends_with_the_epoch() -> None:
    bed = Bed()
    bed.a.add("b", role=Role.OWNER)
    other = Token(b"o" * 32)
    bed.a.sign(Changes(open_links=((TOKEN, Role.READ_ONLY), (other, Role.STORE))))
    b = bed.desk("b", bed.a)
    b.sign(Changes(close_links=(TOKEN.hash,)))
    bed.a.add("x")
    bed.a.hear(b)
    assert set(bed.a.view.state.links) == {other.hash}
    bed.a.remove("x")
    assert bed.a.view.state.links == {}


def test_who_was_removed_does_not_come_back_by_an_open_link() -> None:
    bed = Bed()
    bed.a.add("d")
    bed.a.remove("d")
    bed.a.sign(Changes(open_links=((TOKEN, Role.READ_ONLY),)))
    assert refused(Links(), bed.a, ask("d"), 1000) is Reason.REMOVED
    single = Token(b"1" * 32)
    take(Links().give(bed.a.view, Role.READ_ONLY, single, 1000), bed.a, ask("d", single), 1000, single)


# -- what is said

def test_who_asks_is_who_is_there() -> None:
    asking = Asking.unpack(ask("x").pack())
    static = keys_of("x").public.exchange
    assert asking.verify(static, TOKEN.hash, SESSION)
    assert not asking.verify(keys_of("y").public.exchange, TOKEN.hash, SESSION)
    assert not asking.verify(static, bytes(32), SESSION)
    assert not asking.verify(static, TOKEN.hash, bytes(32))
    assert not replace(asking, name="y").verify(static, TOKEN.hash, SESSION)


def test_a_device_joins() -> None:
    bed = Bed()
    bed.a.add("b", role=Role.OWNER)
    links = Links().give(bed.a.view, Role.READ_WRITE, TOKEN, 1000)
    link = replace(LINK, folder=bed.a.rosters.folder, roster=bed.a.view.heads[0])
    take(links, bed.a, ask("x"), 1001)
    reception = Reception()
    for message in welcome(bed.a.rosters.chain()):
        part = read_answer(message)
        assert isinstance(part, Welcome)
        done = reception.take(part)
    assert done
    got = joined(link, reception.rosters, keys_of("x"))
    assert got.rosters.view == bed.a.view
    assert got.member.role is Role.READ_WRITE
    assert got.secrets.reads == {bed.secret.commit: bed.secret}


def test_a_joiner_believes_only_what_its_link_promised() -> None:
    bed = Bed()
    old = bed.a.rosters.chain()
    bed.a.sign(Changes(name="newer"))
    link = replace(LINK, folder=bed.a.rosters.folder, roster=bed.a.view.heads[0])
    bed.a.sign(Changes(add=(Newcomer(keys_of("x").public, Role.READ_ONLY, "x", TOKEN.hash),)))
    good = bed.a.rosters.chain()
    joined(link, good, keys_of("x"))
    stranger = Bed(9).a.rosters.chain()
    for raws, keys, wanted in (
        (old, keys_of("x"), link), (good[:-1], keys_of("x"), link), (good, keys_of("y"), link),
        (stranger, keys_of("x"), link), ((), keys_of("x"), link),
        (good, keys_of("x"), replace(link, inviter=keys_of("z").public)),
        (good, keys_of("x"), replace(link, folder=FolderId(bytes(32)))),
    ):
        with pytest.raises(FormatError):
            joined(wanted, raws, keys)


def test_a_long_chain_comes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    bed = Bed()
    for number in range(20):
        bed.a.sign(Changes(name=f"{number}"))
    monkeypatch.setattr(limits, "SYNC_MESSAGE_BYTES", 2000)
    messages = welcome(bed.a.rosters.chain())
    assert len(messages) > 3
    assert all(len(message) <= 2000 for message in messages)
    parts = [part for message in messages if isinstance(part := read_answer(message), Welcome)]
    reception = Reception()
    assert [reception.take(part) for part in parts] == [False] * (len(parts) - 1) + [True]
    assert reception.rosters == bed.a.rosters.chain()
    with pytest.raises(FormatError, match="missing"):
        lossy = Reception()
        lossy.take(parts[0])
        lossy.take(parts[2])
    monkeypatch.setattr(limits, "SYNC_ROSTERS_BYTES", 100)
    with pytest.raises(LimitError):
        Reception().take(parts[0])


def test_a_refusal_says_why() -> None:
    for reason in Reason:
        assert read_answer(refusal(reason)) == Refusal(reason)
    assert read_answer(bencode.encode({b"t": b"refused", b"w": b"later"})) == Refusal(Reason.UNKNOWN)


@pytest.mark.parametrize("value", [
    {b"t": b"welcome", b"r": [1], b"m": 0}, {b"t": b"welcome", b"r": [], b"m": -1}, {b"t": b"x"}, [], {},
    {b"t": b"welcome", b"r": [], b"m": 1 << 40}, {b"t": b"refused"},
])
def test_what_is_no_answer_is_refused(value: bencode.Value) -> None:
    with pytest.raises(FormatError):
        read_answer(bencode.encode(value))


@pytest.mark.parametrize("value", [
    {b"t": b"join", b"d": b"x", b"n": b"", b"s": bytes(64)}, {b"t": b"x"}, [],
    {b"t": b"join", b"d": keys_of("x").public.pack(), b"n": b"\xff", b"s": bytes(64)},
    {b"t": b"join", b"d": keys_of("x").public.pack(), b"n": b"a\n", b"s": bytes(64)},
    {b"t": b"join", b"d": keys_of("x").public.pack(), b"n": b"", b"s": bytes(63)},
])
def test_what_is_no_request_is_refused(value: bencode.Value) -> None:
    with pytest.raises(FormatError):
        Asking.unpack(bencode.encode(value))


@given(st.binary(max_size=120))
def test_bytes_are_refused(raw: bytes) -> None:
    for parse in (Links.unpack, Asking.unpack, read_answer):
        with pytest.raises(FormatError):
            parse(raw)


def test_links_are_kept() -> None:
    bed = Bed()
    links = Links().give(bed.a.view, Role.READ_ONLY, TOKEN, 1000.5)
    assert Links.unpack(links.pack()) == links
    for row in ([], [b"t" * 32, b"q", bytes(16), 1, b""], [b"t" * 32, b"r", bytes(16), 1, b"x"], [b"t", b"r"]):
        with pytest.raises(FormatError):
            Links.unpack(bencode.encode({b"g": [row], b"t": 0}))
    assert roster_hash(b"") == sha256(b"").digest()
