"""Seeds that a sponsor pays for a while: agreements, probes of them, and what each period earns."""
