"""Chance that can be replayed: picks, jitter and shuffles draw from one injected generator.

What an attacker must not guess (peer ids, keys, tokens) comes from `secrets` instead.
"""

from __future__ import annotations

import random

Rng = random.Random


def seeded(seed: int | str | None = None) -> Rng:
    """A generator; the same seed gives the same draws in every process. None takes a seed from the system."""
    return random.Random(seed)  # noqa: S311  # replayable on purpose, never used for secrets


def derived(rng: Rng, name: str) -> Rng:
    """A generator of its own for one part, so that its draws do not shift those of others."""
    return seeded(f"{rng.getrandbits(64)}/{name}")
