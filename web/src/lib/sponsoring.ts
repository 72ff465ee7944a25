/** Seeders who are paid by the period: what is asked for them, and their periods as a picture. Amounts are SUN. */

import type { Model } from "./api";

export interface Peer {
  host: string;
  port: number;
}

/** `203.0.113.5:6881` or `[2001:db8::1]:6881`; null for what is none. Names are none: an address is what is looked at. */
export function peer(text: string): Peer | null {
  const match = /^\s*(?:\[([0-9a-f:.]{2,45})\]|(\d{1,3}(?:\.\d{1,3}){3})):(\d{1,5})\s*$/i.exec(text);
  const port = Number(match?.[3]);
  return match && port >= 1 && port <= 65_535 ? { host: match[1] ?? match[2] ?? "", port } : null;
}

/** What all of it costs, without fees; null where that is more than can be counted. */
export function total(seeders: number, periods: number, price: number): number | null {
  const sum = seeders * periods * price;
  return Number.isSafeInteger(sum) && sum > 0 ? sum : null;
}

export type Look = "paid" | "passed" | "failed" | "unseen" | "running" | "ended" | "ahead";

export interface Cell {
  number: number;
  look: Look;
  /** Seconds since 1970. */
  begins: number;
  probes: number;
  passed: number;
}

/** Periods that are to come are drawn up to so many. */
const AHEAD = 31;

/** What was found, and what is still to come; `left`: periods to come beyond those that are drawn. */
export function cells(one: Model<"PaySponsored">, found: readonly Model<"PayPeriod">[]): { cells: Cell[]; left: number } {
  const seen = found.map((period): Cell => ({
    number: period.number, look: period.paid ? "paid" : period.state, begins: period.begins, probes: period.probes, passed: period.passed,
  }));
  const from = Math.max(one.now + 1, 0);
  const ahead = one.over ? 0 : Math.max(0, one.periods - from);
  const drawn = Math.min(ahead, AHEAD);
  return {
    cells: [...seen, ...Array.from({ length: drawn }, (_, at): Cell => ({ number: from + at, look: "ahead", begins: one.begins + (from + at) * one.period, probes: 0, passed: 0 }))],
    left: ahead - drawn,
  };
}

/** How often each look is there, in the order of a legend; what is not there is left out. */
export function counted(all: readonly Cell[]): [Look, number][] {
  const order: readonly Look[] = ["paid", "passed", "failed", "unseen", "running", "ended", "ahead"];
  return order.map((look): [Look, number] => [look, all.filter((one) => one.look === look).length]).filter(([, count]) => count > 0);
}

/** What who seeds may still get of periods that are over: nobody tells him which of them passed. */
export function outstanding(one: Model<"PaySeeding">): { over: number; most: number } {
  const over = Math.min(Math.max(one.now, 0), one.periods);
  return { over, most: Math.max(0, over * one.price - one.came) };
}
