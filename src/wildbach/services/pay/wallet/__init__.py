"""Keys, what they may sign, and transactions on their way.

The cold key holds the money and is locked: each transaction and each limit that is loosened asks the passphrase. The
hot signer is another key, which signs vouchers within the limits and can withdraw nothing. The fee key, where there is
one, redeems vouchers of the vault unattended, for so much a day.
"""
