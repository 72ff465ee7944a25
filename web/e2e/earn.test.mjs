/** Selling and paying in Chromium: two daemons over a vault on a chain for development; one pays what the other collects. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { api, PATIENCE, picture, sticksOut, World } from "./world.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"];
const PASSPHRASE = "correct horse battery";
/** Dear enough that a few MiB are more than the fees. */
const PRICE = "1000";
const SIZE = 24 << 20;
const world = new World();
let chain, seller, buyer, page, shop, key, name;

async function pageOf(daemon, options = {}) {
  const made = await world.page({ bypass: true, ...options });
  await made.addInitScript({ content: AXE });
  await world.enter(made, daemon);
  await made.goto(`${daemon.url}/#/earn`);
  return made;
}

/** A wallet with money in it; its address. */
async function rich(on, trx) {
  const { id, words, asked } = await api(on, "POST", "/wallet/words", { words: 12 });
  const { address } = await api(on, "POST", "/wallet", { id, answers: asked.map((place) => words[place - 1]), passphrase: PASSPHRASE });
  await world.run("chain", "faucet", address, String(trx), "--url", chain.url);
  return address;
}

before(async () => {
  chain = (await world.start(["chain", "run", "--instant", "--vault", "60", "--listen", "127.0.0.1:0", "--memory", "--json"], (line) => line.startsWith("{") && JSON.parse(line))).found;
  const on = (more) => [`chain.url=${chain.url}`, `chain.vault=${chain.vault}`, ...more];
  seller = await world.daemon({ name: "seller", settings: on([`chain.counters=${world.folder}/c1`]) });
  buyer = await world.daemon({ name: "buyer", settings: on([`chain.counters=${world.folder}/c2`]) });
  page = await pageOf(buyer);
}, { timeout: 6 * PATIENCE });
after(() => world.end());

async function fine(where, on = page) {
  await on.evaluate(() => Promise.all(document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime !== Infinity).map((one) => one.finished.catch(() => {}))));
  const { violations } = await on.evaluate((rules) => window.axe.run(document, { runOnly: rules, resultTypes: ["violations"] }), RULES);
  assert.deepEqual(violations.map((one) => `${where}: ${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join(" ")}`), []);
  assert.deepEqual(await sticksOut(on), [], where);
  await whole(on, `earn-${where}`);
}

/** All of the page, however long it is. */
async function whole(on, called) {
  if (!process.env.WILDBACH_PICTURES) return;
  const was = on.viewportSize();
  const height = await on.evaluate(() => Math.max(innerHeight, (document.querySelector(".page")?.scrollHeight ?? 0) + 120));
  await on.setViewportSize({ width: was.width, height: Math.min(height, 6000) });
  await picture(on, called);
  await on.setViewportSize(was);
}

const dialog = (on = page) => on.getByRole("dialog");
let broken = "";
const step = (what, work) => test(what, async () => {
  assert.equal(broken, "", "a step before this one failed");
  broken = what;
  await work();
  broken = "";
});

async function signed(on = page) {
  await dialog(on).getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
  await on.keyboard.press("Enter");
  await dialog(on).waitFor({ state: "detached" });
}

step("before anything is on the page says what it is, and what is missing", async () => {
  await page.getByText("Nobody is refused for not paying").waitFor();
  await page.getByText("Nothing is mined").waitFor();
  await page.getByText("This needs a wallet, and there is none yet.").waitFor();
  for (const kind of ["sell", "buy"]) assert.equal(await page.locator(`[data-consent=${kind}]`).getByRole("button", { name: "Switch on" }).isDisabled(), true);
  await fine("nothing");
  await page.getByRole("link", { name: "To the wallet" }).click();
  await page.getByRole("button", { name: "Make a wallet" }).waitFor();
  await page.goto(`${buyer.url}/#/earn`);
});

step("paying is switched on with its price by keys, and off again with one click", async () => {
  await rich(page, 500);
  const buy = page.locator("[data-consent=buy]");
  await page.locator("[data-lacks]").waitFor({ state: "detached" });
  await buy.getByLabel("At most for a GiB in TRX").fill("1e3");
  await buy.getByText("An amount like 12 or 0.5").waitFor();
  await buy.getByLabel("At most for a GiB in TRX").fill(PRICE);
  await page.keyboard.press("Enter");
  await buy.getByText("Seeds are paid.").waitFor();
  assert.equal((await api(page, "GET", "/settings")).values["pay.most"], 1_000_000_000);
  await buy.getByRole("button", { name: "Switch off" }).click();
  await buy.getByText("Off.").waitFor();
  assert.equal((await api(page, "GET", "/settings")).values["pay.buy"], false);
  await buy.getByRole("button", { name: "Switch on" }).click();
  await page.locator("[data-deposit='0']").waitFor();
  await page.getByText("The limits of the wallet allow nothing").waitFor();
  await page.getByText("Nothing is deposited in the vault").waitFor();
  await page.getByText("No torrent is marked, so nothing").waitFor();
  await fine("on");
});

