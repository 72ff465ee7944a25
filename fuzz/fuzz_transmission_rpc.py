"""Requests of Transmission's RPC in both dialects, and every parameter in them."""

import contextlib

from wildbach.interfaces.doors.transmission.messages import head, read, refused
from wildbach.interfaces.doors.transmission.parameters import Params
from wildbach.interfaces.doors.transmission.refusal import Refusal

SEEDS: list[bytes] = [
    b'{"method":"torrent-get","arguments":{"fields":["id","name"],"ids":[1,"abc",2.5],"format":"table"},"tag":4}',
    b'{"jsonrpc":"2.0","id":"x","method":"torrent_set","params":{"ids":7,"labels":["a"],"seed_ratio_limit":1.5e3}}',
    b'[{"jsonrpc":"2.0","method":"session_set","params":{"alt_speed_enabled":true}},{"jsonrpc":"2.0","id":null}]',
    b'{"method":"torrent-add","arguments":{"filename":"magnet:?xt=urn:btih:00","paused":1,"files-wanted":[]}}',
    b"[]", b"17", b"{}", b'"\\ud83d\\ude00"',
]
TOKENS = [
    b"[", b"]", b"{", b"}", b'"', b",", b":", b"null", b"true", b"\\u0000", b"1e400", b'"jsonrpc":"2.0"', b'"id":',
]


def one_input(data: bytes) -> None:
    for call in read(data).calls:
        head(call)
        if call.fault is not None:
            refused(call, call.fault, {})
        params = Params(call)
        for name in params.names():
            for reader in (
                params.text, params.flag, params.real, params.whole, params.texts, params.wholes, params.mixed,
            ):
                with contextlib.suppress(Refusal):
                    reader(name)
