"""A console of rich's that leaves it to its caller what a reader who went away means. Rich's own ends the process from
within whatever runs, which a loop's tasks report as a fault.
"""

from __future__ import annotations

import errno
import os
import sys

from rich.console import Console


class Paper(Console):
    """Writes to stdout. Raises BrokenPipeError where nobody reads it any more."""

    def __init__(self, *, soft_wrap: bool = False) -> None:
        super().__init__(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=soft_wrap)

    def on_broken_pipe(self) -> None:
        self.quiet = True
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
