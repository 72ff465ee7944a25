"""What a magnet link says besides the hashes (BEP 9, BEP 53)."""

from __future__ import annotations

from dataclasses import replace

from wildbach.base.ids import Endpoint
from wildbach.engine.options import AddOptions
from wildbach.protocol.metainfo.magnet import Magnet


def peers_of(magnet: Magnet) -> list[Endpoint]:
    """Whom it names to call."""
    return [Endpoint(host, port) for host, port in magnet.peers]


def with_files(options: AddOptions, magnet: Magnet | None) -> AddOptions:
    """The options with the files it names, where the caller did not choose any."""
    if magnet is None or not magnet.select or options.select is not None:
        return options
    return replace(options, select=lambda index, _: any(index in numbers for numbers in magnet.select))
