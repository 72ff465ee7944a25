"""How two devices that share a secret begin to speak: as two BitTorrent clients do, and then in `wb_noise`.

    initiator -> BitTorrent handshake, whose info hash follows from the secret and its random peer id
    responder -> BitTorrent handshake with the same info hash, extension handshake (BEP 10) with `m` alone
    initiator -> extension handshake with `m` alone, wb_noise 1
    responder -> wb_noise 2
    initiator -> wb_noise 3, and Noise records from here on
    responder -> Noise records

The info hash is new on every connection and free of clocks. A responder that finds it under none of its secrets does
what a client does for a torrent that it does not have. `wb_noise` carries the messages of
`Noise_XXpsk0_25519_ChaChaPoly_SHA256` (protocol.noise); its prologue names the info hash and both peer ids.

    names = Secrets[str](); keys = names.put("folder", secret)
    caller = Caller("folder", keys, static, new_peer_id(rng))
    answerer = Answerer(names.find(theirs), static, theirs, new_peer_id(rng))
    both: send `take()`, feed `received(...)`, until `opened` is set

`net.meeting` does so on a connection, and `engine.meeting` behind the door of a session.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, RemoteError, UsageError
from wildbach.protocol import bencode, noise
from wildbach.protocol.ext import handshake as extensions
from wildbach.protocol.sync.secrets import derive
from wildbach.protocol.wire import codec
from wildbach.protocol.wire.handshake import LENGTH, Handshake, parse, plausible

N = TypeVar("N", bound=Hashable)

SECRET: Final = 32
"Bytes of a secret that two devices share."
WB_NOISE: Final = b"wb_noise"
NUMBER: Final = 1
"The id that `wb_noise` has towards us."
_PROLOGUE: Final = b"wb_noise 1"
_HEADER: Final = 6
"Bytes of an extension message before its payload: length, 20, number."


@dataclass(frozen=True, slots=True)
class MeetingKeys:
    """What follows from one secret; never shown."""

    hs: bytes = field(repr=False)
    "Gives the info hash: HMAC-SHA256(hs, peer id of the initiator), cut to 20 bytes."
    psk: bytes = field(repr=False)
    "The pre-shared key of the Noise handshake."
    mse: bytes = field(repr=False)
    "20 bytes that take the place of an info hash in an encrypted handshake (protocol.mse), where one goes around it."

    @classmethod
    def of(cls, secret: bytes) -> MeetingKeys:
        """Raises UsageError for a secret of the wrong size."""
        if len(secret) != SECRET:
            raise UsageError("a secret has 32 bytes")
        return cls(derive(secret, "hs"), derive(secret, "psk"), derive(secret, "mse")[:20])

    def info_hash(self, peer_id: bytes) -> bytes:
        return hmac.digest(self.hs, peer_id, "sha256")[:20]


@dataclass(frozen=True, slots=True)
class Found(Generic[N]):
    """The secret that a caller has, by its name."""

    name: N
    keys: MeetingKeys


class Secrets(Generic[N]):
    """By which secrets callers may know us. Looking through all of them takes three microseconds each."""

    __slots__ = ("_keys", "_seen")

    def __init__(self) -> None:
        self._keys: dict[N, MeetingKeys] = {}
        self._seen: dict[bytes, None] = {}
        "Info hashes that were met: each is taken once, so what was overheard opens nothing."

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, name: N) -> bool:
        return name in self._keys

    def put(self, name: N, secret: bytes) -> MeetingKeys:
        """Answer to a secret, by this name from now on. Raises LimitError, and UsageError for a wrong size."""
        keys = MeetingKeys.of(secret)
        if name not in self._keys and len(self._keys) >= limits.SYNC_SECRETS:
            raise LimitError("more secrets to be called by than limits.SYNC_SECRETS")
        self._keys[name] = keys
        return keys

    def drop(self, name: N) -> MeetingKeys | None:
        return self._keys.pop(name, None)

    def keys(self, name: N) -> MeetingKeys | None:
        return self._keys.get(name)

    def find(self, theirs: Handshake) -> Found[N] | None:
        """Which secret a handshake was made with; None where none is, and where it comes for the second time."""
        if not theirs.extension or theirs.info_hash in self._seen:
            return None
        found = None
        for name, keys in self._keys.items():
            if hmac.compare_digest(keys.info_hash(theirs.peer_id), theirs.info_hash):
                found = Found(name, keys)
        if found is not None:
            self._seen[theirs.info_hash] = None
            if len(self._seen) > limits.SYNC_SEEN:
                del self._seen[next(iter(self._seen))]
        return found


@dataclass(frozen=True, slots=True)
class Opened(Generic[N]):
    """What an opening ends with."""

    name: N
    "Of the secret."
    ciphers: noise.Ciphers
    device: bytes
    "The other device's static X25519 public key, 32 bytes, proven."
    hash: bytes
    "Of the handshake, 32 bytes: the same on both sides, and on no other connection."
    initiator: bool
    "We called."
    hello: bytes
    "What the other side said within the handshake: encrypted for us, and of whom `device` names."


class Opening(Generic[N]):
    """One side. Send what `take` gives, feed `received`, until `opened` is set; then the stream is Noise records."""

    __slots__ = ("_hello", "_keys", "_name", "_noise", "_out", "_said", "_static", "_step", "_their_number", "opened")

    def __init__(self, name: N, keys: MeetingKeys, static: X25519PrivateKey, hello: bytes) -> None:
        if len(hello) > limits.SYNC_HELLO_BYTES:
            raise UsageError("a longer hello than limits.SYNC_HELLO_BYTES")
        self._name = name
        self._keys = keys
        self._static = static
        self._hello = hello
        self._out = bytearray()
        self._said = b""
        "The other side's hello."
        self._noise: noise.Handshake | None = None
        self._their_number = 0
        self._step: Callable[[memoryview], int] = self._extensions
        self.opened: Opened[N] | None = None

    def take(self) -> bytes:
        """What is to be sent now."""
        out, self._out = self._out, bytearray()
        return bytes(out)

    def received(self, data: bytes | bytearray | memoryview) -> int:
        """Take what is whole and return how many bytes were used; the rest comes again with what follows.

        Raises RemoteError where the other side breaks a rule or does not know the secret. Nothing behind the opening
        is used.
        """
        view = memoryview(data)
        used = 0
        while self.opened is None:
            taken = self._step(view[used:])
            if not taken:
                break
            used += taken
        return used

    def _begin(self, initiator: bool, info_hash: bytes, caller: bytes, answerer: bytes) -> None:
        prologue = b"".join((_PROLOGUE, info_hash, caller, answerer))
        self._noise = noise.Handshake(initiator, self._keys.psk, self._static, prologue)

    def _say_extensions(self) -> None:
        self._out += codec.extended(0, bencode.encode({b"m": {WB_NOISE: NUMBER}}))

    def _say(self, payload: bytes) -> None:
        if self._noise is not None:
            self._out += codec.extended(self._their_number, self._noise.write(payload))

    def _message(self, data: memoryview, number: int) -> tuple[bytes, int] | None:
        """The extension message at the beginning, and its size; None where it is not whole."""
        if len(data) < _HEADER:
            return None
        size = int.from_bytes(data[:4], "big")
        if size > limits.SYNC_OPENING_BYTES:
            raise LimitError("a message over limits.SYNC_OPENING_BYTES", where="wb_noise", size=size)
        if size < 2 or data[4] != extensions.EXTENDED or data[5] != number:
            raise FormatError("another message than the next one of an opening", where="wb_noise")
        if len(data) < 4 + size:
            return None
        return bytes(data[_HEADER : 4 + size]), 4 + size

    def _extensions(self, data: memoryview) -> int:
        found = self._message(data, 0)
        if found is None:
            return 0
        self._their_number = extensions.parse(found[0]).ids.get(WB_NOISE, 0)
        if not self._their_number:
            raise RemoteError("does not speak wb_noise")
        self._told()
        return found[1]

    def _told(self) -> None:
        """Their extension handshake is here."""
        raise NotImplementedError

    def _read(self, data: memoryview) -> int:
        found = self._message(data, NUMBER)
        if found is None or self._noise is None:
            return 0
        said = self._noise.read(found[0])
        if len(said) > limits.SYNC_HELLO_BYTES:
            raise LimitError("a longer hello than limits.SYNC_HELLO_BYTES", where="wb_noise")
        self._said = said
        return found[1]

    def _open(self) -> None:
        handshake = self._noise
        if handshake is None:
            return
        device = handshake.remote_static
        if device == self._static.public_key().public_bytes_raw():
            raise RemoteError("it is this device itself")
        self.opened = Opened(
            self._name, handshake.split(), device, handshake.hash, isinstance(self, Caller), self._said)


class Caller(Opening[N]):
    """The device that called."""

    __slots__ = ("greeting",)

    def __init__(
        self, name: N, keys: MeetingKeys, static: X25519PrivateKey, peer_id: bytes, hello: bytes = b"",
        *, said: bool = False,
    ) -> None:
        """`peer_id`: 20 bytes, random, new for each connection (`new_peer_id`). `said`: the greeting went with an
        encrypted handshake already (engine.roads).
        """
        super().__init__(name, keys, static, hello)
        self.greeting = greeting(keys, peer_id)
        "The 68 bytes that come first."
        self._step = self._greeted
        if not said:
            self._out += self.greeting

    def _greeted(self, data: memoryview) -> int:
        if not plausible(data):
            raise RemoteError("not a BitTorrent handshake")
        if len(data) < LENGTH:
            return 0
        theirs = parse(data[:LENGTH])
        if theirs.info_hash != self.greeting[28:48]:
            raise RemoteError("greets for another torrent")
        if not theirs.extension:
            raise RemoteError("does not speak wb_noise")
        self._begin(True, theirs.info_hash, self.greeting[48:], theirs.peer_id)
        self._step = self._extensions
        return LENGTH

    def _told(self) -> None:
        self._say_extensions()
        self._say(b"")
        self._step = self._second

    def _second(self, data: memoryview) -> int:
        used = self._read(data)
        if used:
            self._say(self._hello)
            self._open()
        return used


class Answerer(Opening[N]):
    """The device that was called; its caller's handshake was read, and its secret found."""

    __slots__ = ()

    def __init__(
        self, found: Found[N], static: X25519PrivateKey, theirs: Handshake, peer_id: bytes, hello: bytes = b"",
    ) -> None:
        """`peer_id`: a new one of ours."""
        super().__init__(found.name, found.keys, static, hello)
        self._begin(False, theirs.info_hash, theirs.peer_id, peer_id)
        self._out += Handshake(theirs.info_hash, peer_id, v2=True).to_bytes()
        self._say_extensions()

    def _told(self) -> None:
        self._step = self._hear_first

    def _hear_first(self, data: memoryview) -> int:
        used = self._read(data)
        if used:
            self._say(self._hello)
            self._step = self._third
        return used

    def _third(self, data: memoryview) -> int:
        used = self._read(data)
        if used:
            self._open()
        return used


def greeting(keys: MeetingKeys, peer_id: bytes) -> bytes:
    """The handshake that a call begins with."""
    return Handshake(keys.info_hash(peer_id), peer_id, v2=True).to_bytes()
