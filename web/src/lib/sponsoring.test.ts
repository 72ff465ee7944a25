import { expect, test } from "vitest";
import type { Model } from "./api";
import { cells, counted, outstanding, peer, total } from "./sponsoring";

const one = (more: Partial<Model<"PaySponsored">> = {}): Model<"PaySponsored"> => ({
  id: 1, key: "k", name: "n", payee: "T", peer: "10.0.0.1:1", rate: 1, price: 10, period: 100, periods: 40, probes: 4, begins: 1000, now: 2, made: 0, passed: 0, good: 1, bad: 1, unseen: 0, paid: 10,
  reserved: 400, over: false, came: "", ...more,
});
const FOUND: Model<"PayPeriod">[] = [
  { number: 0, begins: 1000, probes: 4, passed: 4, state: "passed", paid: true },
  { number: 1, begins: 1100, probes: 4, passed: 1, state: "failed", paid: false },
  { number: 2, begins: 1200, probes: 1, passed: 1, state: "running", paid: false },
];

test("a peer is an address and a port, and nothing else", () => {
  expect(peer(" 203.0.113.5:6881 ")).toEqual({ host: "203.0.113.5", port: 6881 });
  expect(peer("[2001:db8::1]:1")).toEqual({ host: "2001:db8::1", port: 1 });
  for (const text of ["", "203.0.113.5", "203.0.113.5:0", "203.0.113.5:65536", "seed.example.org:6881", "2001:db8::1:6881", "[]:1", "1.2.3.4:6881 5"]) expect(peer(text)).toBeNull();
});

test("what it costs is exact, or nothing", () => {
  expect(total(3, 30, 50_000)).toBe(4_500_000);
  expect(total(0, 30, 50_000)).toBeNull();
  expect(total(10, 10_000, Number.MAX_SAFE_INTEGER)).toBeNull();
});

test("periods are drawn as they were found, then those to come, and not without end", () => {
  const drawn = cells(one(), FOUND);
  expect(drawn.cells.slice(0, 4).map((cell) => cell.look)).toEqual(["paid", "failed", "running", "ahead"]);
  expect(drawn.cells[3]).toEqual({ number: 3, look: "ahead", begins: 1300, probes: 0, passed: 0 });
  expect([drawn.cells.length, drawn.left]).toEqual([3 + 31, 6]);
  expect(counted(drawn.cells)).toEqual([["paid", 1], ["failed", 1], ["running", 1], ["ahead", 31]]);
});

test("of what was ended nothing is to come, and of what has not begun all of it", () => {
  expect(cells(one({ over: true }), FOUND)).toMatchObject({ left: 0, cells: [{}, {}, {}] });
  expect(cells(one({ now: -1, periods: 2 }), []).cells.map((cell) => cell.number)).toEqual([0, 1]);
});

test("who seeds may get at most what the periods that are over cost, less what came", () => {
  const seeding = { price: 10, periods: 5, came: 20 } as Model<"PaySeeding">;
  expect(outstanding({ ...seeding, now: 3 })).toEqual({ over: 3, most: 10 });
  expect(outstanding({ ...seeding, now: -1 })).toEqual({ over: 0, most: 0 });
  expect(outstanding({ ...seeding, now: 5 })).toEqual({ over: 5, most: 30 });
});
