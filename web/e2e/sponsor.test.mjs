/** Sponsored seeding in Chromium: two daemons over a vault; one agrees, reserves, sees what probes found and what was paid. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { api, PATIENCE, picture, sticksOut, World } from "./world.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"];
const PASSPHRASE = "correct horse battery";
const PRICE = 2_000_000;
const NOBODY = "TWer2Ygk5TEheHp3TPuYeqxmB6SsGZmaL6";
const world = new World();
let chain, seeder, sponsor, page, seeds, key, name, payee, payer, port;

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

/** A daemon that seeds or has the torrent, which is marked; its key. */
async function holding(daemon, on, file, ...more) {
  await daemon.command("add", file, ...more);
  const row = (await daemon.command("ls", "--json")).trim().split("\n").map((line) => JSON.parse(line)).find((one) => one.name.includes("archive"));
  await api(on, "PUT", `/torrents/${row.key}/payment`, { licence: "mine" });
  return row;
}

before(async () => {
  chain = (await world.start(["chain", "run", "--instant", "--vault", "60", "--listen", "127.0.0.1:0", "--memory", "--json"], (line) => line.startsWith("{") && JSON.parse(line))).found;
  const on = (more) => [`chain.url=${chain.url}`, `chain.vault=${chain.vault}`, ...more];
  seeder = await world.daemon({ name: "seeder", settings: on([`chain.counters=${world.folder}/c1`]) });
  sponsor = await world.daemon({ name: "sponsor", settings: on([`chain.counters=${world.folder}/c2`]) });
  [page, seeds] = [await pageOf(sponsor), await pageOf(seeder)];
}, { timeout: 6 * PATIENCE });
after(() => world.end());

async function fine(where, on = page) {
  await on.evaluate(() => Promise.all(document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime !== Infinity).map((one) => one.finished.catch(() => {}))));
  const { violations } = await on.evaluate((rules) => window.axe.run(document, { runOnly: rules, resultTypes: ["violations"] }), RULES);
  assert.deepEqual(violations.map((one) => `${where}: ${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join(" ")}`), []);
  assert.deepEqual(await sticksOut(on), [], where);
  if (!process.env.WILDBACH_PICTURES) return;
  const was = on.viewportSize();
  const height = await on.evaluate(() => Math.max(innerHeight, (document.querySelector(".page")?.scrollHeight ?? 0) + 120));
  await on.setViewportSize({ width: was.width, height: Math.min(height, 6000) });
  await picture(on, `sponsor-${where}`);
  await on.setViewportSize(was);
}

const dialog = (on = page) => on.getByRole("dialog");
const mine = () => page.locator("[data-sponsored]");
let broken = "";
const step = (what, work) => test(what, async () => {
  assert.equal(broken, "", "a step before this one failed");
  broken = what;
  try {
    await work();
  } catch (error) {
    await picture(page, "broken");
    throw error;
  }
  broken = "";
});

async function signed(on = page) {
  await dialog(on).getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
  await on.keyboard.press("Enter");
  await dialog(on).waitFor({ state: "detached" });
}

step("where nothing is on it says what to do, on both sides", async () => {
  payer = await rich(page, 500);
  payee = await rich(seeds, 500);
  await mine().getByText("Switch on “Pay seeds” above").waitFor();
  await seeds.locator("[data-seeded]").getByText("First mark the torrent").waitFor();
  await api(page, "PATCH", "/settings", { values: { "pay.buy": true } });
  await mine().getByText("No torrent is marked yet.").waitFor();
  assert.equal(await mine().getByRole("button", { name: "Sponsor", exact: true }).isDisabled(), true);
  const content = world.content("an old archive", { "archive.bin": 3 << 20 });
  const file = join(world.folder, "archive.torrent");
  await world.run("create", content, "-o", file);
  ({ key, name } = await holding(seeder, seeds, file, "-o", dirname(content)));
  await holding(sponsor, page, file, "--stopped");
  port = JSON.parse((await seeder.command("status", "--json")).trim().split("\n").at(-1)).transfer.listening[0].split(":").at(-1);
  await mine().getByText("You sponsor nobody.").waitFor();
  await seeds.locator("[data-seeded]").getByText("Nobody pays you to seed.").waitFor();
});

