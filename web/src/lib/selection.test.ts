import { describe, expect, test } from "vitest";
import { ALL, asPaths, isWanted, mark, only, priorityOf, priorityWithin, wantedOf } from "./selection";

describe("marks", () => {
  test("at first all is wanted", () => {
    expect(isWanted(ALL, "")).toBe(true);
    expect(wantedOf(ALL, "", 100)).toBe(100);
    expect(asPaths(ALL)).toEqual({});
  });

  test("a folder that is not wanted takes all below it along, and what is wanted in it again counts", () => {
    let marks = mark(ALL, "a/b", 40, 0);
    expect(priorityOf(marks, "a/b/c/d")).toBe(0);
    expect(priorityOf(marks, "a/bc")).toBe(1);
    expect(isWanted(marks, "a")).toBeNull();
    expect(wantedOf(marks, "", 100)).toBe(60);
    marks = mark(marks, "a/b/c", 15, 1);
    expect(isWanted(marks, "a/b")).toBeNull();
    expect(wantedOf(marks, "", 100)).toBe(75);
    expect(wantedOf(marks, "a/b", 40)).toBe(15);
    expect(asPaths(marks)).toEqual({ "a/b": 0, "a/b/c": 1 });
  });

  test("a mark that says what holds anyway is none, and those below a new one are gone", () => {
    let marks = mark(ALL, "a/b", 40, 0);
    marks = mark(marks, "a/x", 1, 7);
    expect(priorityWithin(marks, "a")).toBe(-1);
    marks = mark(marks, "a", 50, 1);
    expect(marks.size).toBe(0);
  });

  test("no order of clicks makes more or less of it than there is", () => {
    const sizes: Record<string, number> = { "a/b/1": 1, "a/b/2": 2, "a/c/3": 4, "d/4": 8 };
    const paths = ["", "a", "a/b", "a/c", "d", ...Object.keys(sizes)];
    const under = (path: string): string[] => Object.keys(sizes).filter((file) => path === "" || file === path || file.startsWith(`${path}/`));
    const of = (files: string[]): number => files.reduce((sum, file) => sum + (sizes[file] ?? 0), 0);
    const wanted = new Set(Object.keys(sizes));
    let marks = ALL;
    let seed = 7;
    for (let step = 0; step < 500; step += 1) {
      seed = (seed * 16807) % 2147483647;
      const path = paths[seed % paths.length] ?? "";
      const on = seed % 2 === 0;
      marks = mark(marks, path, of(under(path)), on ? 1 : 0);
      for (const file of under(path)) if (on) wanted.add(file); else wanted.delete(file);
      for (const each of paths) {
        const here = under(each).filter((file) => wanted.has(file));
        expect(wantedOf(marks, each, of(under(each)))).toBe(of(here));
        if (isWanted(marks, each) !== null) expect(isWanted(marks, each)).toBe(here.length > 0);
      }
    }
  });

  test("only some files", () => {
    const marks = only(100, [{ path: "a/1", size: 3 }, { path: "b/2", size: 4 }]);
    expect(wantedOf(marks, "", 100)).toBe(7);
    expect(isWanted(marks, "a/9")).toBe(false);
  });
});