step("a deposit comes with the key, and what is too much or signed wrongly is refused", async () => {
  const sum = 200_000_000;
  await api(page, "PUT", "/wallet/limits", { limits: { per_voucher: sum, per_peer: sum, per_torrent: sum, per_day: sum, total: sum, max_price: 1_000_000_000, fees_per_day: 0 }, passphrase: PASSPHRASE });
  await page.locator("[data-vault]").getByRole("button", { name: "Deposit", exact: true }).click();
  await dialog().getByLabel("Amount in TRX").fill("9999");
  await page.keyboard.press("Enter");
  await dialog().getByRole("alert").waitFor();
  if (await dialog().getByRole("button", { name: "Back" }).count()) await dialog().getByRole("button", { name: "Back" }).click();
  await dialog().getByLabel("Amount in TRX").fill("200");
  await page.keyboard.press("Enter");
  await dialog().getByText("Then, with the same passphrase: register the key.").waitFor();
  await fine("deposit");
  await dialog().getByLabel("Passphrase", { exact: true }).fill("not that one");
  await page.keyboard.press("Enter");
  await dialog().getByRole("alert").filter({ hasText: "not the passphrase" }).waitFor();
  await signed();
  await page.locator("[data-deposit='200000000']").waitFor();
  await page.getByText("registered", { exact: true }).waitFor();
});

step("a torrent is marked in its details; a private one never is", async () => {
  shop = await pageOf(seller);
  await rich(shop, 500);
  // There has to be time to look.
  await api(shop, "PATCH", "/settings", { values: { "rates.up": 400 << 10 } });
  const content = world.content("a mountain stream", { "stream.bin": SIZE });
  const file = join(world.folder, "stream.torrent");
  await world.run("create", content, "-o", file);
  await seller.command("add", file, "-o", dirname(content));
  await buyer.command("add", file, "--stopped");
  const secret = join(world.folder, "secret.torrent");
  await world.run("create", world.content("secret", { "a.bin": 70_000 }), "--private", "-o", secret);
  await buyer.command("add", secret, "--stopped");
  const rows = (await buyer.command("ls", "--json")).trim().split("\n").map((line) => JSON.parse(line));
  const found = (text) => rows.find((one) => one.name.includes(text));
  ({ key, name } = found("stream"));
  await page.goto(`${buyer.url}/#/t/${found("secret").key}/overview`);
  await page.getByText("what its tracker counts is not for sale").waitFor();
  for (const [on, daemon] of [[page, buyer], [shop, seller]]) {
    await on.goto(`${daemon.url}/#/t/${key}/overview`);
    await on.getByLabel(`May be sold and bought: ${name}`).selectOption("mine");
    await on.getByText("You made it.").waitFor();
    assert.deepEqual((await api(on, "GET", "/payments")).torrents.map((one) => [one.key, one.licence]), [[key, "mine"]]);
  }
  await fine("marked");
});

step("what is bought is listed with its seller, and something is reserved for him in one click", async () => {
  await shop.goto(`${seller.url}/#/earn`);
  await shop.locator("[data-consent=sell]").getByLabel("Price of a GiB in TRX").fill(PRICE);
  await shop.keyboard.press("Enter");
  await shop.locator("[data-fetch]").waitFor();
  await page.goto(`${buyer.url}/#/earn`);
  await page.locator("[data-marked]").getByRole("link", { name }).waitFor();
  await buyer.command("start", key);
  const port = JSON.parse((await seller.command("status", "--json")).trim().split("\n").at(-1)).transfer.listening[0].split(":").at(-1);
  await api(page, "POST", `/torrents/${key}/peers`, { peers: [`127.0.0.1:${port}`] });
  const purchases = page.locator("[data-purchases]");
  await purchases.getByRole("button", { name: "Reserve" }).click();
  assert.match(await dialog().getByLabel("Seed (address)").inputValue(), /^T\w{33}$/);
  await dialog().getByLabel("Amount in TRX").fill("150");
  await page.keyboard.press("Enter");
  await fine("reserve");
  await signed();
  await page.locator("[data-reserved='150000000']").waitFor();
  await purchases.getByText("reserved", { exact: true }).waitFor();
  await purchases.locator("[data-meter=true]").waitFor();
  await shop.locator("[data-sales] [data-meter=true]").waitFor();
  await shop.locator("[data-speed]").or(shop.locator("[data-came] svg")).first().waitFor();
  await fine("buying");
  await fine("selling", shop);
  await api(shop, "PATCH", "/settings", { values: { "rates.up": 0 } });
});

