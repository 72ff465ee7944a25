"""Names in the two dialects: everything here has its name of Transmission 4.1, which is in snake_case; the classic
dialect has camelCase in one place and kebab-case in another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

VERSION: Final = "4.0.6 (wildbach)"
"Programs compare it with versions of Transmission, and some refuse what does not look like one."
RPC_VERSION: Final = 17
RPC_VERSION_MINIMUM: Final = 14
RPC_SEMVER: Final = "5.3.0"

MODERN_VERSION: Final = "4.1.0 (wildbach)"
MODERN_RPC_VERSION: Final = 18
MODERN_RPC_SEMVER: Final = "6.0.0"

RECENTLY_ACTIVE: Final = frozenset(("recently-active", "recently_active"))
_CAPITAL: Final = re.compile(r"(?<=[a-z0-9])([A-Z]+)")


class Dialect(Enum):
    """`CLASSIC` is that of Transmission 4.0 and before, `MODERN` JSON-RPC 2.0."""

    CLASSIC = "classic"
    MODERN = "modern"


def camel(name: str) -> str:
    """`size_when_done` as `sizeWhenDone`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def kebab(name: str) -> str:
    return name.replace("_", "-")


def snake(name: str) -> str:
    """The name of 4.1 of a parameter, however it is written."""
    plain = _CAPITAL.sub(r"_\1", name).replace("-", "_").lower()
    return "cache_size_mib" if plain == "cache_size_mb" else plain


def spelled(tree: Any, spelling: Mapping[str, str]) -> Any:
    """A JSON value with other names of its keys."""
    if isinstance(tree, dict):
        return {spelling.get(name, name): spelled(value, spelling) for name, value in tree.items()}
    if isinstance(tree, list):
        return [spelled(item, spelling) for item in tree]
    return tree
