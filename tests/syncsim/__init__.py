"""A simulator of folders that are kept the same: several devices with the real core, and bad days drawn from a seed."""
