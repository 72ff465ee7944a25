"""One plain TCP stream with a congestion control of choice, as processes of its own.

Run as `python tcp_child.py '{"listen": HOST, "seconds": COUNT}'`, which takes one connection and reads it for so long,
or as `python tcp_child.py '{"to": [HOST, PORT], "congestion": NAME}'`, which sends until the other side has enough. The
first tells `ready` with its port, and at the end `got` with the bytes and the seconds since the call; the second tells
`connected` with the congestion control that the system says it uses.
"""

from __future__ import annotations

import json
import socket
import sys
import time

_CHUNK = bytes(1 << 16)


def tell(event: str, **facts: object) -> None:
    sys.stdout.write(json.dumps({"event": event, "t": time.monotonic(), **facts}) + "\n")
    sys.stdout.flush()


def take(host: str, seconds: float) -> None:
    with socket.create_server((host, 0)) as server:
        tell("ready", port=server.getsockname()[1])
        stream, _ = server.accept()
    begin, got, place = time.monotonic(), 0, bytearray(1 << 20)
    with stream:
        while (left := begin + seconds - time.monotonic()) > 0:
            stream.settimeout(left)
            try:
                got += stream.recv_into(place)
            except TimeoutError:
                break
        tell("got", bytes=got, seconds=time.monotonic() - begin)


def give(at: tuple[str, int], congestion: str) -> None:
    with socket.socket() as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, congestion.encode())
        stream.connect(at)
        used = stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode()
        tell("connected", congestion=used)
        try:
            while True:
                stream.sendall(_CHUNK)
        except ConnectionError:
            return


def main() -> None:
    words = json.loads(sys.argv[1])
    if "listen" in words:
        take(words["listen"], words["seconds"])
    else:
        give(tuple(words["to"]), words["congestion"])


if __name__ == "__main__":
    main()
