"""A chain of TRON, as far as payments need one."""
