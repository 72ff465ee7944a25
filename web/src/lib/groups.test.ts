import { expect, test } from "vitest";
import { branches, folderOf } from "./groups";
import type { Model } from "./api";

const category = (name: string): Model<"Category"> => ({ name }) as Model<"Category">;

test("each category stands after the one above it, before all that sort after that one", () => {
  const tree = branches(["b", "a b", "a/z", "a", "a/2", "a/10"].map(category));
  expect(tree.map((one) => [one.name, one.label, one.depth])).toEqual([
    ["a", "a", 0],
    ["a/2", "2", 1],
    ["a/10", "10", 1],
    ["a/z", "z", 1],
    ["a b", "a b", 0],
    ["b", "b", 0],
  ]);
});

test("a category without a folder of its own has one in that of the category above it", () => {
  const all = [{ ...category("films"), save_path: "/data/films" }, category("films/open"), category("music")];
  expect(folderOf(all, "", "/dl")).toBe("/dl");
  expect(folderOf(all, "music", "/dl/")).toBe("/dl/music");
  expect(folderOf(all, "films/open", "/dl")).toBe("/data/films/open");
  expect(folderOf(all, "films/new/2026", "/dl")).toBe("/data/films/new/2026");
});
