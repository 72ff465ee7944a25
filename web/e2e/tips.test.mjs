/** Tips in Chromium: from the page of sites, from a channel and from the player; and an address that changed is confirmed first. */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { api, PATIENCE, picture, sticksOut, World } from "./world.mjs";

const PASSPHRASE = "correct horse battery";
const HERE = "TWer2Ygk5TEheHp3TPuYeqxmB6SsGZmaL6";
const OTHER = "TPX6HK2NRN4XKRX1JAhbC827bm7gMmy5w1";
const world = new World();
let chain, author, reader, page, site, dist;

const last = (text) => JSON.parse(text.trim().split("\n").at(-1));
const dialog = () => page.getByRole("dialog");

/** A daemon with a DHT of which `peer` (a port) is another node, and the port peers call it at. */
async function daemon(name, peer, more = []) {
  const made = await world.daemon({ name, settings: ["dht.enabled=true", `dht.bootstrap=${peer ? `127.0.0.1:${peer}` : ""}`, "media.listen=127.0.0.1:0", ...more] });
  made.port = Number(last(await made.command("status", "--json")).transfer.listening[0].split(":").at(-1));
  return made;
}

before(async () => {
  chain = (await world.start(["chain", "run", "--instant", "--listen", "127.0.0.1:0", "--memory", "--json"], (line) => line.startsWith("{") && JSON.parse(line))).found;
  const hub = await daemon("hub", 0);
  author = await daemon("author", hub.port);
  reader = await daemon("reader", hub.port, [`chain.url=${chain.url}`, `chain.counters=${world.folder}/c`]);
  dist = join(world.folder, "dist");
  mkdirSync(dist);
  writeFileSync(join(dist, "index.html"), "<h1>one</h1>");
  site = last(await author.command("site", "publish", dist, "--key", "blog", "--payout", HERE, "--json")).result;
  writeFileSync(join(world.folder, "owl.mp4"), "owl".repeat(3000));
  await author.command("channel", "create", "Animals", "--key", "animals", "--payout", HERE);
  await author.command("channel", "add", "Animals", join(world.folder, "owl.mp4"));
  await author.command("channel", "publish", "Animals");
  const channel = last(await author.command("channel", "show", "Animals", "--json"));
  await reader.command("site", "open", `${site.link}&x.pe=127.0.0.1:${author.port}`, "--no-browser");
  await reader.command("channel", "follow", `${channel.link}&x.pe=127.0.0.1:${author.port}`);
  page = await world.page();
  await world.enter(page, reader);
}, { timeout: 6 * PATIENCE });
after(() => world.end());

/** Two TRX, as far as the chain. */
async function tipped() {
  assert.equal(await dialog().getByLabel("To").inputValue(), HERE);
  assert.equal(await dialog().getByLabel("To").getAttribute("readonly"), "");
  await dialog().getByLabel("Amount in TRX").fill("2");
  await page.keyboard.press("Enter");
  await dialog().getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
  await page.keyboard.press("Enter");
  await dialog().waitFor({ state: "detached" });
}

const sent = async () => (await api(page, "GET", "/wallet/sends")).sends.map((one) => [one.to, one.amount]);

test("without a wallet the button says what is missing", { timeout: 4 * PATIENCE }, async () => {
  await page.goto(`${reader.url}/#/sites`);
  const tip = page.getByRole("button", { name: "Tip blog …" });
  await tip.waitFor({ timeout: 3 * PATIENCE });
  await tip.click();
  await dialog().getByText("There is no wallet yet, and a tip comes from one.").waitFor();
  await picture(page, "tip-wallet");
  await dialog().getByRole("link", { name: "To the wallet" }).click();
  await page.getByRole("button", { name: "Make a wallet" }).waitFor();
  const { id, words, asked } = await api(page, "POST", "/wallet/words", { words: 12 });
  const { address } = await api(page, "POST", "/wallet", { id, answers: asked.map((place) => words[place - 1]), passphrase: PASSPHRASE });
  await world.run("chain", "faucet", address, "100", "--url", chain.url);
});

