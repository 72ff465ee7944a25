/** The library page: what is kept for now, here a site that was opened; it is pinned, kept and removed. */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PATIENCE, World } from "./world.mjs";

const world = new World();
let reader;

const last = (text) => JSON.parse(text.trim().split("\n").at(-1));

/** A daemon with a DHT of which `peer` (a port) is the other node, and the port peers call it at. */
async function daemon(name, peer) {
  const made = await world.daemon({ name, settings: ["dht.enabled=true", `dht.bootstrap=${peer ? `127.0.0.1:${peer}` : ""}`, "media.listen=127.0.0.1:0"] });
  made.port = Number(last(await made.command("status", "--json")).transfer.listening[0].split(":").at(-1));
  return made;
}

const storage = async () => last(await reader.command("storage", "--json"));

/** Returns what is kept once `looked` is content with it. */
async function until(looked) {
  for (const end = Date.now() + PATIENCE; ; ) {
    const found = await storage();
    if (looked(found)) return found;
    assert.ok(Date.now() < end, JSON.stringify(found));
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

before(async () => {
  const hub = await daemon("hub", 0);
  const author = await daemon("author", hub.port);
  reader = await daemon("reader", hub.port);
  for (const name of ["blog", "notes"]) {
    const folder = join(world.folder, "content", name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "index.html"), `<title>${name}</title>${name.repeat(20_000)}`);
    const done = last(await author.command("site", "publish", folder, "--key", name, "--json"));
    await reader.command("site", "open", `${done.result.link}&x.pe=127.0.0.1:${author.port}`, "--json");
  }
  await until((found) => found.torrents.length === 2 && found.torrents.every((one) => one.size > 0));
}, { timeout: 4 * PATIENCE });
after(() => world.end());

test("what is kept for now is pinned with a way back, kept as a download, and removed", async () => {
  const page = await world.page();
  await world.enter(page, reader);
  await page.goto(`${reader.url}/#/library`);
  await page.getByRole("heading", { name: "Kept for now" }).waitFor();
  await page.getByRole("meter", { name: "Kept for now" }).waitFor();
  await page.getByText("2 torrents", { exact: false }).waitFor();
  await page.getByText("What you begin to watch can be gone on with from here.").waitFor();

  await page.getByRole("button", { name: "Pin: blog", exact: true }).click();
  await page.getByText("blog is pinned.").waitFor();
  assert.ok(await page.getByRole("button", { name: "Remove: blog" }).isDisabled());
  assert.deepEqual((await storage()).torrents.filter((one) => one.pinned).map((one) => one.name), ["blog"]);
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByRole("button", { name: "Pin: blog", exact: true }).waitFor();
  await until((found) => found.torrents.every((one) => !one.pinned));

  await page.getByRole("button", { name: "Keep: blog" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Keep", exact: true }).click();
  await page.getByText("blog is a download of yours now.").waitFor();
  await page.getByText("1 torrent,", { exact: false }).waitFor();

  await page.getByRole("button", { name: "Remove: notes" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove", exact: true }).click();
  await page.getByText("Nothing is kept for now.").waitFor();
  const left = (await reader.command("ls", "--json")).trim().split("\n").map((line) => JSON.parse(line).name);
  assert.deepEqual(left, ["blog"]);
  assert.deepEqual(page.wrong, []);
  assert.deepEqual(await page.evaluate(() => window.__policy), []);
});

test("the page fits a phone, in German too", async () => {
  const page = await world.page({ width: 360, height: 740, language: "de-DE" });
  await world.enter(page, reader);
  await page.goto(`${reader.url}/#/library`);
  await page.getByRole("heading", { name: "Vorläufig hier" }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  assert.deepEqual(page.wrong, []);
});
