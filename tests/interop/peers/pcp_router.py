"""A router that speaks PCP (RFC 6887) as far as a firewall for IPv6 does: it opens what is asked for, at the same
address and port, and refuses requests whose address is not that of their packet (section 8.1). Tells each request as a
JSON line.

Run as `python pcp_router.py HOST INTERFACE`.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
from ipaddress import IPv6Address

ADDRESS_MISMATCH = 12


def main(host: str, interface: str) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 5351, 0, socket.if_nametoindex(interface)))
        print(json.dumps({"event": "ready"}), flush=True)
        while True:
            data, source = sock.recvfrom(1100)
            version, opcode, lifetime = struct.unpack_from("!BBxxI", data)
            client = str(IPv6Address(data[8:24]))
            result = 0 if client == source[0] and version == 2 else ADDRESS_MISMATCH
            reply = struct.pack("!BBxBII12x", 2, opcode | 0x80, result, lifetime, 1000)
            told = {"event": "request", "opcode": opcode, "client": client, "result": result, "lifetime": lifetime}
            if opcode == 1:
                nonce, protocol, internal, external, wished = struct.unpack_from("!12sBxxxHH16s", data, 24)
                told |= {"nonce": nonce.hex(), "protocol": protocol, "internal": internal, "external": external}
                reply += struct.pack(
                    "!12sBxxxHH16s", nonce, protocol, internal, internal if lifetime else 0,
                    IPv6Address(client).packed if lifetime else wished)
            sock.sendto(reply, source)
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
