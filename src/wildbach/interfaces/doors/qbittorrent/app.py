"""app/…: what this is, and its preferences."""

from __future__ import annotations

import ssl
import sys
import zlib
from typing import Any

import msgspec

import wildbach
from wildbach.interfaces.api import models as m
from wildbach.interfaces.doors.qbittorrent import names, preferences
from wildbach.interfaces.doors.qbittorrent.call import Answer, Call, Refusal, bad, data, not_found, text
from wildbach.interfaces.doors.qbittorrent.endpoints import endpoint


@endpoint("app/version", f"{names.APP_VERSION}, the release whose API this is.")
async def version(call: Call) -> Answer:
    return text(names.APP_VERSION)


@endpoint("app/webapiVersion", f"{names.API_VERSION}.")
async def api_version(call: Call) -> Answer:
    return text(names.API_VERSION)


@endpoint("app/buildInfo", "Versions of what this is made of; `libtorrent` says what is there in its place.")
async def build_info(call: Call) -> Answer:
    return data({
        "bitness": 64 if sys.maxsize > 1 << 32 else 32,
        "boost": "",
        "libtorrent": f"wildbach {wildbach.__version__}",
        "openssl": ssl.OPENSSL_VERSION.split()[1],
        "platform": sys.platform,
        "qt": "",
        "zlib": zlib.ZLIB_VERSION,
    })


@endpoint("app/defaultSavePath", "Where torrents go that nothing else is said of.")
async def default_save_path(call: Call) -> Answer:
    return text(str((await _shown(call))["save_path"]))


async def _shown(call: Call) -> dict[str, Any]:
    shown = preferences.shown((await call.api.settings()).values)
    shown["banned_IPs"] = "\n".join(ban.address for ban in (await call.api.bans()).bans)
    return shown


@endpoint("app/preferences", "Our settings under their names, and usual values for the rest.")
async def get_preferences(call: Call) -> Answer:
    return data(await _shown(call))


@endpoint("app/setPreferences", "Changes the settings that mean something here; the rest is not kept.", change=True)
async def set_preferences(call: Call) -> Answer:
    [given] = call.required("json")
    try:
        wanted = msgspec.json.decode(given, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise bad("json is not a JSON object") from None
    changes = preferences.changes(wanted, (await call.api.settings()).values)
    if changes:
        await call.api.change_settings(m.SettingsPatch(changes))
    if isinstance(banned := wanted.get("banned_IPs"), str):
        before = dict.fromkeys(ban.address for ban in (await call.api.bans()).bans)
        after = dict.fromkeys(line for part in banned.splitlines() if (line := part.strip()))
        add = tuple(address for address in after if address not in before)
        remove = tuple(address for address in before if address not in after)
        if add or remove:
            await call.api.change_bans(m.BanChange(add, remove))
    return text()


@endpoint("app/shutdown", "Refused: the daemon is ended by who started it.", change=True, kind="none")
async def shutdown(call: Call) -> Answer:
    raise Refusal(403, "wildbach is not stopped from here: end it where it was started")


@endpoint("app/cookies", "None: no cookies are sent where torrents are fetched from.", kind="none")
async def cookies(call: Call) -> Answer:
    return data([])


@endpoint("app/setCookies", "Nothing.", change=True, kind="none")
async def set_cookies(call: Call) -> Answer:
    call.required("cookies")
    return text()


@endpoint("app/sendTestEmail", "Nothing: no mail is sent.", change=True, kind="none")
async def send_test_mail(call: Call) -> Answer:
    return text()


@endpoint("app/getDirectoryContent", "What is in a folder, of those that may be looked into.")
async def directory(call: Call) -> Answer:
    [path] = call.required("dirPath")
    mode = call.text("mode", "all") or "all"
    if not path.startswith("/"):
        raise bad("Invalid directory path")
    if mode not in ("all", "files", "dirs"):
        raise bad("Invalid mode, allowed values: all, dirs, files")
    found = (await call.api.folder(m.FolderQuery(path, mode == "dirs"))).entries
    if not found and not path.rstrip("/"):
        raise not_found()
    base = path.rstrip("/")
    return data([
        f"{base}/{entry.rstrip('/')}" for entry in found if mode != "files" or not entry.endswith("/")
    ])


@endpoint("app/networkInterfaceList", "The network interfaces of the daemon's machine.")
async def interfaces(call: Call) -> Answer:
    return data([
        {"name": interface.name, "value": interface.name} for interface in (await call.api.interfaces()).interfaces
    ])


@endpoint("app/networkInterfaceAddressList", "The addresses of an interface, or of all.")
async def interface_addresses(call: Call) -> Answer:
    wanted = call.text("iface")
    return data([
        address for interface in (await call.api.interfaces()).interfaces
        if wanted in ("", interface.name) for address in interface.addresses
    ])
