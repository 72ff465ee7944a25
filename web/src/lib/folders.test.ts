import { expect, test } from "vitest";
import { above, below, shortly } from "./folders";

test("the folder above ends at the root", () => {
  expect(above("/data/films/")).toBe("/data");
  expect(above("/data")).toBe("/");
  expect(above("/")).toBe("");
  expect(above("")).toBe("");
});

test("what is in a folder has one separator before it", () => {
  expect(below("/", "data/")).toBe("/data");
  expect(below("/data", "films/")).toBe("/data/films");
});

test("a long path is told by its end", () => {
  expect(shortly("/data/films/open")).toBe("…/films/open");
  expect(shortly("/data/films")).toBe("/data/films");
});
