/** How full the cache is, as a bar of its owners. */

import type { Model } from "../../lib/api";

export interface Part {
  owner: string;
  torrents: number;
  size: number;
  /** Of the whole bar, 0 to 1. */
  share: number;
}

/** The largest first. The bar is as long as the limit, or as what is there where that is more. */
export function parts(storage: Pick<Model<"Storage">, "limit" | "used" | "owners">): Part[] {
  const whole = Math.max(storage.limit, storage.used);
  return Object.entries(storage.owners)
    .map(([owner, of]) => ({ owner, torrents: of.torrents, size: of.size, share: whole > 0 ? of.size / whole : 0 }))
    .sort((a, b) => b.size - a.size || a.owner.localeCompare(b.owner));
}

/** The share of a film that was seen, 0 to 1; 0 where its length is not known. */
export function seen(position: Pick<Model<"PlayPosition">, "seconds" | "duration">): number {
  const { seconds = 0, duration = 0 } = position;
  return duration > 0 ? Math.min(1, Math.max(0, seconds / duration)) : 0;
}
