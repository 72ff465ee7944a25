"""transfer/…: speeds and limits of the whole."""

from __future__ import annotations

from typing import Any

from wildbach.interfaces.api import models as m
from wildbach.interfaces.doors.qbittorrent.call import Answer, Call, bad, data, rate, text, whole
from wildbach.interfaces.doors.qbittorrent.endpoints import endpoint

_REACHABLE = {"yes": "connected", "no": "firewalled", "unknown": "firewalled", "offline": "disconnected"}


def shown(transfer: m.Transfer) -> dict[str, Any]:
    """What transfer/info and sync/maindata have in common."""
    v4 = next((address for address in transfer.external_ips if ":" not in address), "")
    v6 = next((address for address in transfer.external_ips if ":" in address), "")
    return {
        "connection_status": _REACHABLE[transfer.reachable],
        "dht_nodes": transfer.dht_nodes,
        "dl_info_data": transfer.session_downloaded,
        "dl_info_speed": int(transfer.down_rate),
        "dl_rate_limit": transfer.down_limit,
        "last_external_address_v4": v4,
        "last_external_address_v6": v6,
        "up_info_data": transfer.session_uploaded,
        "up_info_speed": int(transfer.up_rate),
        "up_rate_limit": transfer.up_limit,
    }


@endpoint("transfer/info", "Speeds, totals, limits, DHT nodes, whether peers can call.")
async def info(call: Call) -> Answer:
    return data(shown(await call.api.transfer()))


@endpoint("transfer/speedLimitsMode", "1 in slow mode, else 0.")
async def mode(call: Call) -> Answer:
    return text("1" if (await call.api.transfer()).slow_mode else "0")


@endpoint("transfer/setSpeedLimitsMode", "Turns slow mode on or off.", change=True)
async def set_mode(call: Call) -> Answer:
    [value] = call.required("mode")
    if whole(value) not in (0, 1):
        raise bad("Invalid speed limits mode")
    await call.api.set_slow_mode(m.SlowMode(whole(value) == 1))
    return text()


@endpoint("transfer/toggleSpeedLimitsMode", "Turns slow mode on or off, whichever it is not.", change=True)
async def toggle_mode(call: Call) -> Answer:
    await call.api.set_slow_mode(m.SlowMode(None))
    return text()


@endpoint("transfer/downloadLimit", "The download limit that holds now, in bytes a second; 0: none.")
async def down(call: Call) -> Answer:
    return text(str((await call.api.transfer()).down_limit))


@endpoint("transfer/uploadLimit", "The upload limit that holds now.")
async def up(call: Call) -> Answer:
    return text(str((await call.api.transfer()).up_limit))


@endpoint("transfer/setDownloadLimit", "Changes the download limit that holds now.", change=True)
async def set_down(call: Call) -> Answer:
    call.required("limit")
    await call.api.set_limits(m.RateLimits(down=rate(call.number("limit", 0))))
    return text()


@endpoint("transfer/setUploadLimit", "Changes the upload limit that holds now.", change=True)
async def set_up(call: Call) -> Answer:
    call.required("limit")
    await call.api.set_limits(m.RateLimits(up=rate(call.number("limit", 0))))
    return text()


@endpoint("transfer/banPeers", "Bans peers, HOST:PORT joined by |, by their addresses.", change=True)
async def ban(call: Call) -> Answer:
    call.required("peers")
    peers = tuple(peer for peer in call.listed("peers", "|") if ":" in peer)
    if peers:
        await call.api.change_bans(m.BanChange(add=peers))
    return text()
