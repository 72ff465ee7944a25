/** The list: what is in it, what can be done to it, by mouse, by keys and by touch. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { World } from "./world.mjs";

const world = new World();
let daemon;

before(async () => {
  daemon = await world.daemon({ settings: ["downloads.start=false"] });
  for (const name of ["alpha", "beta", "gamma", "delta", "epsilon"]) {
    const content = world.content(name, { "one.txt": 5000, "two.txt": 70_000 });
    await world.run("create", content, "-o", `${content}.torrent`);
    await daemon.command("add", `${content}.torrent`);
  }
});
after(() => world.end());

const names = (page) => page.locator("#list [data-key]").evaluateAll((lines) =>
  lines.sort((a, b) => a.dataset.at - b.dataset.at).map((line) => line.querySelector(".name").textContent));

test("a column's head sorts, and again the other way round", async () => {
  const page = await world.page();
  await world.enter(page, daemon);
  await page.getByRole("columnheader", { name: "Name" }).getByRole("button").click();
  await page.waitForFunction(() => document.querySelector('[data-at="0"] .name')?.textContent === "alpha");
  assert.deepEqual(await names(page), ["alpha", "beta", "delta", "epsilon", "gamma"]);
  await page.getByRole("columnheader", { name: "Name" }).getByRole("button").click();
  await page.waitForFunction(() => document.querySelector('[data-at="0"] .name')?.textContent === "gamma");
  assert.deepEqual(page.wrong, []);
});

test("searching narrows the list down at once", async () => {
  const page = await world.page();
  await world.enter(page, daemon);
  await page.keyboard.press("/");
  await page.keyboard.type("eps");
  await page.waitForFunction(() => document.querySelectorAll("#list [data-key]").length === 1);
  assert.deepEqual(await names(page), ["epsilon"]);
});

test("what is removed can be had back, by a click and from the trash", async () => {
  const page = await world.page();
  await world.enter(page, daemon);
  await page.locator("[data-key]", { hasText: "beta" }).click();
  await page.keyboard.press("Delete");
  await page.getByRole("dialog").getByRole("button", { name: "Remove", exact: true }).click();
  await page.waitForFunction(() => document.querySelectorAll("#list [data-key]").length === 4);
  await page.getByRole("button", { name: "Undo" }).click();
  await page.waitForFunction(() => document.querySelectorAll("#list [data-key]").length === 5);
  assert.ok((await names(page)).includes("beta"));
});

test("a right click on several torrents stops and starts them all", async () => {
  const page = await world.page();
  await world.enter(page, daemon);
  await page.locator("[data-at='0']").click();
  await page.locator("[data-at='2']").click({ modifiers: ["Shift"] });
  await page.getByText("3 torrents picked").waitFor();
  await page.locator("[data-at='1']").click({ button: "right" });
  await page.getByRole("menuitem", { name: "Start", exact: false }).first().click();
  await page.waitForFunction(() => [0, 1, 2].every((at) => !document.querySelector(`[data-at="${at}"]`).classList.contains("stopped")));
  assert.ok(await page.locator("[data-at='3']").evaluate((line) => line.classList.contains("stopped")));
  await page.locator("[data-at='1']").click({ button: "right" });
  await page.getByRole("menuitem", { name: "Stop", exact: false }).first().click();
  await page.waitForFunction(() => document.querySelectorAll("#list .line.stopped").length === 5);
});

test("on a phone a long press picks, and a tap opens", async () => {
  const page = await world.page({ width: 360, height: 740, touch: true });
  await world.enter(page, daemon);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  await page.locator("[data-at='1']").tap();
  await page.waitForURL(/#\/t\/[0-9a-f]{40,}/);
});

test("by keys alone: down, open, back, pick all", async () => {
  const page = await world.page();
  await world.enter(page, daemon);
  // Keys are for rows, which come a moment after the list.
  await page.locator("[data-at='4']").waitFor();
  await page.locator("#list").focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.waitForURL(/#\/t\//);
  await page.locator("#list").focus();
  await page.keyboard.press("Control+a");
  await page.getByText("5 torrents picked").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
  assert.deepEqual(page.wrong, []);
});
