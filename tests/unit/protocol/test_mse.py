"""The encrypted handshake: both roles against each other, byte by byte, and against what is no handshake."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import RemoteError
from wildbach.protocol.mse import KEY, PRIME, Answerer, Caller, Handshake, Method, find_by

SKEY = bytes(range(20))
BOTH = (Method.RC4, Method.PLAIN)
KNOWN: dict[bytes, bytes] = {find_by(SKEY): SKEY, find_by(b"other"): b"other"}


def sides(
    initial: bytes = b"hello", provide: tuple[Method, ...] = BOTH, accept: tuple[Method, ...] = BOTH, seed: int = 1,
    find: Callable[[bytes], bytes | None] = KNOWN.get,
) -> tuple[Caller, Answerer]:
    return Caller(SKEY, initial, provide, Random(seed)), Answerer(find, accept, Random(seed + 1))


class Pipe:
    """What one side has sent and the other not used up."""

    def __init__(self, to: Handshake) -> None:
        self.to = to
        self.data = b""

    def push(self, data: bytes, size: int) -> None:
        """Hand over in parts of at most `size` bytes."""
        for at in range(0, len(data), size):
            self.data += data[at : at + size]
            self.data = self.data[self.to.received(self.data) :]


def shake(caller: Caller, answerer: Answerer, size: int = 1 << 20) -> tuple[Pipe, Pipe]:
    there, back = Pipe(answerer), Pipe(caller)
    for _ in range(4):
        there.push(caller.take(), size)
        back.push(answerer.take(), size)
    return there, back


@given(st.integers(1, 700), st.integers(0, 1000), st.binary(max_size=200))
@examples(max_examples=40)
def test_both_sides_agree_however_the_bytes_are_parted(size: int, seed: int, initial: bytes) -> None:
    caller, answerer = sides(initial, seed=seed)
    there, back = shake(caller, answerer, size)
    assert caller.agreed is not None and answerer.agreed is not None
    assert (caller.agreed.method, answerer.agreed.method) == (Method.RC4, Method.RC4)
    assert answerer.agreed.initial == initial and caller.agreed.initial == b""
    assert there.data == back.data == b""
    for one, other in ((caller.agreed, answerer.agreed), (answerer.agreed, caller.agreed)):
        assert one.send is not None and other.receive is not None
        said = one.send.of(b"the stream goes on")
        assert said != b"the stream goes on" and other.receive.of(said) == b"the stream goes on"


@pytest.mark.parametrize(("provide", "accept", "method"), [
    (BOTH, BOTH, Method.RC4), ((Method.PLAIN,), BOTH, Method.PLAIN), (BOTH, (Method.PLAIN,), Method.PLAIN),
    (BOTH, (Method.PLAIN, Method.RC4), Method.PLAIN), ((Method.RC4,), BOTH, Method.RC4),
])
def test_the_answerer_chooses_of_what_is_offered(
    provide: tuple[Method, ...], accept: tuple[Method, ...], method: Method
) -> None:
    caller, answerer = sides(provide=provide, accept=accept)
    shake(caller, answerer)
    assert caller.agreed is not None and answerer.agreed is not None
    assert caller.agreed.method is answerer.agreed.method is method
    assert (caller.agreed.send is None) == (method is Method.PLAIN)


def test_where_nothing_offered_is_wanted_the_answerer_ends_it() -> None:
    caller, answerer = sides(provide=(Method.PLAIN,), accept=(Method.RC4,))
    with pytest.raises(RemoteError, match="no encryption that is wanted"):
        shake(caller, answerer)


def test_a_torrent_that_is_not_here_ends_it() -> None:
    caller, answerer = sides(find=lambda _: None)
    with pytest.raises(RemoteError, match="not here"):
        shake(caller, answerer)


def test_what_follows_the_handshake_is_left_alone() -> None:
    caller, answerer = sides()
    there = Pipe(answerer)
    there.push(caller.take(), 1 << 20)
    back = Pipe(caller)
    back.push(answerer.take(), 1 << 20)
    there.push(caller.take() + b"first message", 1 << 20)
    assert answerer.agreed is not None and there.data == b"first message"


def test_nothing_is_said_before_a_whole_key_is_here() -> None:
    caller, answerer = sides()
    greeting = caller.take()
    assert answerer.received(greeting[: KEY - 1]) == 0 and answerer.take() == b""
    assert answerer.received(greeting[:KEY]) == KEY and len(answerer.take()) >= KEY


@pytest.mark.parametrize("key", [0, 1, PRIME - 1, PRIME, PRIME + 5])
def test_keys_that_make_the_secret_known_are_refused(key: int) -> None:
    for side in sides():
        with pytest.raises(RemoteError, match="public key"):
            side.received(key.to_bytes(KEY, "big"))


def test_a_stranger_is_sent_away_once_the_longest_padding_is_over() -> None:
    _, answerer = sides()
    noise = Random(5).randbytes(KEY)
    assert answerer.received(noise) == KEY
    with pytest.raises(RemoteError, match="not an encrypted handshake"):
        answerer.received(bytes(limits.MSE_PADDING_BYTES + 20))
    caller, _ = sides()
    assert caller.received(noise) == KEY
    with pytest.raises(RemoteError, match="not an encrypted handshake"):
        caller.received(bytes(limits.MSE_PADDING_BYTES + 8))


def test_a_greeting_that_is_too_long_is_refused() -> None:
    caller, answerer = sides(bytes(limits.MSE_INITIAL_BYTES + 1))
    with pytest.raises(RemoteError, match="says too much"):
        shake(caller, answerer)


def test_streams_of_two_connections_have_nothing_in_common() -> None:
    first, second = sides(seed=1), sides(seed=2)
    greetings = []
    for pair in (first, second):
        greeting = pair[0].take()
        pair[1].received(greeting)
        greetings.append(greeting)
    assert greetings[0][:KEY] != greetings[1][:KEY]
    first_rows, second_rows = ({greeting[at : at + 8] for at in range(KEY)} for greeting in greetings)
    assert not first_rows & second_rows


@given(st.lists(st.binary(max_size=700), max_size=6), st.booleans())
@examples(max_examples=100)
def test_no_bytes_bring_a_side_to_fall(parts: list[bytes], calls: bool) -> None:
    side: Handshake = sides()[0 if calls else 1]
    kept = b""
    try:
        for part in parts:
            kept += part
            kept = kept[side.received(kept) :]
    except RemoteError:
        return
    assert len(kept) <= KEY + limits.MSE_PADDING_BYTES + 40 + limits.MSE_INITIAL_BYTES