step("what was sold is collected with one passphrase, and the ledger says so", async () => {
  await page.locator("[data-purchases] [data-meter=true]").waitFor({ state: "detached" });
  const paid = (await api(page, "GET", "/payments")).ever.bought;
  // How much of it came before the meter ran depends on the machine.
  assert.ok(paid > 3_000_000, String(paid));
  const fetched = shop.locator("[data-fetch]");
  await fetched.locator(`[data-held='${paid}']`).waitFor();
  await fetched.getByRole("button", { name: "Collect" }).click();
  await dialog(shop).getByText("Then, with the same passphrase: fetch.").waitFor();
  await fine("collect", shop);
  await signed(shop);
  await fetched.locator("[data-held='0']").waitFor();
  await fetched.locator("[data-credit='0']").waitFor();
  await shop.locator(`[data-earned='${paid}']`).first().waitFor();
  const ledger = shop.locator("[data-ledger]");
  await ledger.getByText("redeemed", { exact: true }).first().waitFor();
  const [download] = await Promise.all([shop.waitForEvent("download"), ledger.getByRole("link", { name: "Table (CSV)" }).click()]);
  const table = readFileSync(await download.path(), "utf8").trim().split(/\r?\n/).slice(1).map((line) => line.split(","));
  assert.equal(table.filter((row) => row[4] === "earned").reduce((sum, row) => sum + Number(row[5]), 0), paid);
  await shop.getByRole("img", { name: /^Earned a day/ }).waitFor();
  await fine("sold", shop);
});

step("what is free is asked back, and that taken back again", async () => {
  const vault = page.locator("[data-vault]");
  await vault.getByRole("button", { name: "Ask back" }).click();
  await dialog().getByLabel("Amount in TRX").fill("10");
  await page.keyboard.press("Enter");
  await signed();
  await vault.locator("[data-asked='10000000']").waitFor();
  assert.equal(await vault.getByRole("button", { name: "Withdraw" }).isDisabled(), true);
  await fine("asked");
  await vault.getByRole("button", { name: "Take the asking back" }).click();
  await signed();
  await vault.locator("[data-asked]").waitFor({ state: "detached" });
});

step("on a phone, in the dark and in German it is all there", async () => {
  await shop.setViewportSize({ width: 360, height: 760 });
  await shop.emulateMedia({ colorScheme: "dark" });
  await shop.reload();
  await shop.locator("[data-came] svg").waitFor();
  // What was on its way a moment ago is no difference.
  for (const on of [page, shop]) assert.deepEqual((await api(on, "GET", "/payments")).differences, []);
  await fine("phone", shop);
  const german = await pageOf(buyer, { width: 360, height: 760, language: "de-DE" });
  await german.getByText("Seeds werden bezahlt.").waitFor();
  await german.locator("[data-came] svg").waitFor();
  await fine("german", german);
  // The daemon's own answer, with vouchers that nobody covers: here all are redeemed.
  const bare = await world.page({ width: 360, height: 760, language: "de-DE", bypass: true });
  await world.enter(bare, seller);
  await bare.route(/\/payments$/, async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), uncovered: 2_500_000 } });
  });
  await bare.goto(`${seller.url}/#/earn`);
  await bare.locator("[data-uncovered='2500000']").getByText("Weitere 2,5 TRX in Gutscheinen").waitFor();
  assert.deepEqual(await sticksOut(bare), []);
  await german.goto(`${buyer.url}/#/t/${key}/overview`);
  await german.getByLabel(/^Darf verkauft und gekauft werden/).waitFor();
  assert.deepEqual(await sticksOut(german), []);
  assert.deepEqual([...page.wrong, ...shop.wrong, ...german.wrong], []);
});
