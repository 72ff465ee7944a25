import { expect, test } from "vitest";
import { branches } from "./groups";
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
