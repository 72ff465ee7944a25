"""Where tips go: what a site says of itself (`/.well-known/wildbach.json`), and which address counts after a change.

A new address is never taken for the one that is known: a thief of the key would name his own. `former` holds on to what
is known until somebody says that the new one is right.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, UsageError
from wildbach.protocol.tron.address import is_address

PATH: Final = (".well-known", "wildbach.json")
"Of the file, in the folder of a site."
_NAME: Final = "/".join(PATH)


class SiteFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a site says of itself. Fields that are not known are passed over."""

    payout: Annotated[str, Meta(max_length=100)] = ""
    "Where tips go: an address of TRON; empty for none."
    version: Annotated[int, Meta(ge=1, le=1)] = 1


_FACTS: Final = msgspec.json.Decoder(SiteFacts, strict=True)
_ANY: Final = msgspec.json.Decoder(dict[str, Any], strict=True)


def read_facts(raw: bytes) -> SiteFacts:
    """An address that is none is left out: nobody shall send money there. Raises FormatError, LimitError."""
    _bounded(raw)
    try:
        facts = _FACTS.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"is not as it should be: {error}", where=_NAME) from None
    return facts if is_address(facts.payout) else msgspec.structs.replace(facts, payout="")


def with_payout(raw: bytes | None, payout: str) -> bytes:
    """The file with this address in it, and all else that was there (None: nothing). Raises FormatError, LimitError."""
    checked(payout)
    known: dict[str, Any] = {}
    if raw is not None:
        _bounded(raw)
        try:
            known = _ANY.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise FormatError(f"is no JSON object, so no address is put into it: {error}", where=_NAME) from None
    made = msgspec.json.format(msgspec.json.encode({**known, "version": 1, "payout": payout}), indent=1) + b"\n"
    read_facts(made)
    return made


def checked(payout: str) -> str:
    """Raises FormatError for what is no address."""
    if not is_address(payout):
        raise FormatError(f"{payout} is no address of TRON: a character is wrong or missing", where="payout")
    return payout


def former(was: str, known: str, now: str) -> str:
    """The address that somebody knows, where another one is named now; empty where nothing has to be asked. `was`: what
    this said before; `known`: the address that was named before.
    """
    sure = was or known
    return sure if sure and sure != now else ""


def payable(payout: str, was: str, whose: str) -> str:
    """The address that a tip may go to. Raises UsageError where there is none, or one that nobody has confirmed."""
    if not payout:
        raise UsageError(f"this {whose} names no address for tips", code="no_payout")
    if was:
        raise UsageError(
            f"the address for tips changed from {was} to {payout}, as a thief of the key would have it: ask its author "
            "in another way, then say that it is right", code="payout_changed")
    return payout


def _bounded(raw: bytes) -> None:
    if len(raw) > limits.SITE_FACTS_BYTES:
        raise LimitError(f"longer than SITE_FACTS_BYTES = {limits.SITE_FACTS_BYTES} bytes", where=_NAME)
