/** What is changed of torrents by a dialog: folder, name, category, tags, limits. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { World } from "./world.mjs";

const world = new World();
let daemon;

before(async () => {
  daemon = await world.daemon({ settings: ["downloads.start=false"] });
  for (const name of ["one", "two", "three"]) {
    const content = world.content(name, { "file.bin": 40_000 });
    await world.run("create", content, "-o", `${content}.torrent`);
    await daemon.command("add", `${content}.torrent`);
  }
});
after(() => world.end());

const rows = (page) => page.evaluate(async () => {
  const { torrents } = await (await fetch("api/v1/torrents")).json();
  return Object.fromEntries(torrents.map((row) => [row.name, row]));
});

async function chosen(page, names, item) {
  await page.locator("[data-key]", { hasText: names[0] }).first().click();
  for (const name of names.slice(1)) await page.locator("[data-key]", { hasText: name }).first().click({ modifiers: ["Control"] });
  await page.locator("[data-key]", { hasText: names[0] }).first().click({ button: "right" });
  await page.getByRole("menuitem", { name: item }).click();
  return page.getByRole("dialog");
}

const gone = (dialog) => dialog.waitFor({ state: "detached" });

test("several get tags, and those that only some have stay so", async () => {
  const page = await world.page();
  await world.enter(page, daemon);
  let dialog = await chosen(page, ["one"], "Tags …");
  await dialog.getByLabel("New tag").fill("red, blue");
  await page.keyboard.press("Enter");
  await dialog.getByRole("button", { name: "Save" }).click();
  await gone(dialog);
  dialog = await chosen(page, ["one", "two"], "Tags …");
  await dialog.getByText("1 of 2").first().waitFor();
  const red = dialog.getByRole("checkbox", { name: "red" });
  assert.ok(await red.evaluate((box) => box.indeterminate));
  await red.click();
  await dialog.getByRole("button", { name: "Save" }).click();
  await gone(dialog);
  const found = await rows(page);
  assert.deepEqual([...found.one.tags].sort(), ["blue", "red"]);
  assert.deepEqual(found.two.tags, ["red"]);
  assert.deepEqual(found.three.tags, []);
});

test("limits are typed as people write them, and what was not touched stays", async () => {
  const page = await world.page();
  await world.enter(page, daemon);
  const dialog = await chosen(page, ["one", "two"], "Limits …");
  await dialog.getByLabel("Download at most").fill("fast");
  await dialog.getByText("Write it as 700K or 1.5M.").waitFor();
  await dialog.getByLabel("Download at most").fill("1.5M");
  await dialog.getByText("1.50 MiB/s").waitFor();
  await dialog.getByLabel("Time without takers").selectOption({ label: "own value" });
  await dialog.getByRole("spinbutton", { name: "Time without takers" }).fill("90");
  await dialog.getByLabel("Time without takers: Unit").selectOption({ label: "minutes" });
  await dialog.getByRole("button", { name: "Save" }).click();
  await gone(dialog);
  const { one, two, three } = await rows(page);
  for (const row of [one, two]) assert.deepEqual([row.down_limit, row.up_limit, row.ratio_limit, row.idle_limit], [1_572_864, 0, -2, 5400]);
  assert.equal(three.down_limit, 0);
});

test("a new category is made on the way, and another name is one in the list only", async () => {
  const page = await world.page();
  await world.enter(page, daemon);
  let dialog = await chosen(page, ["one", "two"], "Category …");
  await dialog.getByLabel("Name of the new category").fill("films/new");
  await page.keyboard.press("Enter");
  await gone(dialog);
  dialog = await chosen(page, ["three"], "Other name …");
  await dialog.getByLabel("Name").fill("Third of all");
  await page.keyboard.press("Enter");
  await gone(dialog);
  const found = await rows(page);
  assert.equal(found.one.category, "films/new");
  assert.ok(found["Third of all"]);
  assert.deepEqual(page.wrong, []);
});

test("files go to a folder that was looked for, and where nothing may go is said", async () => {
  const page = await world.page();
  await world.enter(page, daemon);
  const dialog = await chosen(page, ["two"], "Move files …");
  await dialog.getByLabel("Where to").fill("/etc");
  await dialog.getByText("downloads.allowed", { exact: false }).waitFor();
  await dialog.getByLabel("Where to").fill(join(world.folder, "content"));
  await dialog.getByRole("button", { name: "Browse" }).click();
  await dialog.getByRole("button", { name: "three" }).click();
  assert.equal(await dialog.getByLabel("Where to").inputValue(), join(world.folder, "content", "three"));
  await dialog.getByRole("button", { name: "Move", exact: true }).click();
  await gone(dialog);
  await page.waitForFunction(async (path) => {
    const { torrents } = await (await fetch("api/v1/torrents?search=two")).json();
    return torrents[0].save_path === path;
  }, join(world.folder, "content", "three"));
  assert.ok(existsSync(join(world.folder, "content", "three")));
});

test("a folder is typed without anything that comes in between, however late the daemon says where the files are", async () => {
  const page = await world.page();
  await world.enter(page, daemon);
  const held = [];
  await page.route(/api\/v1\/torrents\?keys=/, (route) => held.push(route));
  const dialog = await chosen(page, ["one"], "Move files …");
  const field = dialog.getByLabel("Where to");
  await field.waitFor();
  assert.ok(await field.evaluate((input) => input === document.activeElement));
  const before = await field.inputValue();
  await field.selectText();
  assert.equal(held.length, 1);
  const answered = page.waitForResponse(/api\/v1\/torrents\?keys=/);
  await held[0].continue();
  await (await answered).finished();
  await dialog.getByText(/free after|free/).first().waitFor();
  await page.keyboard.insertText("/etc");
  assert.equal(await field.inputValue(), "/etc");
  assert.ok(before);
  await dialog.getByText("downloads.allowed", { exact: false }).waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await gone(dialog);
});
