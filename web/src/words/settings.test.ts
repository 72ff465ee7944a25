import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { german } from "./settings.de";

test("every setting that is shown has its German words", () => {
  const page = readFileSync("../docs/reference/settings.md", "utf8");
  const keys = [...page.matchAll(/`([a-z_]+\.[a-z_]+)`/g)].map((match) => match[1] ?? "").filter((key) => !key.startsWith("hooks.") && key !== "notify.urls");
  expect(keys.length).toBeGreaterThan(80);
  expect([...new Set(keys)].filter((key) => !(key in german))).toEqual([]);
});
