"""What a wallet sent, as a table for other programs (CSV, RFC 4180)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.amounts import exact
from wildbach.services.pay.wallet.sending import Send

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
COLUMNS: Final = (
    "created", "kind", "signer", "state", "to", "name", "amount_trx", "amount_sun", "fee_trx", "fee_sun", "block",
    "txid", "note",
)


def harmless(cell: str) -> str:
    """Programs that calculate take a cell that begins so for a formula, which may run commands: not with a quote before
    it.
    """
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def table(sends: Iterable[Send], labels: Mapping[Address, str]) -> str:
    """One line for each, in the order they come. Times are UTC."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for one in sends:
        to = one.recipient
        writer.writerow([harmless(cell) for cell in (
            datetime.fromtimestamp(one.created, UTC).isoformat(), one.kind, one.signer, one.state,
            str(to) if to is not None else "", labels.get(to, "") if to is not None else "", exact(one.amount),
            str(one.amount), exact(one.fee), str(one.fee), str(one.block) if one.block else "", one.txid.hex(),
            one.note,
        )])
    return out.getvalue()
