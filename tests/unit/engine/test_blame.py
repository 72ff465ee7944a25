from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.ids import Endpoint
from wildbach.engine.blame import BanList, Blame, Block, Verdict, ban_name

RIGHT = [b"A", b"B", b"C", b"D"]


def blocks(*senders: str, bad: str = "") -> list[Block[str]]:
    """Blocks from these senders in turn; those named in `bad` sent something else."""
    return [Block(s, b"x" + s.encode() if s in bad else right) for s, right in zip(senders, RIGHT, strict=False)]


def test_the_only_sender_of_a_bad_piece_is_guilty() -> None:
    blame = Blame[str]()
    assert blame.failed(7, blocks("a", "a", "a", "a", bad="a")) == ["a"]
    assert not blame.suspect("a") and not blame.remembers(7)


def test_when_the_piece_passes_exactly_the_false_blocks_count() -> None:
    blame = Blame[str]()
    assert blame.failed(7, blocks("a", "p", "b", "a", bad="p")) == []
    assert blame.suspects() == ["a", "p", "b"]
    assert blame.passed(7, blocks("c", "c", "c", "c")) == ["p"]
    assert blame.suspects() == []


def test_a_peer_that_sends_right_bytes_later_is_still_guilty_of_the_earlier_ones() -> None:
    blame = Blame[str]()
    blame.failed(7, blocks("a", "p", "b", "a", bad="p"))
    assert blame.passed(7, blocks("p", "p", "p", "p")) == ["p"]


def test_several_failures_of_a_piece_are_all_judged() -> None:
    blame = Blame[str]()
    blame.failed(7, blocks("a", "p", "b", "a", bad="p"))
    blame.failed(7, blocks("q", "a", "b", "a", bad="q"))
    assert blame.passed(7, blocks("a", "a", "a", "a")) == ["p", "q"]


def test_a_piece_that_never_failed_accuses_nobody() -> None:
    assert Blame[str]().passed(1, blocks("a", "b", "c", "d", bad="abcd")) == []


def test_leaves_prove_guilt_and_spare_the_good_blocks() -> None:
    blame = Blame[str]()
    blame.failed(7, blocks("a", "p", "b", "p", bad="p"))
    assert blame.judge(7, RIGHT) == Verdict(("p",), (1, 3))
    assert not blame.suspects()


def test_suspicion_lasts_while_any_piece_is_open() -> None:
    blame = Blame[str]()
    blame.failed(1, blocks("a", "p", bad="p"))
    blame.failed(2, blocks("a", "b", bad="b"))
    blame.passed(1, blocks("c", "c"))
    assert blame.suspect("a") and blame.suspect("b") and not blame.suspect("p")


def test_memory_is_bounded_and_the_oldest_is_forgotten() -> None:
    blame = Blame[str](most=10)
    for piece in range(5):
        blame.failed(piece, blocks("a", "b", "c", "d", bad="a"))
    assert [blame.remembers(piece) for piece in range(5)] == [False, False, False, True, True]
    for _ in range(9):
        blame.failed(4, blocks("a", "b", "c", "d", bad="a"))
    assert blame.passed(4, blocks("e", "e", "e", "e")) == ["a"]
    assert blame.suspects() == []


@given(st.data())
def test_exactly_the_poisoners_of_judged_pieces_are_accused(data: st.DataObject) -> None:
    blame = Blame[int]()
    peers = st.integers(0, 7)
    poisoners = data.draw(st.sets(peers, max_size=6))
    right = [bytes([n]) for n in range(5)]
    touched: set[int] = set()
    accused: set[int] = set()
    for piece in range(3):
        for _ in range(data.draw(st.integers(0, 4))):
            senders = data.draw(st.lists(peers, min_size=5, max_size=5))
            sent = [Block(s, b"bad%d" % s if s in poisoners else right[n]) for n, s in enumerate(senders)]
            if any(s in poisoners for s in senders):
                touched |= set(senders) & poisoners
                accused |= set(blame.failed(piece, sent))
        accused |= set(blame.passed(piece, [Block(99, digest) for digest in right]))
    assert accused == touched


def test_a_ban_covers_an_address_and_ends() -> None:
    bans = BanList()
    peer = Endpoint("8.8.8.8", 6881)
    bans.ban(peer, "bad pieces", 0.0, 60.0)
    assert bans.banned(Endpoint("8.8.8.8", 1), 59.0) and not bans.banned(Endpoint("8.8.4.4", 6881), 0.0)
    assert not bans.banned(peer, 60.0) and bans.entries(60.0) == ()
    assert bans.reasons == {"bad pieces": 1}


def test_on_this_machine_a_ban_covers_one_endpoint_only() -> None:
    bans = BanList()
    bans.ban(Endpoint("127.0.0.1", 1000), "bad pieces", 0.0)
    assert bans.banned(Endpoint("127.0.0.1", 1000), 1.0) and not bans.banned(Endpoint("127.0.0.1", 1001), 1.0)


def test_an_ipv6_ban_covers_its_network_and_mapped_addresses_are_ipv4() -> None:
    assert ban_name(Endpoint("2600:1:2:3::4", 5)) == ban_name(Endpoint("2600:1:2:3:ffff::1", 6)) == "2600:1:2:3::/64"
    assert ban_name(Endpoint("::ffff:8.8.8.8", 5)) == "8.8.8.8"


def test_a_ban_is_not_shortened_counted_twice_or_kept_after_it_was_lifted() -> None:
    bans = BanList()
    peer = Endpoint("8.8.8.8", 6881)
    bans.ban(peer, "by hand", 0.0, float("inf"))
    bans.ban(peer, "bad pieces", 1.0, 5.0)
    assert bans.banned(peer, 1e9) and bans.reasons == {"by hand": 1}
    assert bans.unban("8.8.8.8") and not bans.unban("8.8.8.8") and not bans.banned(peer, 2.0)


def test_the_list_is_bounded() -> None:
    bans = BanList(most=3)
    for n in range(5):
        bans.ban(Endpoint(f"8.8.8.{n}", 1), "x", 0.0)
    assert [ban.who for ban in bans.entries(1.0)] == ["8.8.8.2", "8.8.8.3", "8.8.8.4"]
