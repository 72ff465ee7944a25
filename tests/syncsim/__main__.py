"""Plays seeds for some time, or one seed again: `python -m tests.syncsim [--seconds N] [--seed N] [--acts N]`."""

from __future__ import annotations

import argparse
import sys
import time
from random import Random

from tests.syncsim.folder import FolderDevice
from tests.syncsim.world import World, play, rounds


def one(seed: int, acts: int) -> World:
    """A run of G9: two to five devices, chosen by the seed; each fourth run has one user at a time."""
    drawn = Random(f"shape {seed}")
    if seed % 5 == 0:
        # The product's scan, installer and versions, on a file system that forgets what was not synced.
        return play(seed, acts // 4, devices=3, readers=drawn.choice((0, 1)), kind=FolderDevice)
    devices = drawn.randint(2, 5)
    readers = drawn.choice((0, 0, 1)) if devices > 2 else 0
    if seed % 4 == 3:
        return rounds(seed, acts // 8, devices=devices, readers=readers)
    return play(seed, acts, devices=devices, readers=readers, folding=drawn.choice((0, 0, 1)))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.syncsim", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="play new seeds for so long")
    parser.add_argument("--seed", type=int, help="play this one alone, and show what happened")
    parser.add_argument("--first", type=int, help="the first seed; by default the time")
    parser.add_argument("--acts", type=int, default=1000, help="what users do in one run")
    args = parser.parse_args()
    if args.seed is not None:
        world = one(args.seed, args.acts)
        print("\n".join(world.trace))
        print(f"seed {args.seed}: {world.fingerprint}")
        return 0
    seed = args.first if args.first is not None else int(time.time())
    end, played = time.monotonic() + args.seconds, 0
    while time.monotonic() < end:
        whole = False
        try:
            one(seed, args.acts)
            whole = True
        finally:
            if not whole:
                print(f"FAILED: python -m tests.syncsim --seed {seed} --acts {args.acts}", flush=True)
        played += 1
        seed += 1
    print(f"{played} runs of {args.acts} acts, seeds {seed - played} to {seed - 1}: all trees equal, nothing lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
