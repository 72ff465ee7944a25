"""Peer ids (BEP 20): ours, and the client that another one names."""

from __future__ import annotations

import random
import re

PREFIX = b"-WB0100-"
_ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def new_peer_id(rng: random.Random, *, anonymous: bool = False) -> bytes:
    """A fresh id of 20 bytes: `-WB0100-` and 12 letters or digits, so that no tracker mangles it.

    An anonymous one is letters and digits all the way and names no client.

    Hand in `random.SystemRandom()`; a seeded one where runs must repeat.
    """
    # One draw, and more bits than are needed: a hundred thousand torrents may want one at the same time.
    number = rng.getrandbits(128)
    letters = bytearray() if anonymous else bytearray(PREFIX)
    while len(letters) < 20:
        number, at = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[at])
    return bytes(letters)


_AZUREUS = {
    "7T": "aTorrent", "AG": "Ares", "AR": "Arctic", "AT": "Artemis", "AV": "Avicora", "AX": "BitPump",
    "AZ": "Vuze", "BC": "BitComet", "BE": "BitTorrent SDK", "BF": "BitFlu", "BG": "BTG", "BI": "BiglyBT",
    "BL": "BitLord", "BP": "BitTorrent Pro", "BR": "BitRocket", "BS": "BTSlave", "BT": "BitTorrent", "BW": "BitWombat",
    "CD": "CTorrent", "CT": "CTorrent", "DE": "Deluge", "DP": "Propagate", "EB": "EBit", "FC": "FileCroc",
    "FD": "Free Download Manager", "FL": "Folx", "FW": "FrostWire", "FX": "Freebox", "GS": "GSTorrent",
    "GT": "go.torrent", "HK": "Hekate", "HL": "Halite", "IL": "iLivid", "JT": "JavaTorrent", "KG": "KGet",
    "KT": "KTorrent", "LC": "LeechCraft", "LH": "LH-ABC", "LP": "Lphant", "LT": "libtorrent", "lt": "rTorrent",
    "LW": "LimeWire", "ML": "MLDonkey", "MO": "MonoTorrent", "MP": "MooPolice", "MR": "Miro", "NX": "Net Transport",
    "OS": "OneSwarm", "OT": "OmegaTorrent", "PB": "Protocol::BitTorrent", "PD": "Pando", "PI": "PicoTorrent",
    "PT": "Popcorn Time", "qB": "qBittorrent", "QD": "QQDownload", "QT": "Qt 4 Torrent", "RN": "rain", "rq": "rqbit",
    "RT": "Retriever", "RZ": "RezTorrent", "SB": "Swiftbit", "SD": "Thunder", "SM": "SoMud", "SP": "BitSpirit",
    "SS": "SwarmScope", "ST": "SymTorrent", "SZ": "Shareaza", "TB": "Torch", "TL": "Tribler", "TN": "Torrent.NET",
    "TR": "Transmission", "TS": "TorrentStorm", "TT": "TuoTu", "TX": "Tixati", "UL": "uLeecher", "UM": "µTorrent Mac",
    "UT": "µTorrent", "UW": "µTorrent Web", "VG": "Vagaa", "WB": "wildbach", "WD": "WebTorrent Desktop",
    "WT": "BitLet", "WW": "WebTorrent", "WY": "FireTorrent", "XF": "Xfplay", "XL": "Xunlei", "XT": "XanTorrent",
    "XX": "Xtorrent", "ZT": "ZipTorrent",
}
_SHADOW = {"A": "ABC", "O": "Osprey", "Q": "BTQueue", "R": "Tribler", "S": "Shadow", "T": "BitTornado", "U": "UPnP NAT"}
_OTHERS = (
    (b"exbc", "BitComet"), (b"FUTB", "BitComet"), (b"xUTB", "BitComet"), (b"Mbrst", "burst!"), (b"OP", "Opera"),
    (b"XBT", "XBT"), (b"Plus", "Plus!"), (b"turbobt", "TurboBT"), (b"btpd", "BT Protocol Daemon"), (b"eX", "eXeem"),
)
_AZUREUS_FORM = re.compile(rb"-([A-Za-z0-9~]{2})([0-9A-Za-z.]{4})[-0-9A-Za-z]")
_MAINLINE_FORM = re.compile(rb"(M|A2-)(\d{1,2})-(\d{1,2})-(\d{1,2})-")
_SHADOW_FORM = re.compile(rb"([AOQRSTU])([0-9A-Za-z.-]{5})-")


def _digit(char: str) -> str:
    """Azureus and Shadow versions count 0-9, A-Z, a-z."""
    if char.isdigit():
        return char
    return str(ord(char) - 55) if char.isupper() else str(ord(char) - 61)


def _version(chars: str) -> str:
    parts = [_digit(c) for c in chars if c.isalnum()]
    while len(parts) > 2 and parts[-1] == "0":
        parts.pop()
    return ".".join(parts)


def client_name(peer_id: bytes) -> str:
    """The client and version a peer id names, for people to read; "" where it names none. Never trusted."""
    if form := _AZUREUS_FORM.match(peer_id):
        code, version = form[1].decode("ascii"), form[2].decode("ascii")
        return f"{_AZUREUS.get(code, code)} {_version(version)}"
    if form := _MAINLINE_FORM.match(peer_id):
        name = "aria2 " if form[1] == b"A2-" else "BitTorrent "
        return name + b".".join(form.groups()[1:]).decode("ascii")
    for start, name in _OTHERS:
        if peer_id.startswith(start):
            return name
    if form := _SHADOW_FORM.match(peer_id):
        return f"{_SHADOW[form[1].decode('ascii')]} {_version(form[2].decode('ascii').rstrip('-'))}"
    return ""
