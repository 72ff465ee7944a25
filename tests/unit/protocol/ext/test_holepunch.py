import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import FormatError
from wildbach.base.ids import Endpoint
from wildbach.protocol.ext import holepunch
from wildbach.protocol.ext.holepunch import Kind, Message, Refusal


def test_the_wire_form_is_that_of_bep_55() -> None:
    assert holepunch.encode(Message(Kind.CONNECT, Endpoint("1.2.3.4", 6881))).hex() == "0100010203041ae100000000"
    refused = Message(Kind.ERROR, Endpoint("2600::1", 7), Refusal.NO_SUPPORT)
    assert holepunch.encode(refused).hex() == "0201" + "2600" + "00" * 13 + "01" + "0007" + "00000003"


@given(st.sampled_from(Kind), st.ip_addresses(), st.integers(0, 65535), st.integers(0, 2**32 - 1))
def test_what_is_written_is_read(kind: Kind, address: object, port: int, error: int) -> None:
    message = Message(kind, Endpoint(str(address), port), error if kind is Kind.ERROR else 0)
    read = holepunch.decode(holepunch.encode(message))
    assert (read.kind, read.endpoint.port, read.error) == (kind, port, message.error)
    assert holepunch.encode(read)[2:] == holepunch.encode(message)[2:] or "ffff:" in str(address)


def test_an_error_code_may_be_missing_where_there_is_no_error() -> None:
    assert holepunch.decode(bytes.fromhex("0000010203041ae1")) == Message(Kind.RENDEZVOUS, Endpoint("1.2.3.4", 6881))


@pytest.mark.parametrize("data", ["", "00", "0300010203041ae100000000", "0002010203041ae100000000", "0200010203041ae1",
                                  "0000010203041ae1000000", "0001010203041ae100000000"])
def test_what_is_none_is_a_format_error(data: str) -> None:
    with pytest.raises(FormatError):
        holepunch.decode(bytes.fromhex(data))
