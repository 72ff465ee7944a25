"""Tells of every IP packet that comes to an interface of its namespace, loopback aside, as a JSON line; `quit` ends it.

Run as `python sniffer.py` with the right to open a packet socket.
"""

from __future__ import annotations

import json
import select
import socket
import sys
from ipaddress import ip_address

_ALL = 3
_IP = {0x0800: (9, 12, 16, 4), 0x86DD: (6, 8, 24, 16)}
"For each kind of frame: where its protocol, its source and its target stand, and how long an address is."


def tell(fact: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


def main() -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL)) as sock:
        tell({"event": "ready"})
        while True:
            ready, _, _ = select.select([sock, sys.stdin], [], [])
            if sys.stdin in ready:
                break
            data, (interface, kind, direction, *_) = sock.recvfrom(65536)
            places = _IP.get(kind)
            if places is None or interface == "lo" or direction == socket.PACKET_OUTGOING:
                continue
            protocol, source, target, size = places
            tell({
                "event": "packet", "protocol": data[protocol], "from": str(ip_address(data[source : source + size])),
                "to": str(ip_address(data[target : target + size])), "begins": data[:64].hex(),
            })
        tell({"event": "bye"})


if __name__ == "__main__":
    main()
