import { expect, test } from "vitest";
import { plain, sun, trx } from "./trx";

test("amounts are shown exactly", () => {
  expect([0, 1, 1_500_000, 1_234_000_000, 9_007_199_254_740_991].map(trx)).toEqual(["0", "0.000001", "1.5", "1,234", "9,007,199,254.740991"]);
});

test("what is typed is read as it is meant, or not at all", () => {
  expect(["1", "1.5", "1,5", " 0.000001 ", "9007199254.740991"].map(sun)).toEqual([1_000_000, 1_500_000, 1_500_000, 1, 9_007_199_254_740_991]);
  for (const text of ["", "-1", "1e3", ".5", "1.", "1.0000001", "1,234.5", "1 000", "9007199255", "99999999999"]) expect(sun(text), text).toBeNull();
});

test("what stands in a field is read as what it was", () => {
  for (const value of [0, 1, 33_000, 1_500_000, 12_000_000_000, 100_000_000_000_000]) expect(sun(plain(value)), plain(value)).toBe(value);
  expect(plain(12_000_000_000)).toBe("12000");
});
