import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol.ext import hashes
from wildbach.protocol.ext.hashes import Hashes, HashRequest

REQUEST = HashRequest(b"r" * 32, 3, 512, 512, 9)


def test_a_request_and_its_reject_carry_the_same_fields() -> None:
    payload = hashes.encode_request(REQUEST)
    assert payload == b"r" * 32 + b"\0\0\0\3\0\0\2\0\0\0\2\0\0\0\0\x09" == hashes.encode_reject(REQUEST)
    assert hashes.decode_request(memoryview(payload)) == REQUEST


def test_hashes_follow_their_request() -> None:
    answer = Hashes(REQUEST, bytes(range(64)))
    payload = hashes.encode_hashes(answer)
    assert payload == hashes.encode_request(REQUEST) + bytes(range(64))
    assert hashes.decode_hashes(memoryview(payload)) == answer


@pytest.mark.parametrize("size", [0, 47, 49, 48 + 31])
def test_wrong_lengths_are_format_errors(size: int) -> None:
    with pytest.raises(FormatError):
        hashes.decode_hashes(bytes(size))
    with pytest.raises(FormatError):
        hashes.decode_request(bytes(size))


def test_more_hashes_than_can_be_asked_for_are_refused() -> None:
    hashes.decode_hashes(bytes(48 + 32 * 544))
    with pytest.raises(LimitError):
        hashes.decode_hashes(bytes(48 + 32 * 545))


@given(st.binary(min_size=48, max_size=48), st.integers(0, 4))
def test_well_sized_payloads_are_read_and_written_unchanged(fields: bytes, count: int) -> None:
    assert hashes.encode_request(hashes.decode_request(fields)) == fields
    answer = hashes.decode_hashes(fields + bytes(32 * count))
    assert hashes.encode_hashes(answer) == fields + bytes(32 * count)
