"""What goes in and out of the Api about the wallet. Amounts are SUN, millionths of a TRX; times are seconds since 1970.

Keys never come out. The words of a new wallet do, once, to whoever makes it; what has a secret in it does not print
itself.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from wildbach.base import limits
from wildbach.interfaces.api.models import Model

Sun = Annotated[int, Meta(ge=0, le=limits.WALLET_AMOUNT)]
AddressText = Annotated[str, Meta(min_length=1, max_length=100)]
PassphraseText = Annotated[str, Meta(min_length=1, max_length=1024)]
NoPassphrase = Annotated[str, Meta(max_length=1024)]
WordsText = Annotated[str, Meta(max_length=limits.WALLET_PHRASE_CHARS)]
Token = Annotated[str, Meta(min_length=1, max_length=64)]


class Confided(Model, frozen=True):
    """Something secret is in it: it does not print itself."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return []


class WalletLimits(Model, frozen=True):
    """What may be spent without the passphrase, for data that others serve. Nothing is where one is 0."""

    per_voucher: Sun = 0
    per_peer: Sun = 0
    per_torrent: Sun = 0
    per_day: Sun = 0
    "By the calendar of UTC."
    total: Sun = 0
    max_price: Sun = 0
    "SUN for a GiB."
    fees_per_day: Sun = 0
    "What the fee key may burn."


class WalletUsage(Model, frozen=True):
    """What of the limits is used."""

    today: int
    total: int
    fees_today: int
    closed_today: bool
    "The wallet was restored: what it may spend today counts as spent."
    adrift: int = 0
    "SUN that a lost state of the wallet signed, and that are kept free for that."


class WalletBounds(Model, frozen=True):
    limits: WalletLimits
    used: WalletUsage


class WalletLimitsChange(Confided, frozen=True):
    limits: WalletLimits
    passphrase: NoPassphrase = ""
    "Where something is loosened."


class WalletFunds(Model, frozen=True):
    """What cannot be undone any more."""

    balance: int
    activated: bool
    "The chain knows the account: it got something once."
    block: int
    time: int
    "Of the newest block that cannot be undone: seconds since 1970."
    free_bandwidth: int
    "Bytes that are left of today's, for nothing."
    staked_bandwidth: int
    energy: int


class WalletStatus(Model, frozen=True, kw_only=True):
    """The wallet there is, or that there is none."""

    exists: bool
    kind: str = ""
    "words, key, or watched: an address without its key."
    address: str = ""
    "Empty where it cannot be told which chain this is; `problem` says why."
    device: int = 0
    "The account of the words that this device has."
    network: str
    "dev, nile, mainnet or custom."
    chain_id: str = ""
    "As 0x94a9059e; empty while nobody has asked the chain."
    play_money: bool
    "Coins of this network are worth nothing."
    witnesses: int
    "Nodes that must say the same of money."
    examined_at: int = 0
    "When a node of this network last answered as expected to `wildbach chain check`; 0: never, as far as is known."
    consent: str
    "What a person has to type before this network is used; empty where nothing is missing."
    locked: bool = False
    "The key is closed, as it always is but for the time of one question: what leaves asks the passphrase."
    signer: str = ""
    "The address of the key that signs payments within the limits."
    registered: bool = False
    "That key is registered in the vault, as far as the chain tells."
    other_signers: tuple[str, ...] = ()
    """Other keys that sign for this address in the vault: of a lost state of the wallet, or one that was replaced. They
    are to be removed: until that is so and the vault's delay is over, a wallet made of words pays out of reservations
    alone.
    """
    fee_key: str = ""
    "The address of the key that pays for redeeming; empty where there is none."
    funds: WalletFunds | None = None
    "None where the chain does not tell."
    problem: str = ""
    "Why the chain does not tell, in plain words; empty where it does."
    code: str = ""
    "A stable name for that."
    pending: int = 0
    "Sends that are not decided yet."
    backed_up_at: int = 0
    "When the words were last shown to be on paper, or the sealed key was copied; 0: never."
    backup_due: bool = False
    "A copy is missing: a lost disk would take the money along."


class WalletWordsRequest(Model, frozen=True):
    words: Literal[12, 24] = 12


class WalletWords(Confided, frozen=True):
    """The words of a wallet that is to be made, for paper. They are shown here and never again."""

    id: str
    "Good for a quarter of an hour."
    words: tuple[str, ...]
    asked: tuple[int, ...]
    "Which of them are asked back, counted from 1."


