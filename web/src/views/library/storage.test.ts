import { expect, test } from "vitest";
import { parts, seen } from "./storage";

test("the largest owner is first, and all together fill the bar as far as the cache is full", () => {
  const found = parts({ limit: 1000, used: 500, owners: { site: { torrents: 2, size: 100 }, stream: { torrents: 1, size: 400 } } });
  expect(found.map((one) => one.owner)).toEqual(["stream", "site"]);
  expect(found.map((one) => one.share)).toEqual([0.4, 0.1]);
});

test("what is more than the limit does not leave the bar", () => {
  const found = parts({ limit: 100, used: 400, owners: { stream: { torrents: 1, size: 300 }, site: { torrents: 1, size: 100 } } });
  expect(found.reduce((sum, one) => sum + one.share, 0)).toBe(1);
});

test("a cache that may have nothing and has nothing is an empty bar", () => {
  expect(parts({ limit: 0, used: 0, owners: {} })).toEqual([]);
  expect(parts({ limit: 0, used: 0, owners: { stream: { torrents: 1, size: 0 } } })[0]?.share).toBe(0);
});

test("how much of a film was seen is between nothing and all, and nothing where its length is not known", () => {
  expect(seen({ seconds: 30, duration: 120 })).toBe(0.25);
  expect(seen({ seconds: 500, duration: 120 })).toBe(1);
  expect(seen({ seconds: 500, duration: 0 })).toBe(0);
});
