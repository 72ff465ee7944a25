import { expect, it } from "vitest";
import { range, share, tally } from "./pieces";

const map = { length: 16384, count: 35, per_cell: 8, pieces: "#>5--", availability: [0, 3, 1, 2, 0] };

it("counts the cells, and those that nobody has", () => {
  expect(tally(map)).toEqual({ there: 1, partly: 1, fetched: 1, missing: 2, nowhere: 1 });
  expect(tally({ ...map, availability: [] }).nowhere).toBe(0);
});

it("says which pieces a cell stands for", () => {
  expect(range(map, 0)).toEqual([1, 8]);
  expect(range(map, 4)).toEqual([33, 35]);
});

it("reads tenths", () => {
  expect([..."-59#>"].map(share)).toEqual([0, 0.5, 0.9, 1, 0]);
});
