"""The settings file and the environment: what is accepted is within its bounds."""

from __future__ import annotations

from contextlib import suppress

from wildbach.base.errors import UsageError
from wildbach.base.settings import from_dict, parse_environment, parse_toml, to_flat
from wildbach.engine.settings import Settings

SEEDS: list[bytes] = [
    b'[connections]\nlisten = ["0.0.0.0:1"]\nmost = 5\n[rates]\nup = 1\nlimit_local = true\n',
    b'[peers]\nseed_choking = "fastest"\n[disk]\nsleep_after = 1.5\nmemory = 4194304\n', b"peers.upload_slots = 4",
    b"[trackers]\nat_once = 99999999999999999999\n", b"[nonsense]\nx = 1", b'disk = "no"', b"a = [1, [2]]", b"",
    b"\xef\xbb\xbf[rates]\nup=1", b"x = 2020-01-01T00:00:00Z",
]
TOKENS = [
    b"[", b"]", b"=", b'"', b"'''", b"inf", b"nan", b"-1", b"1e9", b"true", b"0x7f", b"1_000", b"{", b"}", b"\n", b".",
]
ALLOWED = (UsageError,)


def one_input(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for name in ("WILDBACH_RATES_UP", "WILDBACH_CONNECTIONS_LISTEN", "WILDBACH_DISK_SLEEP_AFTER"):
        with suppress(UsageError):
            parse_environment(Settings, {name: text})
    values = parse_toml(Settings, text)
    made = from_dict(Settings, _nested(values))
    assert {key: to_flat(made)[key] for key in values} == values


def _nested(flat: dict[str, object]) -> dict[str, object]:
    out: dict[str, dict[str, object]] = {}
    for key, value in flat.items():
        section, _, name = key.partition(".")
        out.setdefault(section, {})[name] = value
    return dict(out)
