"""By which URL other machines reach a server of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wildbach.base.addresses import Reach, classify
from wildbach.base.ids import Endpoint
from wildbach.net.interfaces import default_gateway, interfaces, own_address

_ELSEWHERE: Final = (Reach.PRIVATE, Reach.GLOBAL)


def away_url(scheme: str, places: Sequence[Endpoint]) -> str:
    """For a browser on another machine; empty where none gets here. Asks the system, and sends nothing."""
    for at in places:
        if at.host in ("0.0.0.0", "::"):
            gateway = default_gateway(4) or default_gateway(6)
            own = own_address(gateway) if gateway is not None else ""
            own = own or next((
                str(address.ip) for interface in interfaces() for address in interface.addresses
                if classify(str(address.ip)) in _ELSEWHERE), "")
            if own:
                return f"{scheme}://{Endpoint(own, at.port)}"
        elif classify(at.host) in _ELSEWHERE:
            return f"{scheme}://{at}"
    return ""