step("an agreement says what all of it costs, and what is wrong with it before any money moves", async () => {
  await mine().getByRole("button", { name: "Sponsor", exact: true }).click();
  await dialog().getByLabel("Address he is paid at").fill("TNothing");
  await dialog().getByLabel("Where his client listens").fill("seed.example.org:6881");
  await dialog().getByLabel("TRX for a period").fill("2");
  await dialog().getByRole("spinbutton", { name: "Length of a period", exact: true }).fill("20");
  await dialog().getByLabel("Length of a period: Unit").selectOption("60");
  await dialog().getByLabel("How many periods").fill("12");
  await dialog().getByLabel("Probes in a period").fill("4");
  const go = dialog().getByRole("button", { name: "Go on" });
  assert.equal(await go.isDisabled(), true);
  await dialog().getByLabel("Where his client listens").fill(`127.0.0.1:${port}`);
  await dialog().getByText("24 TRX in all: 1 seeder × 12 periods × 2 TRX").waitFor();
  await dialog().getByText("Deposit 24 TRX more first").waitFor();
  await dialog().getByText("The limits of the wallet are below that").waitFor();
  assert.equal(await go.isDisabled(), true);
  await fine("form");
  await dialog().getByRole("button", { name: "Cancel" }).click();
  const sum = 200_000_000;
  await api(page, "PUT", "/wallet/limits", { limits: { per_voucher: sum, per_peer: sum, per_torrent: sum, per_day: sum, total: sum, max_price: 1_000_000_000, fees_per_day: 0 }, passphrase: PASSPHRASE });
  await page.locator("[data-vault]").getByRole("button", { name: "Deposit", exact: true }).click();
  await dialog().getByLabel("Amount in TRX").fill("100");
  await page.keyboard.press("Enter");
  await signed();
  await page.locator("[data-deposit='100000000']").waitFor();
});

async function fill(who, ...peers) {
  await mine().getByRole("button", { name: "Sponsor", exact: true }).click();
  for (let at = 1; at < peers.length; at += 1) await dialog().getByRole("button", { name: "One more seeder" }).click();
  for (const [at, peer] of peers.entries()) {
    await dialog().getByLabel("Address he is paid at").nth(at).fill(who[at]);
    await dialog().getByLabel("Where his client listens").nth(at).fill(peer);
  }
  await dialog().getByLabel("Least speed for a stranger").fill("50K");
  await dialog().getByLabel("TRX for a period").fill("2");
  await dialog().getByLabel("Length of a period: Unit").selectOption("60");
  await dialog().getByRole("spinbutton", { name: "Length of a period", exact: true }).fill("20");
  await dialog().getByLabel("How many periods").fill("12");
  await dialog().getByLabel("Probes in a period").fill("4");
  await dialog().getByRole("button", { name: "Go on" }).click();
}

step("what is reserved is signed once for all seeders, and they are listed", async () => {
  await fill(["TNothing"], `127.0.0.1:${port}`);
  await dialog().getByRole("alert").filter({ hasText: "a character is wrong or missing" }).waitFor();
  await dialog().getByRole("button", { name: "Cancel" }).click();
  // Nobody is there: a seeder who is never reached.
  await fill([payee, NOBODY], `127.0.0.1:${port}`, "198.51.100.9:6881");
  await dialog().getByText("reserve 24 TRX for 2 days, for").first().waitFor();
  await dialog().getByText("48 TRX", { exact: true }).waitFor();
  await fine("reserve");
  await dialog().getByLabel("Passphrase", { exact: true }).fill("not that one");
  await page.keyboard.press("Enter");
  await dialog().getByRole("alert").filter({ hasText: "not the passphrase" }).waitFor();
  await signed();
  await page.locator("[data-reserved='48000000']").waitFor();
  const [other, one] = [mine().locator("[data-agreement='2']"), mine().locator("[data-agreement='1']")];
  await other.getByText("198.51.100.9:6881").waitFor();
  await one.getByText("Period 1 of 12").waitFor();
  assert.equal(await one.locator("[data-look=running]").count(), 1);
  assert.equal(await one.locator("[data-look=ahead]").count(), 11);
  await fine("begun");
});

step("who seeds notes what was promised, and sees that the vault has it", async () => {
  await seeds.locator("[data-seeded]").getByRole("button", { name: "Note a promise" }).click();
  await dialog(seeds).getByLabel("Address of who pays").fill(payer);
  await dialog(seeds).getByLabel("TRX for a period").fill("2");
  await dialog(seeds).getByLabel("Length of a period: Unit").selectOption("60");
  await dialog(seeds).getByRole("spinbutton", { name: "Length of a period", exact: true }).fill("20");
  await dialog(seeds).getByLabel("How many periods").fill("12");
  await fine("promise", seeds);
  await seeds.keyboard.press("Enter");
  await dialog(seeds).waitFor({ state: "detached" });
  const one = seeds.locator(`[data-seeding='${key}']`);
  await one.locator("[data-backing=covered]").waitFor();
  await one.getByText("0 of 12 periods are over").waitFor();
});