class WalletMaking(Confided, frozen=True):
    """Make the wallet whose words were shown."""

    id: Token
    answers: Annotated[tuple[Annotated[str, Meta(max_length=20)], ...], Meta(max_length=24)]
    "The words that are asked back, in that order."
    passphrase: PassphraseText


class WalletImport(Confided, frozen=True):
    """A wallet from elsewhere: one of `words`, `key`, `keystore` and `address`."""

    words: WordsText = ""
    key: Annotated[str, Meta(max_length=100)] = ""
    "64 hex digits."
    keystore: Annotated[str, Meta(max_length=limits.WALLET_KEYSTORE_BYTES)] = ""
    "The text of a keystore file, version 3."
    keystore_passphrase: NoPassphrase = ""
    address: Annotated[str, Meta(max_length=100)] = ""
    "Only look: nothing can be sent."
    passphrase: NoPassphrase = ""
    "For here; an address that is only looked at has none."
    device: Annotated[int, Meta(ge=0, le=(1 << 31) - 1)] = 0
    "Of `words`: which account, another one for each device."


class WalletConsent(Model, frozen=True):
    """What a person typed, before real money is used."""

    words: Annotated[str, Meta(max_length=200)]


class WalletPaper(Confided, frozen=True):
    """The words as they were written down, to see that they are right."""

    words: WordsText


class WalletPassphrase(Confided, frozen=True):
    passphrase: PassphraseText


class WalletPassphraseChange(Confided, frozen=True):
    old: PassphraseText
    new: PassphraseText


class WalletKeystore(Model, frozen=True):
    """The key as it lies on the disk, sealed with the passphrase: the text of a file."""

    text: str


class WalletQuoteRequest(Model, frozen=True):
    to: AddressText
    amount: Sun
    memo: Annotated[str, Meta(max_length=limits.WALLET_MEMO_BYTES)] = ""
    "Anybody can read it, for ever."


class WalletTipTarget(Model, frozen=True):
    """Somebody who can be tipped for a torrent."""

    kind: Literal["channel", "site"]
    key: str
    title: str
    payout: str
    "Where tips go: an address of TRON; empty for none any more."
    payout_was: str
    "Another one that was named before; empty once somebody said that the new one is right."


class WalletTipTargets(Model, frozen=True):
    items: tuple[WalletTipTarget, ...]


class WalletTip(Model, frozen=True):
    """A tip for the maker of a channel or site."""

    amount: Sun
    memo: Annotated[str, Meta(max_length=limits.WALLET_MEMO_BYTES)] = ""


class WalletCaution(Model, frozen=True):
    """Something to look out for before money goes there."""

    code: str
    "look_alike, first_time, nobody or own_address."
    message: str
    like: str = ""
    "The address that it is taken for."


class WalletQuote(Model, frozen=True):
    """What a send costs. Nothing is signed."""

    id: str
    "Good for ten minutes, and for one send, however often it is asked for."
    to: str
    label: str
    "From the book."
    amount: int
    bandwidth: int
    "What its bytes burn."
    energy: int
    activation: int
    "The recipient never had anything: this opens the account."
    memo: int
    fee: int
    "All of these."
    balance: int
    short: int
    "What the account lacks for it."
    cautions: tuple[WalletCaution, ...]


class WalletSendRequest(Confided, frozen=True):
    quote: Token
    passphrase: PassphraseText
    in_spite: bool = False
    "Although the address looks like another one, or is nobody's."


class WalletSend(Model, frozen=True):
    """Something that was sent. Only blocks that cannot be undone decide."""

    id: str
    kind: str
    "transfer, call or deploy."
    state: str
    "prepared, pending, confirmed, failed or expired."
    to: str
    label: str
    amount: int
    fee: int
    "Burnt; 0 while it is not known."
    txid: str
    block: int
    created_at: int
    ended_at: int
    note: str
    "What a node said of it, or why it failed."


class WalletSendsQuery(Model, frozen=True):
    offset: Annotated[int, Meta(ge=0, le=limits.WALLET_SENDS)] = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 50


class WalletSends(Model, frozen=True):
    sends: tuple[WalletSend, ...]
    "The newest first."
    total: int


class WalletKnown(Model, frozen=True):
    address: AddressText
    label: Annotated[str, Meta(min_length=1, max_length=limits.WALLET_NOTE_CHARS)]
    added_at: int = 0


class WalletBook(Model, frozen=True):
    entries: tuple[WalletKnown, ...]


class WalletKnownAddress(Model, frozen=True):
    address: AddressText
