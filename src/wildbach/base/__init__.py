"""Plain values every layer shares: ids, geometry, bit sets, rates, limits, errors, settings. No I/O, no clock."""