test("a site is tipped from its row, and the page of a site says where tips go", { timeout: 4 * PATIENCE }, async () => {
  await page.goto(`${reader.url}/#/sites`);
  await page.getByRole("button", { name: "Tip blog …" }).click();
  await tipped();
  assert.deepEqual(await sent(), [[HERE, 2_000_000]]);
  await picture(page, "tip-sites");
  await page.getByRole("button", { name: "Versions: blog" }).click();
  await dialog().getByText("Tips go to").waitFor();
  await picture(page, "tip-site");
  await dialog().getByRole("button", { name: "Tip …" }).waitFor();
  await page.keyboard.press("Escape");
});

test("a channel is tipped from the player of what it brought", { timeout: 6 * PATIENCE }, async () => {
  await page.goto(`${reader.url}/#/channels`);
  await page.getByText("owl").first().waitFor({ timeout: 3 * PATIENCE });
  await page.getByRole("button", { name: /^Play: owl/ }).or(page.getByRole("button", { name: "Play", exact: true })).first().click();
  await page.waitForFunction(() => location.hash.startsWith("#/play/"));
  await page.getByRole("button", { name: "Tip Animals …" }).click();
  await tipped();
  assert.deepEqual(await sent(), [[HERE, 2_000_000], [HERE, 2_000_000]]);
  await picture(page, "tip-player");
  await page.setViewportSize({ width: 360, height: 700 });
  await page.emulateMedia({ colorScheme: "dark" });
  await page.reload();
  await page.getByRole("button", { name: "Tip Animals …" }).waitFor();
  assert.deepEqual(await sticksOut(page), []);
  await picture(page, "tip-player-phone");
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.emulateMedia({ colorScheme: "light" });
});

test("an address that changed is shown, and gets nothing before somebody says that it is right", { timeout: 6 * PATIENCE }, async () => {
  writeFileSync(join(dist, "index.html"), "<h1>two</h1>");
  await author.command("site", "publish", dist, "--key", "blog", "--payout", OTHER);
  const deadline = Date.now() + 4 * PATIENCE;
  const known = async () => (await api(page, "GET", "/sites")).sites.find((one) => one.name === "blog");
  while ((await known()).payout !== OTHER) {
    assert.ok(Date.now() < deadline, JSON.stringify(await known()));
    await reader.command("site", "open", site.link, "--no-browser");
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  await assert.rejects(api(page, "POST", `/sites/${site.key}/tip`, { amount: 1, memo: "" }), /payout_changed/);
  await page.goto(`${reader.url}/#/sites`);
  await page.getByText("Its address for tips changed").waitFor();
  await page.getByRole("button", { name: "Tip blog …" }).click();
  await dialog().getByText(`changed from ${HERE} to ${OTHER}`).waitFor();
  await picture(page, "tip-changed");
  await page.setViewportSize({ width: 360, height: 700 });
  await page.emulateMedia({ colorScheme: "dark" });
  assert.deepEqual(await sticksOut(page), []);
  await picture(page, "tip-changed-phone");
  await page.setViewportSize({ width: 1280, height: 800 });
  await dialog().getByRole("button", { name: "The new address is right" }).click();
  await dialog().waitFor({ state: "detached" });
  await page.getByText("Its address for tips changed").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Tip blog …" }).click();
  assert.equal(await dialog().getByLabel("To").inputValue(), OTHER);
  await page.keyboard.press("Escape");
  assert.deepEqual(page.wrong, []);
});

test("who publishes sees the address, and publishes another by mouse; in German too", { timeout: 4 * PATIENCE }, async () => {
  const own = await world.page({ width: 360, height: 740, theme: "dark", language: "de-DE" });
  await world.enter(own, author);
  await own.goto(`${author.url}/#/sites`);
  await own.getByRole("button", { name: /^Veröffentlichen: blog/ }).click();
  const field = own.getByRole("dialog").getByLabel("Adresse für Trinkgeld");
  assert.equal(await field.inputValue(), OTHER);
  await picture(own, "tip-publish");
  assert.deepEqual(await sticksOut(own), []);
  await field.fill("TNothing");
  await own.getByRole("dialog").getByRole("button", { name: "Veröffentlichen", exact: true }).click();
  await own.getByRole("dialog").getByText(/TNothing/).waitFor();
  assert.deepEqual(own.wrong, []);
});
