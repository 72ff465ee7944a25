/** What a torrent does now and why it does no more, in one plain sentence. */

import * as format from "../../lib/format";
import type { Row } from "../../lib/push.svelte";
import { detailWords } from "../../words/detail";
import { reason } from "../../words/reasons";

/** The daemon's own words where it has some: it knows most. */
export function whyOf(row: Row): string {
  if (row.reason) return reason(row.reason);
  const t = detailWords.t;
  switch (row.state) {
    case "metadata":
      return t.whyMetadata;
    case "checking":
      return t.whyChecking;
    case "moving":
      return t.whyMoving;
    case "downloading":
      return row.down_rate >= 1 ? t.whyDownloading(row.peers, format.eta(row.eta)) : t.whyStarting;
    case "seeding":
      return row.up_rate >= 1 ? t.whySeeding(row.peers) : row.peers ? t.whyNobodyAsks(row.peers) : t.whyNobodyThere;
    case "stopped":
      return row.complete ? t.whyCompleteStopped : t.whyStopped;
    case "queued":
      return t.whyQueued;
    default:
      return "";
  }
}

/** How much it matters. */
export function toneOf(row: Row): "calm" | "wait" | "bad" {
  if (row.state === "error") return "bad";
  if (row.state === "downloading" || row.state === "metadata") return row.reason ? "wait" : "calm";
  return "calm";
}
