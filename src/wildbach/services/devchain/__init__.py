"""A chain for development: what TRON charges, reckoned here."""
