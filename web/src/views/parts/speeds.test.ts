import { describe, expect, it } from "vitest";
import { Speeds, summary } from "./speeds";

describe("a window of speeds", () => {
  it("goes on where the history ends", () => {
    const speeds = new Speeds(60, { step: 1, until: 1000, down: [1, 2, 3], up: [0, 0, 9] }, 1000);
    expect(speeds.add(4, 8, 1001)).toBe(true);
    expect(speeds.down).toEqual([1, 2, 3, 4]);
    expect(speeds.up).toEqual([0, 0, 9, 8]);
    expect(speeds.times).toEqual([998, 999, 1000, 1001]);
  });

  it("takes the mean of what is measured within one step", () => {
    const speeds = new Speeds(1800, { step: 10, until: 1000, down: [], up: [] }, 1000);
    for (let at = 1; at < 10; at++) expect(speeds.add(at < 5 ? 0 : 100, 0, 1000 + at)).toBe(false);
    expect(speeds.add(100, 0, 1010)).toBe(true);
    expect(speeds.down).toEqual([60]);
  });

  it("never holds more than its span", () => {
    const speeds = new Speeds(60, { step: 1, until: 1000, down: new Array<number>(60).fill(1), up: new Array<number>(60).fill(2) }, 1000);
    for (let at = 1; at <= 30; at++) speeds.add(5, 5, 1000 + at);
    expect(speeds.down.length).toBe(60);
    expect(speeds.times[0]).toBe(971);
  });

  it("makes nothing up for the time when nothing was heard", () => {
    const speeds = new Speeds(60, { step: 1, until: 1000, down: [7], up: [7] }, 1000);
    speeds.add(1, 1, 5000);
    expect(speeds.down).toEqual([1]);
    expect(speeds.times).toEqual([5000]);
  });
});

it("says how fast it was", () => {
  expect(summary([1, 2, 6])).toEqual({ mean: 3, most: 6 });
  expect(summary([])).toEqual({ mean: 0, most: 0 });
});
