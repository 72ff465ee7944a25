import pytest

from wildbach.base.errors import FormatError
from wildbach.protocol.ext import donthave


def test_the_index_survives_the_wire() -> None:
    assert donthave.decode(memoryview(donthave.encode(258)), 259) == 258


@pytest.mark.parametrize("payload", [b"", b"\0\0\0", b"\0\0\0\0\0", b"\0\0\1\3", b"\xff\xff\xff\xff"])
def test_what_names_no_piece_is_a_format_error(payload: bytes) -> None:
    with pytest.raises(FormatError):
        donthave.decode(payload, 259)
