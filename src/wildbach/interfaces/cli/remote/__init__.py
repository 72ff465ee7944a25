"""Commands that speak with a daemon, each with an Api and nothing else."""