/** As if five periods had gone by: the sponsor's own file, as its own code writes it. */
const AGE = `
import sys, time
from pathlib import Path
from wildbach.services.pay.sponsor.store import Entry, SponsorStore
path = next(Path(sys.argv[1]).rglob(sys.argv[2]))
import sqlite3
with sqlite3.connect(path) as db:
    db.execute("UPDATE agreements SET begins = begins - 6000 WHERE id = 1")
db.close()
store = SponsorStore(path)
one = store.load()[0]
one.period, one.times, one.made, one.passed = 4, [], 4, 4
one.good, one.bad, one.unseen, one.earned = 2, 1, 1, 4_000_000
at = one.agreement.begins_at
store.put([one], [Entry(1, period, at(period) + 60 * number, why, size, 90_000) for period, whys in (
    (0, ("passed",) * 4), (1, ("passed", "slow", "unreachable", "passed")), (3, ("passed",) * 4), (4, ("passed",) * 4))
    for number, why in enumerate(whys, 1) for size in ((0 if why == "unreachable" else 360_448),)])
store.close()
`;

step("what probes found and what was paid is a picture, and the seeder has the money", async () => {
  await sponsor.stop();
  execFileSync(join(dirname(process.env.WILDBACH ?? "wildbach"), "python"), ["-c", AGE, sponsor.state, "*.sponsor"]);
  await sponsor.again();
  await page.goto(`${sponsor.url}/#/earn`);
  await page.reload();
  const one = mine().locator("[data-agreement='1']");
  await one.locator("[data-look=paid]").nth(2).waitFor();
  assert.deepEqual(await one.locator("[data-look]").evaluateAll((all) => all.slice(0, 7).map((field) => field.dataset.look)), ["paid", "failed", "unseen", "paid", "paid", "running", "ahead"]);
  await one.getByRole("img", { name: /3 passed and paid, 1 failed, not paid, 1 without a probe, not paid, 1 running, 6 to come/ }).waitFor();
  await one.locator(`[data-paid='${3 * PRICE}']`).waitFor();
  await one.getByText("the voucher is with him").waitFor();
  await seeds.locator(`[data-seeding='${key}'] [data-came='${3 * PRICE}']`).waitFor();
  await one.getByRole("button", { name: "Probes" }).click();
  await one.getByRole("cell", { name: "too slow" }).waitFor();
  await one.getByRole("cell", { name: "not reached" }).waitFor();
  await fine("found");
  await fine("seeded", seeds);
});

step("an agreement is changed and ended, and more of it is reserved with the passphrase", async () => {
  const one = mine().locator("[data-agreement='1']");
  await one.getByRole("button", { name: "Change …" }).click();
  await dialog().getByText("Once the vault has what these terms cost").waitFor();
  await dialog().getByLabel("How many periods").fill("20");
  await fine("change");
  await dialog().getByRole("button", { name: "Go on" }).click();
  // 40 for the new one and 6 that he holds vouchers for; 24 are there.
  await dialog().getByText(/reserve 22 TRX/).waitFor();
  assert.equal(await one.getByText("Ended", { exact: true }).count(), 0);
  await signed();
  await one.getByText("Ended", { exact: true }).waitFor();
  const next = mine().locator("[data-agreement='3']");
  await next.getByText("Period 1 of 20").waitFor();
  await next.getByRole("button", { name: "End …" }).click();
  await dialog().getByText("What he earned is paid").waitFor();
  await dialog().getByRole("button", { name: "End …" }).click();
  await next.getByText("Ended", { exact: true }).waitFor();
  assert.deepEqual(await next.locator("[data-look]").evaluateAll((all) => all.map((field) => field.dataset.look)), ["ended"]);
  await seeds.locator(`[data-seeding='${key}']`).getByRole("button", { name: "Count on it no more" }).click();
  await dialog(seeds).getByRole("button", { name: "Count on it no more" }).click();
  await seeds.locator(`[data-seeding='${key}']`).waitFor({ state: "detached" });
});

step("on a phone, in the dark and in German it is all there", async () => {
  const german = await pageOf(sponsor, { width: 360, height: 760, theme: "dark", language: "de-DE" });
  await german.locator("[data-agreement='1'] [data-look=paid]").first().waitFor();
  await german.locator("[data-agreement='1']").getByRole("button", { name: "Proben" }).click();
  await german.getByRole("cell", { name: "zu langsam" }).waitFor();
  await fine("german", german);
  await german.getByRole("button", { name: "Sponsern", exact: true }).click();
  await fine("german-form", german);
  const dark = await pageOf(seeder, { theme: "dark" });
  await dark.locator("[data-seeded]").getByText("Nobody pays you to seed.").waitFor();
  await fine("dark", dark);
  assert.deepEqual([...page.wrong, ...seeds.wrong, ...german.wrong, ...dark.wrong], []);
});
