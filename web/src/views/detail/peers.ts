/** Peers in order, and in words. */

import { speech } from "../../lib/words.svelte";
import type { Peer } from "./looked.svelte";

export type Order = "country" | "endpoint" | "client" | "progress" | "down_rate" | "up_rate" | "downloaded" | "uploaded" | "source";

/** A web server has no endpoint; its host is its client. */
export function nameOf(peer: Peer): string {
  return peer.endpoint || `web ${peer.client}`;
}

export function sorted(peers: readonly Peer[], by: Order, descending: boolean): Peer[] {
  const sign = descending ? -1 : 1;
  return [...peers].sort((a, b) => {
    const [x, y] = [a[by], b[by]];
    const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true });
    // Those that are alike keep their places, whatever order they came in.
    return order * sign || nameOf(a).localeCompare(nameOf(b));
  });
}

/** A name for each that no other has: there may be several connections with one web server. */
export function namesOf(peers: readonly Peer[]): string[] {
  const seen = new Map<string, number>();
  return peers.map((peer) => {
    const name = nameOf(peer);
    const count = seen.get(name) ?? 0;
    seen.set(name, count + 1);
    return count ? `${name} ${count}` : name;
  });
}

/** The address without its port. */
export function hostOf(endpoint: string): string {
  return endpoint.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
}

const names = new Map<string, Intl.DisplayNames>();

export function countryName(code: string): string {
  if (!/^[A-Z]{2}$/.test(code)) return "";
  let known = names.get(speech.language);
  if (!known) names.set(speech.language, (known = new Intl.DisplayNames([speech.language], { type: "region" })));
  return known.of(code) ?? code;
}
