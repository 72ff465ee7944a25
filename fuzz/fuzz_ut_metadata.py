"""ut_metadata messages (BEP 9): what is read is written back the same."""

from wildbach.base.errors import FormatError
from wildbach.protocol.ext import metadata

SEEDS: list[bytes] = [
    metadata.encode(metadata.MetadataRequest(1)),
    metadata.encode(metadata.MetadataReject(2)),
    metadata.encode(metadata.MetadataData(0, 20, b"d4:infod4:name1:aeee")),
    b"d8:msg_typei9ee",
]


def one_input(data: bytes) -> None:
    try:
        message = metadata.decode(data)
    except FormatError:
        return
    if message is not None:
        assert metadata.decode(metadata.encode(message)) == message
