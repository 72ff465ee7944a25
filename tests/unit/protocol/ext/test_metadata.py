import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.published import published

from wildbach.base.errors import FormatError
from wildbach.protocol.ext import metadata
from wildbach.protocol.ext.metadata import MetadataData, MetadataReject, MetadataRequest


@pytest.mark.vector(9)
def test_the_examples_of_bep_9_hold() -> None:
    example = {name: text.encode() for name, text in published(9).items()}
    data = MetadataData(0, 34256, b"x" * 16384)
    for message, raw in (
        (MetadataRequest(0), example["request"]), (MetadataReject(0), example["reject"]),
        (data, example["data"] + data.data),
    ):
        assert metadata.encode(message) == raw
        assert metadata.decode(raw) == message


@pytest.mark.parametrize(
    "message",
    [MetadataRequest(3), MetadataReject(4095), MetadataData(0, 5, b"hello"), MetadataData(1, 16385, b"d")],
)
def test_messages_survive_the_wire(message: metadata.MetadataMessage) -> None:
    assert metadata.decode(memoryview(metadata.encode(message))) == message


def test_unknown_kinds_are_ignored() -> None:
    assert metadata.decode(b"d8:msg_typei7e5:piecei0ee") is None


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"le", b"de", b"d8:msg_type1:xe", b"d8:msg_typei0ee", b"d8:msg_typei0e5:piecei-1ee",
        b"d8:msg_typei0e5:piecei4096ee", b"d8:msg_typei1e5:piecei0eexx", b"d8:msg_typei1e5:piecei0e10:total_sizei3eexx",
        b"d8:msg_typei1e5:piecei0e10:total_sizei1eexx", b"d8:msg_typei1e5:piecei1e10:total_sizei5ee",
        b"d8:msg_typei1e5:piecei0e10:total_sizei999999999999eex", b"d8:msg_typei1e5:piecei0e10:total_sizei0ee",
    ],
)
def test_broken_messages_are_format_errors(payload: bytes) -> None:
    with pytest.raises(FormatError):
        metadata.decode(payload)


@given(st.binary(max_size=100))
def test_any_bytes_give_a_message_or_a_format_error(data: bytes) -> None:
    for payload in (data, b"d8:msg_type" + data):
        try:
            message = metadata.decode(payload)
        except FormatError:
            continue
        assert message is None or metadata.decode(metadata.encode(message)) == message
