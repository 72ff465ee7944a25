"""What joins books, wallet, vault and the engine: offers are made and taken, vouchers signed, stored and shown."""
