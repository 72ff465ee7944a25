import { describe, expect, it } from "vitest";
import { boxOf, levelOf, Rows, WATCHED, type Entry, type Tree } from "./tree";

const entry = (path: string, folder = false): Entry => ({
  path, name: path.split("/").at(-1) ?? "", folder, index: folder ? -1 : 0, files: 1, size: 10, have: 0, wanted: 10, priority: 1, availability: 0,
});
const tree = (under: string, total: number, entries: Entry[]): Tree => ({ under, total, size: 0, wanted: 0, files: total, entries });
const paths = (rows: Rows, first: number, count: number): (string | undefined)[] => rows.window(first, count).lines.map((line) => line.entry?.path);

describe("rows of a tree", () => {
  it("wait, and ask, until something was heard", () => {
    const rows = new Rows();
    expect(rows.count).toBe(1);
    const { lines, queries } = rows.window(0, 20);
    expect(lines).toHaveLength(1);
    expect(lines[0]?.entry).toBeUndefined();
    expect(queries).toEqual([{ under: "", offset: 0, limit: 50 }]);
  });

  it("show what is in an open folder below it", () => {
    const rows = new Rows();
    rows.take({ under: "", offset: 0, limit: 50 }, tree("", 3, [entry("a", true), entry("b", true), entry("c")]));
    rows.open("a");
    expect(rows.count).toBe(4);
    rows.take({ under: "a", offset: 0, limit: 50 }, tree("a", 2, [entry("a/x"), entry("a/y")]));
    expect(paths(rows, 0, 10)).toEqual(["a", "a/x", "a/y", "b", "c"]);
    expect(rows.window(0, 10).lines.map((line) => line.depth)).toEqual([0, 1, 1, 0, 0]);
    expect([rows.rowOf("a"), rows.rowOf("a/y"), rows.rowOf("b"), rows.rowOf("c")]).toEqual([0, 2, 3, 4]);
    rows.close("a");
    expect(paths(rows, 0, 10)).toEqual(["a", "b", "c"]);
  });

  it("ask only for what is in sight of a large folder", () => {
    const rows = new Rows();
    rows.take({ under: "", offset: 0, limit: 50 }, tree("", 1, [entry("big", true)]));
    rows.open("big");
    rows.take({ under: "big", offset: 0, limit: 50 }, tree("big", 100_000, [entry("big/0")]));
    expect(rows.count).toBe(100_001);
    const { lines, queries } = rows.window(70_011, 30);
    expect(lines).toHaveLength(30);
    expect(lines[0]).toMatchObject({ at: 70_011, place: 70_010, under: "big", depth: 1, siblings: 100_000 });
    expect(queries).toEqual([{ under: "big", offset: 70_000, limit: 50 }]);
  });

  it("ask first for folders of which nothing is known, and never for too many", () => {
    const rows = new Rows();
    const folders = Array.from({ length: 20 }, (_, at) => entry(`f${String(at).padStart(2, "0")}`, true));
    rows.take({ under: "", offset: 0, limit: 50 }, tree("", 20, folders));
    for (const folder of folders) rows.open(folder.path);
    const first = rows.window(0, 100).queries;
    expect(first).toHaveLength(WATCHED);
    expect(first.every((query) => query.under !== "")).toBe(true);
    for (let round = 0; round < 5; round++) {
      for (const query of rows.window(0, 100).queries) if (query.under) rows.take(query, tree(query.under, 1, [entry(`${query.under}/x`)]));
    }
    expect(rows.window(0, 100).lines.every((line) => line.entry)).toBe(true);
  });

  it("leave out what belongs to another question", () => {
    const rows = new Rows();
    rows.take({ under: "", offset: 0, limit: 50 }, tree("elsewhere", 9, [entry("elsewhere/x")]));
    expect(rows.count).toBe(1);
  });

  it("keep a folder open that gets another name", () => {
    const rows = new Rows();
    rows.take({ under: "", offset: 0, limit: 50 }, tree("", 1, [entry("a", true)]));
    rows.open("a");
    rows.renamed("a", "z");
    rows.take({ under: "", offset: 0, limit: 50 }, tree("", 1, [entry("z", true)]));
    rows.take({ under: "z", offset: 0, limit: 50 }, tree("z", 1, [entry("z/x")]));
    expect(paths(rows, 0, 10)).toEqual(["z", "z/x"]);
  });

  it("follow a folder that is elsewhere after others came", () => {
    const rows = new Rows();
    rows.take({ under: "" }, tree("", 2, [entry("b", true), entry("c")]));
    rows.open("b");
    rows.take({ under: "b" }, tree("b", 1, [entry("b/x")]));
    rows.take({ under: "" }, tree("", 3, [entry("a", true), entry("b", true), entry("c")]));
    expect(paths(rows, 0, 10)).toEqual(["a", "b", "b/x", "c"]);
  });
});

describe("the box of an entry", () => {
  it("says how much of a folder is wanted", () => {
    expect(boxOf({ ...entry("a", true), wanted: 0 })).toBe("false");
    expect(boxOf({ ...entry("a", true), wanted: 5, priority: -1 })).toBe("mixed");
    expect(boxOf(entry("a", true))).toBe("true");
  });
  it("of an empty file follows its priority", () => {
    expect(boxOf({ ...entry("a"), size: 0, wanted: 0 })).toBe("true");
    expect(boxOf({ ...entry("a"), size: 0, wanted: 0, priority: 0 })).toBe("false");
  });
});

it("names priorities", () => {
  expect([-1, 0, 1, 3, 6, 7].map(levelOf)).toEqual(["mixed", "none", "usual", "high", "high", "first"]);
});
