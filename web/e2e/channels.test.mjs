/** Channels: one is made, filled and published by mouse; another daemon follows it, searches it, and downloads. */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PATIENCE, picture, World } from "./world.mjs";

const world = new World();
let author, reader, link;

const last = (text) => JSON.parse(text.trim().split("\n").at(-1));

/** A daemon with a DHT of which `peer` (a port) is another node, and the port peers call it at. */
async function daemon(name, peer) {
  const made = await world.daemon({ name, settings: ["dht.enabled=true", `dht.bootstrap=${peer ? `127.0.0.1:${peer}` : ""}`, "media.listen=127.0.0.1:0"] });
  made.port = Number(last(await made.command("status", "--json")).transfer.listening[0].split(":").at(-1));
  return made;
}

before(async () => {
  const hub = await daemon("hub", 0);
  author = await daemon("author", hub.port);
  reader = await daemon("reader", hub.port);
  const folder = join(world.folder, "films");
  mkdirSync(folder, { recursive: true });
  for (const name of ["owl at night", "fox by day"]) writeFileSync(join(folder, `${name}.mp4`), name.repeat(3000));
}, { timeout: 3 * PATIENCE });
after(() => world.end());

test("a channel is made, filled and published by mouse", { timeout: 4 * PATIENCE }, async () => {
  const page = await world.page();
  await world.enter(page, author);
  await page.goto(`${author.url}/#/channels`);
  await page.getByRole("button", { name: "New channel" }).click();
  await page.getByLabel("Title").fill("Animals <b>");
  await page.getByLabel("What it is about").fill("Who walks and flies here.");
  await page.getByLabel("Secret key").fill("animals");
  await page.getByRole("button", { name: "New channel" }).last().click();
  for (const name of ["owl at night", "fox by day"]) {
    await page.getByRole("combobox", { name: "File or folder" }).or(page.getByRole("textbox", { name: "File or folder" })).first().fill(join(world.folder, "films", `${name}.mp4`));
    await page.getByLabel("Licence").fill("CC-BY-4.0");
    await page.getByRole("button", { name: "Add to it" }).last().click();
    await page.getByRole("button", { name: new RegExp(`Take out: ${name}`) }).waitFor({ timeout: PATIENCE });
  }
  await page.getByText("2 items wait to be published.").first().waitFor();
  await page.getByRole("button", { name: "Publish", exact: true }).click();
  const field = page.getByRole("dialog").getByLabel("Link for others");
  await field.waitFor({ timeout: 2 * PATIENCE });
  link = await field.inputValue();
  assert.match(link, /^magnet:\?xs=urn:btpk:[0-9a-f]{64}/);
  await page.getByRole("button", { name: "Close", exact: true }).last().click();
  await page.getByText("fox by day").first().waitFor();
  await picture(page, "channels");
  await page.context().close();
});

test("it is followed by its link, searched, and an item is downloaded", { timeout: 4 * PATIENCE }, async () => {
  const page = await world.page();
  await world.enter(page, reader);
  await page.goto(`${reader.url}/#/channels`);
  await page.getByText("No channel is followed yet.").waitFor();
  await page.getByLabel("Link or key of a channel").fill(`${link}&x.pe=127.0.0.1:${author.port}`);
  await page.getByRole("button", { name: "Follow", exact: true }).click();
  await page.getByText("Animals <b>").first().waitFor({ timeout: PATIENCE });
  await page.getByText("owl at night").first().waitFor({ timeout: 3 * PATIENCE });
  await page.getByRole("searchbox", { name: "Search items" }).fill("fox");
  await page.getByText("owl at night").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Download: fox by day" }).click();
  await page.getByText("It is in the list.").waitFor();
  await page.getByRole("button", { name: /About it/ }).click();
  await page.getByRole("img", { name: "Link for others" }).waitFor();
  await page.getByLabel("Download what is new").check();
  await page.getByRole("button", { name: "Close", exact: true }).last().click();
  await page.getByLabel("Only what is new").check();
  await page.getByText("Nothing is found.").waitFor();
  assert.ok(last(await reader.command("channel", "show", "Animals <b>", "--json")).auto);
  await page.context().close();
});

test("what is new in it stands in the library", { timeout: 4 * PATIENCE }, async () => {
  writeFileSync(join(world.folder, "films", "bats.mp4"), "bats".repeat(3000));
  await author.command("channel", "add", "Animals <b>", join(world.folder, "films", "bats.mp4"));
  await author.command("channel", "publish", "Animals <b>");
  const page = await world.page();
  await world.enter(page, reader);
  const deadline = Date.now() + 2 * PATIENCE;
  while (!last(await reader.command("channel", "show", "Animals <b>", "--json")).new) assert.ok(Date.now() < deadline);
  await page.goto(`${reader.url}/#/library`);
  const fresh = page.getByRole("region", { name: "New in your channels" });
  await fresh.getByText("bats").waitFor({ timeout: PATIENCE });
  await fresh.getByRole("button", { name: "Play", exact: true }).click();
  await page.waitForFunction(() => location.hash.startsWith("#/play/"));
  await page.context().close();
});

test("in German, on a phone", async () => {
  const page = await world.page({ width: 360, height: 720, language: "de-DE" });
  await world.enter(page, reader);
  await page.goto(`${reader.url}/#/channels`);
  await page.getByRole("heading", { name: "Kanäle" }).waitFor();
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= 360));
  await page.context().close();
});
