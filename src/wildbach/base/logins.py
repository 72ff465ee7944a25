"""Users and passwords in URLs are nothing to show: the one place that takes them out of what is shown."""

from __future__ import annotations

import re
from typing import Final

_LOGIN: Final = re.compile(r"(\w[\w+.-]*://)[^/?#\s]*@", re.ASCII)


def hide_logins(words: str) -> str:
    """The text with `USER:PASSWORD` in place of what stands before the host of every URL in it."""
    return _LOGIN.sub(r"\1USER:PASSWORD@", words)
