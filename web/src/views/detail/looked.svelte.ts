/** What of the one torrent is looked at: the open tab says so, and the detail asks for it. */

import type { Model } from "../../lib/api";
import type { TreeQuery, Wishes } from "../../lib/push.svelte";

export type Detail = Model<"TorrentDetail">;
export type Peer = Model<"PeerRow">;
export type Tracker = Model<"TrackerRow">;
export type WebSeed = Model<"WebSeedRow">;
export type Part = NonNullable<NonNullable<Wishes["detail"]>["parts"]>[number];

export class Looked {
  parts = $state.raw<Part[]>([]);
  trees = $state.raw<TreeQuery[]>([]);
  /** Cells of the map of pieces; 0: one for each piece. */
  buckets = $state(0);

  /** How often something that was asked for was not there, though the torrent is. */
  stale = $state(0);

  constructor(readonly key: string) {}

  get wishes(): Wishes {
    return {
      detail: {
        key: this.key,
        parts: this.parts,
        ...(this.trees.length ? { trees: this.trees } : {}),
        ...(this.buckets ? { buckets: this.buckets } : {}),
      },
    };
  }
}
