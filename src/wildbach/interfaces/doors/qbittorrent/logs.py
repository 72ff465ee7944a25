"""log/…"""

from __future__ import annotations

from typing import Any, Final

from wildbach.interfaces.api import models as m
from wildbach.interfaces.doors.qbittorrent.call import Answer, Call, data
from wildbach.interfaces.doors.qbittorrent.endpoints import endpoint

_TYPES: Final = {"debug": 2, "info": 1, "warning": 4, "error": 8}
_SHOWN: Final = {"debug": "info", "info": "normal", "warning": "warning", "error": "critical"}
_LINES: Final = 5000
_MOST: Final = 20_000


@endpoint("log/main", "The log: `normal`, `info`, `warning`, `critical`, after `last_known_id`.")
async def main(call: Call) -> Answer:
    wanted = {level for level, name in _SHOWN.items() if call.flag(name, True)}
    after = max(call.number("last_known_id", -1), -1)
    shown: list[dict[str, Any]] = []
    if not wanted:
        return data(shown)
    level: Any = next(level for level in _TYPES if level in wanted)
    while len(shown) < _MOST:
        lines = (await call.api.log(m.LogQuery(after, _LINES, level))).lines
        shown += [
            {"id": line.id, "message": line.text, "timestamp": int(line.at), "type": _TYPES[line.level]}
            for line in lines if line.level in wanted
        ]
        if len(lines) < _LINES:
            break
        after = lines[-1].id
    return data(shown)


@endpoint("log/peers", "Peers that are banned.")
async def peers(call: Call) -> Answer:
    after = call.number("last_known_id", -1)
    found = sorted((await call.api.bans()).bans, key=lambda ban: ban.at)
    return data([
        {"id": number, "ip": ban.address, "timestamp": ban.at, "blocked": True, "reason": ban.reason}
        for number, ban in enumerate(found) if number > after
    ])
